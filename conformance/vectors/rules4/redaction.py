"""A small redaction (SPEC 13, SPEC-rules4 4.4) for the vectors: the patterns and the private fields of a config, and no
built-in set. Data is JSON text without white space."""
import json
import re

import rules

KEPT = ("time", "agentseq", "agentprev", "agentsignature", "action", "outcome", "traceparent", "datasalt", "specversion",
        "redactions")  # SPEC 13.2
SIGNED = re.compile("(?i)agentsignature|dssematerial|actiondigest|actionsalt")  # 4.9
MARK = r"\[REDACTED:[a-z0-9-]{1,40}\]"
MORE = {"kind": "more", "path": ""}


def compact(value):
    """JSON without white space, members in their order. It is how the vectors write events and data."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def kept(name, value, number):
    """Whether an attribute is not redacted (SPEC 13.2, 4.4)."""
    forms = {attribute: form for attribute, form in rules.MOVED.values() if form in (rules.KEY_ID, rules.HASH)}
    forms.update(actionsalt=rules.HASH, signedextattrs="[a-z0-9,]*")
    if name in KEPT or number < 4:
        return name in KEPT
    return rules.unbase64(value) is not None if name == "dssematerial" else rules.has_form(forms.get(name, "(?!)"), value)


class Redaction:
    """The member redaction of a config, or None."""

    def __init__(self, config):
        config = config or {}
        self.private = config.get("private_fields", [])
        self.patterns = [(re.compile(p["match"]), p["kind"]) for p in config.get("patterns", [])]

    def text(self, value, path, found):
        if rules.has_form(MARK, value):
            return value
        for pattern, kind in self.patterns:
            value, times = pattern.subn("[REDACTED:%s]" % kind, value)
            if times and {"kind": kind, "path": path} not in found:
                found.append({"kind": kind, "path": path})
        return value

    def json(self, value, path, found):
        """The strings of a JSON value. The vectors have no secret in the name of a member."""
        if isinstance(value, str):
            return self.text(value, path, found)
        if isinstance(value, dict):
            return {name: self.json(v, path + "/" + name, found) for name, v in value.items()}
        if isinstance(value, list):
            return [self.json(v, "%s/%d" % (path, i), found) for i, v in enumerate(value)]
        return value

    def event(self, attributes, data, number):
        """(attributes, data, what was found) of an event (SPEC 13.2, 13.3)."""
        found = []
        out = {name: value if kept(name, value, number) else self.text(value, "/" + name, found)
               for name, value in sorted(attributes.items())}
        hidden = {name: out.pop(name) for name in self.private if name in out}
        if hidden:
            held = {} if data is None else {"data": json.loads(data)}
            held = compact({**held, "private": dict(sorted(hidden.items()))}).encode()
            if len(held) > 262144:
                found.append({"kind": "private", "path": "/data"})  # the fields are dropped
            else:
                data = held
            found += [{"kind": "private", "path": "/" + name} for name in hidden]
        if data is not None:
            data = compact(self.json(json.loads(data), "/data", found)).encode()
        return out, data, found

    def whole(self, whole):
        """What a rejected entry keeps, and what was found in it (SPEC 13.5)."""
        look, found = whole[:16384], []
        try:
            kept = compact(self.json(json.loads(look) if look == whole else None, "", found)) if look == whole else None
        except ValueError:
            kept = None
        if kept is None:
            kept = self.text(look.decode(errors="ignore"), "", found)
        return (kept.encode() if found else look)[:4096], found


def claimed(value):
    """The list in an attribute redactions, or None if it has another form (SPEC 13.4). The vectors escape nothing."""
    pairs = [item.partition(":") for item in value.split(" ")]
    if any(not rules.has_form("[a-z0-9-]{1,40}", kind) or not colon or not rules.has_form("[!#-$&-~]{0,128}", path)
           for kind, colon, path in pairs):
        return None
    listed = [{"kind": kind, "path": path} for kind, _, path in pairs]
    once = all(pair not in listed[:i] for i, pair in enumerate(listed))
    return listed if once and (len(listed) < 32 or len(listed) == 32 and listed[-1] == MORE) else None


def shorten(found):
    return found if len(found) < 32 else found[:31] + [MORE]
