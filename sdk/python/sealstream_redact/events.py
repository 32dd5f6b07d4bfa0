"""Redaction of events."""
import base64
import binascii
import json
import re

from .finder import _mark
from .names import _name_kind
from .scan import _IS_MARK, _MAX_ATTRIBUTE, _MAX_PATH, _MAX_REDACTIONS
from .shapes import _CASED, _FOLDED, _MANY
from .walker import _text, redact_json, redact_text

_KEPT = frozenset(("time", "agentseq", "agentprev", "agentsignature", "action", "outcome", "traceparent", "datasalt", "specversion", "redactions", "data",
                   "data_base64"))


def redact_event(event: dict) -> dict:
    """A CloudEvent in its JSON form without secrets, in a dict of its own if there were any. What was taken out stands in its attribute redactions."""
    found, redacted = [], dict(event)
    names = sorted(name for name in event if isinstance(name, str) and name not in _KEPT and isinstance(event[name], str))
    if not _may("\n".join(["%s=%s" % (name, event[name]) for name in names]).encode("utf-8", "surrogatepass")):
        names = []
    for name in names:
        value = event[name].encode("utf-8", "surrogatepass")
        kind = _name_kind(name.encode("utf-8", "surrogatepass"))
        if kind and value and not (_IS_MARK.fullmatch(value) or not value.strip(b"*") or value.startswith((b"${", b"{{", b"$("))):
            out, kinds = _mark(kind), [kind]
        else:
            out, kinds = _text(value, 0)
        if kinds:
            redacted[name] = (out if len(out) <= _MAX_ATTRIBUTE else _mark(kinds[0])).decode("utf-8", "surrogatepass")
            found += [(kind, "/" + name) for kind in kinds]
    if event.get("data") is not None:
        out, more = _data(event["data"])
        if more:
            redacted["data"] = json.loads(out)
            found += more
    elif isinstance(event.get("data_base64"), str):
        out, more = _encoded(event["data_base64"])
        if more:
            redacted["data_base64"] = out
            found += more
    if not found:
        return event
    if isinstance(event.get("redactions"), str):  # an earlier claim stands in front
        found = _parsed(event["redactions"]) + found
    redacted["redactions"] = _format(_shorten(found))
    return redacted


def _data(data):
    """Data as JSON text without secrets, and what was found; nothing, if it is no JSON: that is for the sender to tell."""
    try:
        raw = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return "", []
    return redact_json(raw) if _may(raw.encode("utf-8", "surrogatepass")) else (raw, [])


def _encoded(text):
    """The same for data in base64 that is text itself."""
    try:
        plain = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return text, []
    out, kinds = redact_text(plain)
    return base64.b64encode(out.encode()).decode(), [(kind, "/data") for kind in kinds]


def _may(raw):
    """Whether anything can be found in JSON text that json.dumps wrote: most events have nothing, and this is all that they cost."""
    if b"\\u00" in raw or _MANY.search(raw):
        return True
    for text in _CASED:
        if text in raw:
            return True
    low = raw.lower()
    for text in _FOLDED:
        if text in low:
            return True
    return False


def _shorten(found):
    """Each kind and path once, in order, and not too many."""
    short = []
    for kind, path in found:
        cut = path.encode("utf-8", "replace")[:_MAX_PATH].decode("utf-8", "ignore")
        if (kind, cut) in short:
            continue
        if len(short) == _MAX_REDACTIONS - 1:
            return short + [("more", "")]
        short.append((kind, cut))
    return short


def _format(found):
    while True:
        text = " ".join(kind + ":" + _percent(path) for kind, path in found)
        if len(text) <= _MAX_ATTRIBUTE:
            return text
        found = found[:-2] + [("more", "")]


def _percent(path):
    return "".join(c if "\x21" <= c <= "\x7e" and c not in '"%' else "".join("%%%02X" % b for b in c.encode()) for c in path)


def _parsed(text):
    found = []
    for item in text.split(" "):
        kind, colon, path = item.partition(":")
        if not colon or not _IS_MARK.fullmatch(_mark(kind)):
            return []
        found.append((kind, re.sub(rb"%([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), path.encode()).decode("utf-8", "replace")))
    return found
