"""The JSON of service events and of configs, and the form of details (SPEC-rules4 1.1 and 5)."""
import json
import re

import rules

TEXT = 256                # a text of 1 to so many bytes
INDEX = "index"           # an integer below the index of the entry
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef]|" + "|".join(
    "[%s%s]" % (chr(plane + 0xfffe), chr(plane + 0xffff)) for plane in range(0, 0x110000, 0x10000)))  # SPEC 3.1

# The members of details: what their form is, and ? if they are optional. A number is a text's longest length.
ACCESS = {"role": TEXT, "process": TEXT, "previous?": INDEX}
READ = {"role": TEXT, "access?": INDEX, "call": 64, "kind": "export|payload|admin", "route": TEXT, "count?": int,
        "first?": int, "last?": int, "size?": int}
DETAILS = {"access": ACCESS, "read": READ}
ROLES = {"access": ("ingest", "query", "alert"), "read": ("ingest", "query", "alert")}
REQUIRES_TEXT = ("access",)
REQUIRES_PUBLISHER = ("read",)


class Refused(Exception):
    def __init__(self, reason, field=None):
        super().__init__(reason)
        self.field = field


class Other:
    """A number that is no integer of the form in 5."""


def unique(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)


def integer(text):
    return int(text) if rules.has_form("0|[1-9][0-9]{0,15}", text) and int(text) < 2**53 else Other()


def strict(text, deepest=32):
    """The value of strict JSON (SPEC 3.2)."""
    def no(text):
        raise ValueError(text + " is no JSON")

    def depth(value):
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if parts is None else 1 + max(map(depth, parts), default=0)

    value = json.loads(text, object_pairs_hook=unique, parse_int=integer, parse_float=lambda text: Other(), parse_constant=no)
    json.dumps(value, ensure_ascii=False, default=lambda other: 0).encode()  # fails on a lone surrogate
    if depth(value) > deepest:
        raise ValueError("too deep")
    return value


def good(form, value, index):
    if form is True:
        return value is True
    if form in (int, INDEX):
        return type(value) is int and (form is int or value < index)
    if not isinstance(value, str):
        return False
    if isinstance(form, int):
        return 1 <= len(value.encode()) <= form and not FORBIDDEN.search(value)
    return rules.has_form(form, value)


def check_form(kind, detail, index, details=DETAILS):
    """The form of the detail of an entry at an index."""
    if not isinstance(detail, dict):
        raise Refused("detail is not an object", "data")
    known = {name.rstrip("?"): (form, not name.endswith("?")) for name, form in details[kind].items()}
    for name, (form, required) in known.items():
        if name in detail and not good(form, detail[name], index) or required and name not in detail:
            raise Refused("%s of %s does not have its form" % (name, kind), "data")
    if set(detail) - set(known):
        raise Refused("unknown member", "data")
    if kind == "read" and ("first" in detail) != ("last" in detail) or detail.get("first", 0) > detail.get("last", 2**53):
        raise Refused("not a range", "data")


CONFIG = {"origin", "keys", "events_created", "events_open", "epoch", "rules", "redaction", "secret_fingerprint", "limits", "previous",
          "verdicts", "require_signatures"}


def check_config(detail):
    """What 1.1 and 9.1 add to the form of a config."""
    if set(detail) - CONFIG:
        raise Refused("unknown member", "data")
    if "verdicts" in detail and (detail["verdicts"] is not True or detail["rules"] < 4):
        raise Refused("verdicts is true, and needs rules 4", "data")
    if "require_signatures" in detail and "verdicts" not in detail:
        raise Refused("unknown member", "data")
    patterns = detail.get("require_signatures", ["a"])
    if not isinstance(patterns, list) or not 1 <= len(patterns) <= 64 or not all(good(256, pattern, 0) for pattern in patterns):
        raise Refused("not patterns of agents", "data")
    never = set(detail.get("redaction", {}).get("private_fields", ())) & set(rules.NEVER_PRIVATE)
    if never and detail["rules"] >= 4:
        raise Refused("%s cannot be private" % min(never), "data")


def check_attributes(event):
    """A structured event, as far as SPEC 3.1 and 3.2 decide about service events (5)."""
    if not isinstance(event, dict):
        raise Refused("not an object")
    event = {name: value for name, value in event.items() if value is not None}
    for name, value in event.items():
        if not rules.has_form("[a-z0-9]{1,64}", name) and name != "data_base64":
            raise Refused("not the name of an attribute", name)
        if name in ("data", "data_base64"):
            continue
        if not isinstance(value, str) or len(value.encode()) > 4096 or FORBIDDEN.search(value):
            raise Refused("not the value of an attribute", name)
    if event.get("specversion") != "1.0":
        raise Refused("specversion is not 1.0", "specversion")
    for name in ("id", "source", "type"):
        if not event.get(name):
            raise Refused("required", name)
    if "time" in event and not rules.has_form(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", event["time"]):
        raise Refused("not a time", "time")
    if event.get("datacontenttype", "-") == "":
        raise Refused("empty", "datacontenttype")
    return event


def service_event(text, role, roles=ROLES):
    """(kind, data) of a service event of a role, of the form that 5 asks for. The detail is not checked."""
    try:
        event = check_attributes(strict(text))
    except ValueError as wrong:
        raise Refused("not strict JSON: %s" % wrong) from None
    kind = event["type"][len("sealstream."):] if event["type"].startswith("sealstream.") else None
    if role not in roles.get(kind, ()):
        raise Refused("not a type that %s may write" % role, "type")
    more = set(event) - {"specversion", "id", "source", "type", "time", "datacontenttype", "data"}
    if more:
        raise Refused("not an attribute of a service event", min(more))
    media = event.get("datacontenttype", "").partition(";")[0].strip(" \t").lower()
    if media not in ("", "application/json", "text/json") and not media.endswith("+json"):
        raise Refused("not JSON", "datacontenttype")
    data = event.get("data")
    if not isinstance(data, dict) or set(data) - {"detail", "text"} or "detail" not in data:
        raise Refused("not the data of a service event", "data")
    said = data.get("text")
    if "text" not in data and kind in REQUIRES_TEXT or \
            "text" in data and not (isinstance(said, str) and 1 <= len(said.encode()) <= 262144):
        raise Refused("text does not have its form", "data")
    return kind, data
