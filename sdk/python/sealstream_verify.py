#!/usr/bin/env python3
"""Checks what a sealstream log hands out, with nothing but the standard library of Python >= 3.9.
Written from docs/SPEC.md and docs/SPEC-rules4.md alone, so that it shares no mistake with the Go
code; "SPEC 8" is section 8 of the first, and "R4 5" section 5 of the second. An auditor reads this
file, has the log's key from someone other than the log's operator, and runs it with --help.
Exit status: 0 valid, 1 a check failed, 2 wrong use or a file that cannot be read.
"""
import argparse
import base64
import bisect
import calendar
import collections
import functools
import hashlib
import importlib
import importlib.util
import itertools
import json
import pathlib
import re
import sys
import typing
import uuid


Key = typing.Tuple[str, bytes, bytes]  # name, id and public key of a note verifier key


class Wrong(ValueError):
    """What does not hold. kind is its word of SPEC 10.1. None: the kind of the part being read."""

    def __init__(self, why, kind=None):
        super().__init__(why)
        self.kind = kind


def check(condition: object, why: str, kind: typing.Optional[str] = None) -> None:
    """Raises Wrong unless the condition holds."""
    if not condition:
        raise Wrong(why, kind)


# ---- Hashes (SPEC 1).


def sha256(*parts: bytes) -> bytes:
    """The SHA-256 of the parts, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()


def leaf_hash(raw: bytes) -> bytes:
    """The hash of a leaf (SPEC 1, RFC 6962 section 2.1). It is also the entry_hash."""
    return hashlib.sha256(b"\x00" + raw).digest()


def node(left, right):
    """The hash of an inner node (SPEC 1, RFC 6962 section 2.1)."""
    return sha256(b"\x01", left, right)


def perfect(hashes):
    """The root of a perfect tree: the number of its leaves' hashes is a power of two."""
    digest = hashlib.sha256
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2])
        hashes = [digest(b"\x01" + left + right).digest() for left, right in pairs]
    return hashes[0]


# ---- Ed25519 (RFC 8032 section 5.1): verification without cofactor, strict in S, in encodings and
# ---- in the key. Points are extended: (X, Y, Z, T).

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
ZERO = (0, 1, 1, 0)
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)  # a square root of -1


def add(first, second):
    """The sum of two points (RFC 8032 section 5.1.4)."""
    x1, y1, z1, t1 = first
    x2, y2, z2, t2 = second
    a = (y1 - x1) * (y2 - x2) % P
    b = (y1 + x1) * (y2 + x2) % P
    c = 2 * t1 * t2 * D % P
    d = 2 * z1 * z2 % P
    e = b - a
    f = d - c
    g = d + c
    h = b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(factor, point):
    """The point, added to itself so many times."""
    half = times(factor // 2, point) if factor > 1 else ZERO
    double = add(half, half)
    return add(double, point) if factor % 2 else double


def encode(point):
    """The 32 bytes of a point (RFC 8032 section 5.1.2)."""
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    sign = x * inverse % P & 1
    return (y * inverse % P | sign << 255).to_bytes(32, "little")


def decode(raw):
    """The point of 32 bytes, or None if they are not the one canonical encoding of a point
    (RFC 8032 section 5.1.3)."""
    sign, y = divmod(int.from_bytes(raw, "little"), 2**255)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P != 0:
        x = x * ROOT % P
    if len(raw) != 32 or y >= P or (x * x - square) % P != 0 or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def good_key(public):
    """Whether the bytes are a canonical point, and none whose order is 1, 2, 4 or 8."""
    point = decode(public)
    return point is not None and encode(times(8, point)) != encode(ZERO)


@functools.lru_cache(64)  # the pages of a walk are all under one checkpoint
def signed(public, message, signature):
    """Whether S < L and the encoding of [S]B - [k]A is R (RFC 8032 section 5.1.7)."""
    r = signature[:32]
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= L or not good_key(public):
        return False
    x, y, z, t = decode(public)
    minus_key = (P - x, y, z, P - t)
    base = decode(b"\x58" + b"\x66" * 31)
    k = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L
    return encode(add(times(s, base), times(k, minus_key))) == r


# ---- JSON: strict (SPEC 3.2), and canonical as in RFC 8785 (SPEC 2).


def members_once(pairs):
    """The object of these members, none of which may stand twice (SPEC 3.2)."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Wrong("a member name stands twice")
    return members


def no_constant(text):
    """Refuses NaN and Infinity."""
    raise Wrong(text + " is no JSON")


def number(text):
    """A number as its text. It is a tuple, which no kind below accepts."""
    return "number", text


def short_int(text):
    """An integer of at most 16 digits and no sign. Another one stays a text, as fractions do."""
    return int(text) if len(text) <= 16 and text[0] != "-" else number(text)


DECODER = json.JSONDecoder(
    object_pairs_hook=members_once,
    parse_constant=no_constant,
    parse_float=number,
    parse_int=short_int,
)
VALUES = json.JSONDecoder(  # for data: every number stays as it was written
    object_pairs_hook=members_once,
    parse_constant=no_constant,
    parse_float=number,
    parse_int=number,
)
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def parse(raw: bytes) -> typing.Any:
    """The value of a JSON text in UTF-8, whose strings are Unicode."""
    value = DECODER.decode(raw.decode())
    if (b"\\ud" in raw or b"\\uD" in raw) and re.search(rb"\\u[dD][89a-fA-F]", raw):
        canonical(value)  # fails on a lone surrogate
    return value


def canonical(value: object) -> bytes:
    """The one form of a value (SPEC 2, RFC 8785)."""
    return ENCODER.encode(in_order(value)).encode()


def in_order(value):
    """The value, with the members of each object in the order of their UTF-16 code units."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return {name: in_order(value[name]) for name in names}
    if isinstance(value, list):
        return [in_order(item) for item in value]
    return value


def unbase64(text):
    """The bytes of base64 (RFC 4648 section 4). There is one text for them."""
    raw = base64.b64decode(text, validate=True)
    check(base64.b64encode(raw).decode() == text, "not canonical base64")
    return raw


# ---- Kinds: functions that tell whether a value is of the kind.


def instance_of(python_type):
    return lambda value: isinstance(value, python_type)


def matching(pattern):
    matches = re.compile(pattern).fullmatch

    def is_one(value):
        return isinstance(value, str) and matches(value) is not None

    is_one.pattern = pattern
    return is_one


def array(kind, least=0):
    return lambda value: isinstance(value, list) and len(value) >= least and all(map(kind, value))


def object_of(**kinds):
    """An object with these members, each of its kind, and no other."""

    def is_one(value):
        return (
            OBJECT(value)
            and value.keys() == kinds.keys()
            and all(kinds[name](value[name]) for name in value)
        )

    return is_one


def VALUE(value):
    return STRING(value) and value != ""


@functools.lru_cache(64)
def is_day(text):
    """Whether the month of YYYY-MM-DD has this day."""
    _, days = calendar.monthrange(int(text[:4]), int(text[5:7]))
    return 1 <= int(text[8:10]) <= days


def TIME(value):
    """RFC 3339 in UTC, on a day that there is (SPEC 2)."""
    return DATE(value) and is_day(value[:10])


def TIME9(value):
    """A time with nine digits of a second."""
    return DATE9(value) and is_day(value[:10])


def INT(value):
    return type(value) is int and 0 <= value < 2**53  # in Python a bool is an int too


def ONE(value):
    return INT(value) and value == 1


def TRUE(value):
    return value is True


def RULES(value):
    return INT(value) and value in (1, 2, 3, 4)


def EXTENSIONS(value):
    return (
        OBJECT(value)
        and value != {}
        and all(map(NAME, value))
        and all(map(STRING, value.values()))
    )


def STEP(value):
    """A step of a proof: a hash and its side."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and HASH(value[0])
        and value[1] in ("left", "right")
    )


STRING = instance_of(str)
BOOL = instance_of(bool)
OBJECT = instance_of(dict)
HASH = matching("[0-9a-f]{64}")
HEX32 = matching("[0-9a-f]{32}")
KEY_ID = matching("z6Mk[1-9A-HJ-NP-Za-km-z]{44}")
LOG = matching("[a-z0-9-]{1,32}")
NAME = matching("[a-z0-9]{1,64}")
KEY_NAME = matching(r"[^\s+]+")
PUBLISHER = matching(r"[ !#-\[\]-~]{1,256}")
ACTION = matching("allow|deny|audit|quarantine|warning")
OUTCOME = matching("success|failure|denied|error")
SECOND = "[0-9]{4}-(?:0[1-9]|1[0-2])-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
DATE = matching(SECOND + "(?:[.][0-9]+)?Z")
DATE9 = matching(SECOND + "[.][0-9]{9}Z")
PATH = array(STEP)


def need(
    what: str,
    value: typing.Any,
    required: typing.Mapping[str, typing.Any],
    optional: typing.Mapping[str, typing.Any] = {},
) -> typing.Any:
    """The value, an object that has these members, each of its kind, and no other."""
    if not OBJECT(value):
        raise Wrong(what + " is no object")
    for name, part in value.items():
        kind = optional.get(name) or required.get(name)
        if not kind:
            raise Wrong("%s has an unknown member %a" % (what, name))
        if not kind(part):
            raise Wrong("%s has a bad member %a" % (what, name))
    for name in required:
        if name not in value:
            raise Wrong("%s has a missing member %a" % (what, name))
    return value


# ---- The leaf (SPEC 2).

NEEDED = {
    "v": ONE,
    "log": LOG,
    "index": INT,
    "previous_hash": HASH,
    "entry_id": VALUE,
    "timestamp": TIME,
    "received_at": TIME9,
    "event_type": VALUE,
    "agent_did": VALUE,
    "input_epoch": INT,
    "input_seq": INT,
    "position": INT,
}
ALLOWED = {
    "cloudevent_type": VALUE,
    "resource": VALUE,
    "action": ACTION,
    "outcome": OUTCOME,
    "policy_decision": VALUE,
    "matched_rule": VALUE,
    "trace_id": VALUE,
    "session_id": VALUE,
    "target_did": VALUE,
    "agent_seq": INT,
    "agent_prev": HASH,
    "signature": VALUE,
    "detail": OBJECT,
    "extensions": EXTENSIONS,
    "data_hash": HASH,
    "publisher": PUBLISHER,
    "redactions": array(object_of(kind=STRING, path=STRING), 1),
}

# What rules 4 add to a leaf (R4 3): members that are attributes of the event, those that the sealer
# makes, and those that it makes only in a log with verdicts.
MOVED = {
    "principal": ("authid", VALUE),
    "principal_type": ("authtype", VALUE),
    "caused_by": ("causationid", VALUE),
    "policy_version": ("policyversion", VALUE),
    "agent_key": ("agentkey", KEY_ID),
    "action_digest": ("actiondigest", HASH),
    "action_type": ("actiontype", VALUE),
    "approval": ("approvalgrant", HASH),
}
JUDGED = {
    "signature_status": matching(
        "verified|verified_foreign|altered|unknown_key|invalid|revoked|unregistered|replayed"
    ),
    "key_entry": INT,
    "material_key": KEY_ID,
    "approval_status": matching(
        "equivocation|malformed|mismatched|requested|unknown|denied|expired|used|unverified|valid"
    ),
}
OF_EVENTS = {
    **{member: kind for member, (_, kind) in MOVED.items()},
    "record_hash": HASH,
    "altered": TRUE,
    **JUDGED,
}
ALLOWED4 = {**ALLOWED, "blind": HEX32, **OF_EVENTS}
LEAVING = ("actionsalt", "dssematerial")  # attributes that are in the payload record (R4 4.1)
NEVER_PRIVATE = {  # R4 4.4
    *("agentkey", "actiondigest", "approvalgrant", "signedextattrs", "actiontype", "causationid"),
    *LEAVING,
}
MAX_LEAF = 65535  # bytes
MAX_REJECTED = 4096  # bytes that are kept of rejected input
LAST_POSITION = 255  # of an event in its message

# ---- The log's own entries (SPEC 5).

LIMITS = {
    "attribute_bytes": 4096,
    "data_bytes": 262144,
    "data_depth": 32,
    "leaf_bytes": 65535,
    "message_bytes": 921600,
    "message_events": 256,
    "window": 1048576,
}


def IS_LIMITS(value):
    return value == LIMITS


def WITHOUT_VERDICTS(value):
    """No value of a config's verdicts (R4 1.1) is known here."""
    raise Wrong("the config has verdicts: this log needs a newer release of the verifier")


FORBIDDEN = re.compile(  # characters, beside those at the end of each plane (SPEC 3.1)
    "[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef]"
).search


def short_text(most):
    """A text of 1 to so many bytes of UTF-8, of the characters that SPEC 3.1 allows (R4 5)."""

    def is_one(value):
        return (
            STRING(value)
            and 1 <= len(value.encode()) <= most
            and not FORBIDDEN(value)
            and not any(ord(char) & 0xFFFE == 0xFFFE for char in value)
        )

    return is_one


def PATTERN(value):
    """A pattern of redaction (SPEC 5.1)."""
    need("a pattern", value, {"kind": VALUE, "match": VALUE}, {"contains": VALUE})
    return True


def REDACTION(value):
    """The redaction that a config names: a set, and rules of the log's own (SPEC 5.1)."""
    own = {
        "hash": HASH,
        "names": array(object_of(kind=VALUE, name=VALUE), 1),
        "private_fields": array(VALUE, 1),
        "patterns": array(PATTERN, 1),
    }
    need("redaction", value, {"set": INT}, own)
    return True


class Own:
    """A type of the log's own entries: the members that its detail must and may have, and a
    function that tells whether leaf and detail fit each other."""

    def __init__(self, required, optional, fits):
        self.required = required
        self.optional = optional
        self.fits = fits


def config_fits(leaf, detail):
    """SPEC 5.1."""
    if detail["rules"] < 1 + ("redaction" in detail):
        return False
    private = detail.get("redaction", {}).get("private_fields", ())
    if detail["rules"] >= 4 and NEVER_PRIVATE.intersection(private):
        return False
    if leaf["index"] == 0:
        return "previous" not in detail and detail["epoch"] == 1
    return "previous" in detail


def rejected_fits(leaf, detail):
    """SPEC 5.2."""
    whole = "redactions" not in leaf and detail["size"] <= MAX_REJECTED
    return "data_hash" in leaf and (not whole or detail["digest"] == leaf["data_hash"])


def duplicate_fits(leaf, detail):
    """SPEC 5.3."""
    earlier = all(original["index"] < leaf["index"] for original in detail["originals"])
    return "publisher" not in leaf and earlier


def equivocation_fits(leaf, detail):
    """SPEC 5.4."""
    return detail["original"] < leaf["index"]


def gap_fits(leaf, detail):
    """SPEC 5.5."""
    return detail["from"] <= detail["to"] == leaf["input_seq"] and leaf["position"] == 0


def epoch_fits(leaf, detail):
    """SPEC 5.6."""
    begin = (leaf["input_epoch"], leaf["input_seq"], leaf["position"])
    return (detail["epoch"], 0, 0) == begin


def control_fits(leaf, detail):
    """SPEC 5.6."""
    return detail["epoch"] == leaf["input_epoch"]


def erasure_fits(leaf, detail):
    """SPEC 5.7: the indexes ascend, and are of entries before this one."""
    indexes = detail["indexes"] + [leaf["index"]]
    return indexes == sorted(set(indexes))


def service_fits(leaf, detail):
    """R4 5: a service of a role wrote it, under rules 4."""
    return "blind" in leaf and detail["role"] in ("ingest", "query", "alert")


def access_fits(leaf, detail):
    """R4 5.1."""
    earlier = detail.get("previous", -1) < leaf["index"]
    return service_fits(leaf, detail) and earlier and "data_hash" in leaf


def read_fits(leaf, detail):
    """R4 5.2."""
    earlier = detail.get("access", -1) < leaf["index"]
    both = ("first" in detail) == ("last" in detail)
    ascends = detail.get("first", 0) <= detail.get("last", 2**53)
    return service_fits(leaf, detail) and earlier and both and ascends and "publisher" in leaf


EPOCH = {
    "epoch": INT,
    "events_created": TIME9,
    "reason": STRING,
    "after": object_of(input_epoch=INT, input_seq=INT, size=INT, root=HASH),
}
CONFIG = {
    "origin": VALUE,
    "keys": array(STRING, 1),
    "events_created": TIME9,
    "events_open": BOOL,
    "epoch": INT,
    "rules": RULES,
    "secret_fingerprint": HEX32,
    "limits": IS_LIMITS,
}
ORIGINAL = object_of(index=INT, position=INT)
OWN = {
    "config": Own(
        CONFIG,
        {"previous": INT, "redaction": REDACTION, "verdicts": WITHOUT_VERDICTS},
        config_fits,
    ),
    "rejected": Own(
        {"reason": STRING, "digest": HASH, "size": INT, "subject": STRING},
        {"field": VALUE},
        rejected_fits,
    ),
    "duplicate": Own({"originals": array(ORIGINAL, 1)}, {}, duplicate_fits),
    "equivocation": Own(
        {"entry_id": VALUE, "event_type": VALUE, "original": INT}, {}, equivocation_fits
    ),
    "gap": Own({"from": INT, "to": INT}, {}, gap_fits),
    "epoch": Own(EPOCH, {}, epoch_fits),
    "control": Own(EPOCH, {}, control_fits),
    "erasure": Own(
        {"indexes": array(INT), "reason": STRING, "authority": STRING}, {}, erasure_fits
    ),
    "access": Own({"role": VALUE, "process": short_text(256)}, {"previous": INT}, access_fits),
    "read": Own(
        {
            "role": VALUE,
            "call": short_text(64),
            "kind": matching("export|payload|admin"),
            "route": short_text(256),
        },
        {"access": INT, "count": INT, "first": INT, "last": INT, "size": INT},
        read_fits,
    ),
}
OF_SERVICES = ("access", "read")
MAX_TEXT = 262144  # bytes of the data of what a service wrote
FIXED = ("origin", "limits", "secret_fingerprint")  # what no later config changes
NAMESPACE = uuid.UUID("6f8f8e0e-6f0c-5c0e-9d0a-7365616c7374")


# Nearly every leaf is that of an event whose texts need no escape. One pattern tells of such a leaf
# all that read_any_leaf and check_own check, but for days, the names of extensions and the log:
# each member is of its kind, none is unknown or twice, and the form is canonical. That makes
# reading a log much faster. Whatever the pattern does not match is read the long way.

SHOWN = (  # what the pattern takes out of a leaf, in the order of canonical JSON
    *("action", "agent_did", "data_hash", "entry_id", "event_type", "extensions", "index", "log"),
    *("matched_rule", "outcome", "policy_decision", "previous_hash", "received_at", "record_hash"),
    *("resource", "session_id", "target_did", "timestamp", "trace_id"),
)
SHOWN3 = tuple(name for name in SHOWN if name != "record_hash")  # before rules 4
LEFT_OVER = {*LEAVING, "redactions", *(attribute for attribute, _ in MOVED.values())}
TEXT = r'[^"\\\x00-\x1f]'  # characters that need no escape
PLAIN_KINDS = {VALUE: '"(%s+)"' % TEXT, INT: "(0|[1-9][0-9]{0,14})", ONE: "(1)"}
PLAIN_MEMBERS = {
    "event_type": '"((?!sealstream[."])%s+)"' % TEXT,
    "extensions": r"(\{T:T(?:,T:T)*\})".replace("T", '"%s*"' % TEXT),
    "redactions": r'(\[\{"kind":T,"path":T\}(?:,\{"kind":T,"path":T\})*\])'.replace(
        "T", '"%s*"' % TEXT
    ),
}


def plain_member(name, kind, required):
    """The pattern of a member and of the comma behind it, which v has not: v is the last."""
    value = PLAIN_MEMBERS.get(name) or PLAIN_KINDS.get(kind) or '"(%s)"' % kind.pattern
    if name not in SHOWN:
        value = value.replace("(", "(?:", 1)
    member = '"%s":%s%s' % (name, value, "," * (name != "v"))
    return member if required else "(?:%s|)" % member


def plain_pattern(allowed, *more):
    """The pattern of those leaves, whose members stand in the order of their names. Those in more
    are required, too. Members that depend on others have no pattern."""
    kinds = {**NEEDED, **allowed, "timestamp": DATE, "received_at": DATE9}
    for name in {"detail", "altered", "key_entry"} & kinds.keys():
        del kinds[name]
    required = {*NEEDED, "cloudevent_type", *more}
    members = [plain_member(name, kinds[name], name in required) for name in sorted(kinds)]
    return re.compile(r"\{%s\}" % "".join(members)).fullmatch


PLAIN_LEAF = plain_pattern(ALLOWED)
PLAIN_LEAF4 = plain_pattern(ALLOWED4, "blind")


def read_plain(text):
    """The members SHOWN of a leaf that the pattern matches, as their text, and None for those that
    it has not. None for another leaf: that is to be read the long way."""
    found = PLAIN_LEAF(text)
    new = not found
    if new:
        found = PLAIN_LEAF4(text)
    if not found:
        return None
    shown = dict(zip(SHOWN if new else SHOWN3, found.groups()))
    shown.setdefault("record_hash")
    if not is_day(shown["timestamp"][:10]) or not is_day(shown["received_at"][:10]):
        return None
    if shown["extensions"]:
        extensions = json.loads(shown["extensions"])
        if canonical(extensions).decode() != shown["extensions"] or not EXTENSIONS(extensions):
            return None
        if new and not LEFT_OVER.isdisjoint(extensions):
            return None
    shown["index"] = int(shown["index"])
    return shown


def show(leaf: typing.Mapping[str, typing.Any]) -> typing.Dict[str, typing.Any]:
    """The members SHOWN of a leaf, as read_plain has them."""
    shown = {name: leaf.get(name) for name in SHOWN}
    if "extensions" in leaf:
        shown["extensions"] = canonical(leaf["extensions"]).decode()
    return shown


def read_leaf(raw):
    """The members of a leaf, and which of the log's own entries it is, or None (SPEC 2, SPEC 10
    item 1)."""
    check(len(raw) <= MAX_LEAF, "the leaf is longer than 65,535 bytes")
    text = raw.decode()
    return (json.loads(text), None) if read_plain(text) else read_any_leaf(raw)


def read_any_leaf(raw):
    """As read_leaf, the long way."""
    leaf = parse(raw)
    new = OBJECT(leaf) and "blind" in leaf
    need("the leaf", leaf, NEEDED, ALLOWED4 if new else ALLOWED)
    check(canonical(leaf) == raw, "the leaf is not in canonical form")
    prefix, _, kind = leaf["event_type"].partition(".")
    if prefix != "sealstream":
        kind = None
    known = kind is None or kind in OWN
    check(known, "the log has no entries of type " + ascii(leaf["event_type"]))
    fits = ("detail" in leaf) == (kind is not None)
    check(fits, "detail is for the log's own entries, and for all of them")
    if kind:
        need("the detail", leaf["detail"], OWN[kind].required, OWN[kind].optional)
    if new:
        check_rules4(leaf, kind)
    return leaf, kind


def check_rules4(leaf, kind):
    """What the form of a leaf under rules 4 is beside its members (R4 3, 4.1 and 6)."""
    own = kind not in (None, "equivocation")
    check(not own or OF_EVENTS.keys().isdisjoint(leaf), "a member is for the entries of events")
    fits = "key_entry" not in leaf or "signature_status" in leaf
    check(fits, "key_entry stands only beside signature_status")
    if "altered" in leaf:
        fits = "redactions" in leaf and "signature" not in leaf and "record_hash" not in leaf
        check(fits, "an altered event has redactions, and neither signature nor record_hash")
    extensions = leaf.get("extensions", {})
    for member, (attribute, kind_of) in MOVED.items():
        if attribute in extensions:
            fits = member not in leaf and not kind_of(extensions[attribute])
            check(fits, "the extension %s is the member %s" % (attribute, member))
    for attribute in LEAVING:
        check(not extensions.get(attribute), "the extension %s is in the record" % attribute)
    told = "redactions" in extensions and is_list_of_redactions(extensions["redactions"])
    check(not told, "the extension redactions is the member redactions")


REDACTED_BEFORE = re.compile("([a-z0-9-]{1,40}):((?:[!#$&-~]|%[0-9A-F]{2})*)").fullmatch
MOST_REDACTED = 31  # elements, and one that stands for the rest


def is_list_of_redactions(text):
    """Whether a sender's attribute redactions has its form (SPEC 13.4): pairs of kind and path,
    each once, in the one way to write them."""
    pairs = []
    for item in text.split(" "):
        found = REDACTED_BEFORE(item)
        if not found:
            return False
        try:
            path = re.sub(b"%(..)", lambda code: bytes.fromhex(code[1].decode()), found[2].encode())
            path = path.decode()
        except ValueError:
            return False
        allowed = path == "" or short_text(128)(path)
        if not allowed or percent_encoded(path) != found[2] or (found[1], path) in pairs:
            return False
        pairs.append((found[1], path))
    whole = len(pairs) <= MOST_REDACTED
    return whole or len(pairs) == MOST_REDACTED + 1 and pairs[-1] == ("more", "")


def percent_encoded(text):
    """A text as binary mode writes it (SPEC 3.2)."""
    plain = re.compile(rb"[^!#$&-~]")
    return plain.sub(lambda byte: b"%%%02X" % byte[0][0], text.encode()).decode()


def check_log(leaf, origin):
    """That a leaf is of the log of an origin (SPEC 8)."""
    same = leaf["log"] == log_of(origin)
    check(same, "the leaf is of another log than the checkpoint", "other-log")


@functools.lru_cache(64)
def log_of(origin):
    """The name of the log of an origin: the part before the last. None: it has no such part."""
    return next(iter(origin.split("/")[-2:-1]), None)


def check_own(leaf, kind, origin):
    """What a leaf must say of its log, and an entry of the log's own of itself (SPEC 5, SPEC 10
    items 2 and 6)."""
    check_log(leaf, origin)
    fits = ("cloudevent_type" in leaf) == (kind in (None, "equivocation"))
    check(fits, "cloudevent_type is for the entries of events")
    if not kind:
        return
    fits = OWN[kind].fits(leaf, leaf["detail"])
    check(fits, "the detail of the %s entry does not fit the leaf" % kind)
    place = [str(leaf[part]) for part in ("log", "input_epoch", "input_seq", "position")]
    name = "/".join(place) + "/" + kind
    own_id = str(uuid.uuid5(NAMESPACE, name))
    check(leaf["entry_id"] == own_id, "entry_id is not the UUIDv5 of " + name)
    if kind == "config":
        check_config(leaf, origin)
    if kind != "equivocation":
        same = leaf["agent_did"] == origin
        check(same, "agent_did is not the log's origin", "other-log")
        check(leaf["timestamp"] == leaf["received_at"], "timestamp is not received_at")


def check_config(leaf, origin):
    """The origin and the keys of a config (SPEC 5.1, SPEC 8). An origin ends with the log's name
    and with what the first key of index 0 hashes to."""
    detail = leaf["detail"]
    keys = [read_key(key) for key in detail["keys"]]
    if leaf["index"] == 0:
        _, _, public = keys[0]
        ident = sha256(public).hex()[:8]
    else:
        ident = origin[-8:]
    tail = "/%s/%s" % (leaf["log"], ident)
    same = detail["origin"] == origin and origin.endswith(tail) and origin != tail
    check(same, "the origin is not the log's", "other-log")
    check(all(name == origin for name, _, _ in keys), "a key has another name than the log")


# ---- The data beside an entry (SPEC 7).


CONTROLS = re.compile(b"[\x00-\x08\x0b\x0c\x0e-\x1f]").search


def is_plain(data):
    """Whether data is written as text, and not in base64 (SPEC 7)."""
    return not CONTROLS(data) and data.decode(errors="ignore").encode() == data


BESIDE = {"action_salt": VALUE, "dssematerial": VALUE}  # R4 4.3
RECORD = {"data_raw": STRING, "data_base64": STRING, "salt": HASH, **BESIDE}


def has_record(leaf):
    """Whether an entry has a payload record (SPEC 7, R4 4.3)."""
    return bool(leaf.get("data_hash") or leaf.get("record_hash"))


def open_data(line, leaf):
    """Whether the members hold a payload record, which must then open data_hash and record_hash
    (SPEC 1, 7, R4 4.3). Those of RECORD were found to be of their kinds."""
    if RECORD.keys().isdisjoint(line):
        return False
    salt = line.get("salt")
    check(salt is not None, "the record has a missing member 'salt'")
    beside = {name: line[name] for name in BESIDE if name in line}
    complete = bool(beside) == bool(leaf.get("record_hash"))
    check(complete, "what is beside the data and record_hash do not go together")
    if beside:
        commitment = sha256(b"\x03", bytes.fromhex(salt), canonical(beside)).hex()
        check(commitment == leaf["record_hash"], "the record does not open record_hash")
    raw, encoded = line.get("data_raw"), line.get("data_base64")
    if beside and raw is encoded is leaf.get("data_hash") is None:
        return True
    complete = (raw is None) != (encoded is None) and leaf.get("data_hash")
    check(complete, "data, salt and data_hash do not go together")
    data = raw.encode() if encoded is None else unbase64(encoded)
    commitment = sha256(b"\x02", bytes.fromhex(salt), data).hex()
    check(commitment == leaf["data_hash"], "the data does not open data_hash")
    right = not CONTROLS(data) if encoded is None else not is_plain(data)  # a text is UTF-8
    check(right, "data_base64 is for the data that is no plain text, and for no other")
    if leaf["event_type"] == "sealstream.rejected":
        check_rejected_data(data, leaf)
    if leaf["event_type"] in ["sealstream." + kind for kind in OF_SERVICES]:
        fits = 1 <= len(data) <= MAX_TEXT and data.decode(errors="ignore").encode() == data
        check(fits, "the data is no text of a service")
    return True


def check_rejected_data(data, leaf):
    """SPEC 5.2. Where data was redacted, what is kept is not what came, and has another size."""
    whole = len(data) if "redactions" in leaf else leaf["detail"]["size"]
    kept = len(data) == whole or len(data) == MAX_REJECTED < whole
    check(kept, "a rejected entry keeps the first 4,096 bytes")
    check(len(data) <= MAX_REJECTED, "a rejected entry keeps more than 4,096 bytes")


# ---- Trees (SPEC 1 and 8, RFC 6962 section 2.1).


def append(roots, size, root):
    """Adds leaf number size to the roots of the perfect subtrees of the leaves before it, largest
    first."""
    while size % 2:
        root = node(roots.pop(), root)
        size //= 2
    roots.append(root)


def fold(roots):
    """The root of the tree of these perfect subtrees."""
    if not roots:
        return sha256()
    return functools.reduce(lambda right, left: node(left, right), reversed(roots))


def sides(index, size):
    """Where RFC 6962 has the siblings of a leaf, from leaf to root."""
    if size <= 1:
        return []
    half = 1 << ((size - 1).bit_length() - 1)
    if index >= half:
        return sides(index - half, size - half) + ["left"]
    return sides(index, half) + ["right"]


def climb(root: bytes, path: typing.Iterable[typing.Sequence[str]]) -> bytes:
    """The root to which a path of [sibling, side] leads from a hash."""
    for sibling, side in path:
        other = bytes.fromhex(sibling)
        root = node(other, root) if side == "left" else node(root, other)
    return root


def check_inclusion(raw, index, path, size, root):
    """Checks that a path proves a leaf at an index of a tree (SPEC 8, RFC 6962 section 2.1.1)."""
    right = index < size and [side for _, side in path] == sides(index, size)
    check(right, "sides or number of the steps are not the index's")
    check(climb(leaf_hash(raw), path) == root, "the proof does not lead to the root")


def check_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, hashes: typing.Iterable[bytes]
) -> None:
    """Checks that the tree of size old is a prefix of that of size new (SPEC 8, RFC 6962 section
    2.1.2): both roots are made from the proof, as SUBPROOF takes it apart."""
    check(0 <= old <= new, "not the sizes of a consistency proof")
    rest = list(hashes)

    def take():
        check(rest, "the consistency proof is too short")
        return rest.pop(0)

    def subproof(m, n, whole):
        if m == n:
            both = old_root if whole else take()
            return both, both
        k = 1 << ((n - 1).bit_length() - 1)
        if m <= k:
            left_old, left_new = subproof(m, k, whole)
            return left_old, node(left_new, take())
        right_old, right_new = subproof(m - k, n - k, False)
        left = take()
        return node(left, right_old), node(left, right_new)

    roots = subproof(old, new, True) if old else (sha256(), new_root)
    check(not rest, "the consistency proof is too long")
    check(roots == (old_root, new_root), "the consistency proof does not lead to the roots")


def check_batch(indexes, leaves, size, hashes, root):
    """Checks that the hashes prove the leaves at some indexes, which rise (SPEC 8.1)."""
    rises = all(low < high for low, high in zip(indexes, indexes[1:]))
    check(rises and 0 < size, "the indexes of the entries do not rise")
    check(not indexes or indexes[-1] < size, "an entry is beyond the tree")
    rest = iter(hashes)

    def subtree(low, high, first, last):
        """The root of a range of leaves, of which those numbered first to last-1 are shown."""
        if first == last:
            found = next(rest, None)
            check(found, "the batch proof is too short")
            return found
        width = high - low
        if last - first == width and width & (width - 1) == 0:
            return perfect(leaves[first:last])
        middle = low + (1 << ((high - low - 1).bit_length() - 1))
        split = bisect.bisect_left(indexes, middle, first, last)
        left = subtree(low, middle, first, split)
        return node(left, subtree(middle, high, split, last))

    same = subtree(0, size, 0, len(indexes)) == root
    check(next(rest, None) is None, "the batch proof is too long")
    check(same, "the batch proof does not lead to the root")


# ---- Keys, notes and checkpoints (SPEC 8; c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

UNSIGNED = "not signed by the key that you gave"
UNNAMED = "not signed by a key that the log's config names"
MAX_NOTE = 16384  # bytes
MAX_SIGNATURES = 100


def three(text, separator):
    """The first three parts of a text. Those that are missing are empty."""
    return (text.split(separator, 2) + ["", ""])[:3]


def read_key(vkey: str) -> Key:
    """The (name, id, public key) of a note verifier key for Ed25519."""
    name, ident, rest = three(vkey, "+")
    raw = unbase64(rest)
    good = KEY_NAME(name) and raw[:1] == b"\x01" and good_key(raw[1:])
    check(good, "not a note verifier key for Ed25519")
    own = sha256(name.encode(), b"\n", raw)[:4].hex()
    check(own == ident, "the id in a verifier key is not the key's")
    return name, bytes.fromhex(ident), raw[1:]


def open_note(note, keys):
    """The lines of a note, and the names of the keys that signed it. A signature by a key that is
    not known is passed over (c2sp.org/signed-note)."""
    text, blank, lines = note.decode().rpartition("\n\n")
    controls = re.search(b"[\x00-\x09\x0b-\x1f]", note)
    check(blank and lines.endswith("\n") and not controls, "not a signed note")
    fits = len(note) <= MAX_NOTE and lines.count("\n") <= MAX_SIGNATURES
    check(fits, "a note of more than 16,384 bytes or 100 signatures")
    names = set()
    seen = set()
    for line in lines[:-1].split("\n"):
        name, encoded, raw = read_signature(line)
        this = (name, raw[:4])
        for key_name, ident, public in keys:
            if (key_name, ident) == this and this not in seen:
                good = unbase64(encoded) and signed(public, text.encode() + b"\n", raw[4:])
                check(good, UNSIGNED + ": the signature of %s is wrong" % name)
                names.add(name)
        seen.add(this)  # of several lines of one key the first counts
    return text.split("\n"), names


def read_signature(line):
    """The name of the key in a signature line, its base64 as text, and decoded
    (c2sp.org/signed-note)."""
    dash, name, encoded = three(line, " ")
    raw = base64.b64decode(encoded, validate=True)
    formed = dash == "\u2014" and KEY_NAME(name) and len(raw) > 4 and len(encoded) % 4 == 0
    check(formed, "a signature line is malformed")
    return name, encoded, raw


def read_checkpoint(
    note: bytes,
    keys: typing.Optional[typing.Sequence[Key]],
    result: typing.Dict[str, typing.Any],
    why: str = UNSIGNED,
) -> typing.Tuple[str, int, bytes]:
    """The (origin, size, root) of a checkpoint that a key named by its origin has signed (SPEC 8).
    With keys of None the signatures are checked later."""
    try:
        lines, names = open_note(note, keys or [])
        formed = len(lines) == 3 and re.fullmatch("0|[1-9][0-9]{0,15}", lines[1])
        check(formed, "not a checkpoint of three lines")
        check(keys is None or lines[0] in names, why)
        origin = lines[0]
        size = int(lines[1])
        root = unbase64(lines[2])
        fits = INT(size) and len(root) == 32
        check(fits, "the size is beyond 2^53-1, or the root is not of 32 bytes")
    except ValueError as bad:
        raise Wrong(str(bad), "not-signed")
    checked = result["checked"] + collections.Counter(checkpoints=1)
    result.update(tree_size=size, root=root.hex(), note=note, checked=checked)
    return origin, size, root


def check_statement(
    note: str, kind: str, document: typing.Mapping[str, typing.Any], keys: typing.Sequence[Key]
) -> str:
    """Checks that one of the keys has signed a document of a kind (SPEC 8.2), whose signature is
    empty here. Returns the key's name."""
    lines, names = open_note(note.encode(), keys)
    check(names, UNSIGNED, "not-signed")
    digest = sha256(canonical(document)).hex()
    same = lines == ["sealstream-statement/v1", kind, digest]
    check(same, "what was signed is not this " + kind, "altered")
    return min(names)


def read_note(path):
    """A file's note, without the empty lines that editors and shells leave behind it."""
    raw = path.read_bytes()
    end = len(raw.rstrip(b" \t\r\n"))
    return raw[: end + 1] if raw[end : end + 1] == b"\n" else raw


Beside = collections.namedtuple("Beside", "path note origin size root")


class Known:
    """Checkpoints beside a log (SPEC 10.1). Which keys count is known at the end. What contradicts
    the log is kept until then."""

    def __init__(self, paths, keys, result):
        self.given = keys
        self.result = result
        self.against = []
        apart = {**result}  # none of them is the log's own checkpoint
        self.all = []
        for path in paths:
            note = read_note(path)
            self.all.append(Beside(path, note, *read_checkpoint(note, None, apart)))
        self.all.sort(key=lambda one: one.size)
        counted = collections.Counter(checkpoints=len(self.all))
        result["checked"] = result["checked"] + counted

    def at(self, size, roots):
        """Compares those of a size, once the tree has it."""
        for one in self.all:
            if one.size == size and one.root != fold(roots):
                self.against.append(one)

    def signed(self, one, origin, keys):
        """Checks that one of the keys has signed it, and that it is of the log."""
        why = "%s: %s" % (one.path, UNSIGNED if self.given else UNNAMED)
        read_checkpoint(one.note, keys, {**self.result}, why)
        check(one.origin == origin, "%s is of another log" % one.path, "other-log")

    def rewritten(self, one):
        """Says that one contradicts the log."""
        self.result["first_bad_index"] = max(one.size, 1) - 1
        raise Wrong("%s tells another history of the log" % one.path, "rewritten")

    def broken(self, origin):
        """A log fails by itself: what contradicts it before that index, and is signed by a given
        key, comes first."""
        for one in self.against:
            if max(one.size, 1) - 1 < (self.result["first_bad_index"] or 0):
                try:
                    self.signed(one, origin, self.given or [])
                except ValueError:
                    continue
                self.rewritten(one)

    def settle(self, origin, size, named):
        """A log is whole by itself: every signature first, then the roots, then the sizes."""
        self.result["first_bad_index"] = 0
        for one in self.all:
            self.signed(one, origin, (self.given or []) + named)
        for one in self.against:
            self.rewritten(one)
        self.result["first_bad_index"] = size
        for one in self.all:
            why = "%s has %d entries, the log here %d" % (one.path, one.size, size)
            check(one.size <= size, why, "cut")


# ---- Exports (SPEC 9, 10).

LINE = {**RECORD, "data_error": STRING, "merkle_proof": PATH}  # beside leaf


def FILTERS(value):
    """The filters of an export: of each name a list of texts (SPEC 9)."""
    return OBJECT(value) and all(map(array(STRING), value.values()))


MANIFEST = {
    "sealstream_export": ONE,
    "log": LOG,
    "origin": STRING,
    "count": INT,
    "size": INT,
    "root": HASH,
    "checkpoint": STRING,
    "filters": FILTERS,
}
LONGEST_LINE = 1 << 23  # bytes


class Input:
    """Whether entries account for all input, message by message (SPEC 10 item 3)."""

    def __init__(self):
        self.begin(1)

    def begin(self, epoch):
        """Begins an epoch, in which no message was read."""
        self.epoch = epoch
        self.seq = 0  # of the message being read
        self.fresh = True  # no message of the epoch was read
        self.next_position = 0
        self.left_out = []  # positions that the message's duplicate entry must name
        self.closed = True  # no entry of the message may follow

    def account(self, index, leaf, kind, root):
        """Takes the entry of an index. root is that of the tree before it. The last message before
        an epoch, or before the end, may break off anywhere."""
        detail = leaf.get("detail")
        epoch = self.epoch + (kind == "epoch")
        why = "input_epoch is %d, not %d" % (leaf["input_epoch"], epoch)
        check(leaf["input_epoch"] == epoch, why)
        if kind == "epoch":
            after = {"input_epoch": self.epoch, "input_seq": self.seq, "size": index, "root": root}
            same = detail["after"] == after
            check(same, "after is not the last position and tree before the epoch")
            self.begin(epoch)
            return
        if kind == "gap" or self.fresh or leaf["input_seq"] != self.seq:
            self.next_message(leaf, detail["from"] if kind == "gap" else leaf["input_seq"])
        position = leaf["position"]
        last = LAST_POSITION + (kind == "duplicate")
        follows = not self.closed and self.next_position <= position <= last
        check(follows, "position %d cannot follow" % position)
        self.left_out += range(self.next_position, position)
        self.next_position = position + 1
        self.closed = kind in ("gap", "duplicate")
        if kind == "duplicate":
            named = [original["position"] for original in detail["originals"]]
            check(named == self.left_out, "originals are not the positions left out")
            self.left_out = []

    def next_message(self, leaf, first):
        """Begins another message. first is the first sequence that the entry accounts for."""
        check(not self.left_out, "a position of the message before is in no entry")
        follows = self.fresh or first == self.seq + 1
        check(follows, "input_seq %d does not follow %d" % (first, self.seq))
        self.seq = leaf["input_seq"]
        self.fresh = False
        self.next_position = 0
        self.closed = False


def check_data_error(line, opened):
    """SPEC 9: data_error says why the data is not there."""
    right = "data_error" not in line or (line["data_error"] and not opened)
    check(right, "data_error is a text that stands in place of the data")


class Export:
    """The checks of SPEC 10, entry by entry. Of the entries it keeps only the indexes of those
    whose data is missing."""

    def __init__(self, whole, head, keys, result):
        self.whole = whole
        self.head = head
        self.keys = keys
        self.result = result
        self.missing = set()  # indexes
        self.found = [0, None, None]  # count, first and last index
        self.last_hash = bytes(32)
        self.roots = []  # of the tree so far
        self.input = Input()
        self.config = None  # index of the newest config
        self.fixed = None  # what it must not change
        self.rules = 1
        self.redacts = False
        self.access = {}  # index of the newest access entry of each role
        self.epochs = []  # that the next config may name
        self.named = []  # keys of the newest config
        self.ever = []  # keys of all configs

    def take(self, raw_line):
        """Checks the next line (SPEC 10 items 1, 2, 4 and 5)."""
        count, first, last = self.found
        origin, size, root = self.head
        self.result["first_bad_index"] = count if self.whole else None
        check(count < size, "there are more entries than the tree has")
        line = need("the line", parse(raw_line), {"leaf": STRING}, LINE)
        raw = line["leaf"].encode()
        leaf, kind = read_leaf(raw)
        index = count if self.whole else leaf["index"]
        self.result["first_bad_index"] = index
        check_own(leaf, kind, origin)
        ascends = index == leaf["index"] and (last is None or last < index)
        check(ascends, "index %d follows %s" % (leaf["index"], last))
        if index == (0 if last is None else last + 1):
            same = leaf["previous_hash"] == self.last_hash.hex()
            check(same, "previous_hash is not the hash of the entry before")
        fits = ("merkle_proof" in line) != self.whole
        check(fits, "merkle_proof is for exports with filters, and always there")
        opened = open_data(line, leaf)
        check_data_error(line, opened)
        absent = has_record(leaf) and not opened
        if absent:
            self.missing.add(index)
        if self.whole:
            self.follow(index, leaf, kind)
            append(self.roots, index, leaf_hash(raw))
        else:
            check_inclusion(raw, index, line["merkle_proof"], size, root)
        self.found = [count + 1, first if count else index, index]
        self.last_hash = leaf_hash(raw)
        self.result["checked"].update(
            entries=1, own_entries=kind is not None, data_opened=opened, data_absent=absent
        )

    def follow(self, index, leaf, kind):
        """What only a whole export shows: that nothing is missing between the entries (SPEC 10)."""
        detail = leaf.get("detail")
        check(index or kind == "config", "the entry at index 0 is no config")
        self.follow_rules4(index, leaf, kind)
        self.input.account(index, leaf, kind, fold(self.roots).hex())
        if kind == "erasure":
            self.missing.difference_update(detail["indexes"])
        elif kind == "epoch":
            self.epochs.append([detail["epoch"], detail["events_created"]])
        elif kind == "config":
            self.follow_config(index, detail)

    def follow_rules4(self, index, leaf, kind):
        """What the config before an entry, and the access entries, decide (R4 6)."""
        check(("blind" in leaf) == (self.rules >= 4), "blind is for all entries under rules 4")
        check(self.redacts or "altered" not in leaf, "altered, but the config redacts nothing")
        check(JUDGED.keys().isdisjoint(leaf), "a verdict, but the config has no verdicts")
        if kind == "access":
            role = leaf["detail"]["role"]
            same = leaf["detail"].get("previous") == self.access.get(role)
            check(same, "previous is not the newest access entry of the role")
            self.access[role] = index

    def follow_config(self, index, detail):
        """That a config changes only what SPEC 5.1 lets it."""
        fixed = [detail[name] for name in FIXED]
        epoch = [detail["epoch"], detail["events_created"]]
        check(detail.get("previous") == self.config, "previous is not the newest config")
        if index:
            same = fixed == self.fixed and detail["rules"] >= self.rules and epoch in self.epochs
            check(same, "the config changes what it may not")
        self.config = index
        self.fixed = fixed
        self.rules = detail["rules"]
        self.redacts = "redaction" in detail
        self.epochs = [epoch]  # the next config has it, or that of an epoch entry after it
        idents = {ident for _, ident, _ in map(read_key, detail["keys"])}
        distinct = len(idents) == len(detail["keys"])
        handed_on = distinct and set(detail["keys"]) & set(self.named)
        if index and detail["keys"] != self.named:
            check(handed_on, "the config changes keys without an overlap")
        self.named = detail["keys"]
        self.ever += map(read_key, detail["keys"])

    def finish(self, manifest):
        """The checks after the last entry (SPEC 10). Returns what to say then."""
        origin, size, root = self.head
        count, _, last = self.found
        result = self.result
        result["first_bad_index"] = last
        named = [manifest.get(name) for name in ("count", "first", "last")]
        why = "%d entries, the count of the manifest is %d" % (count, manifest["count"])
        check(count >= manifest["count"], why, "cut")
        check(named == self.found, "count, first or last is not the manifest's")
        if not self.whole:
            said = "%d of the %d entries of %s; that no other fits the filters is not proven"
            return said % (count, size, origin)
        result["first_bad_index"] = count
        why = "%d entries; manifest %d, checkpoint %d" % (count, manifest["size"], size)
        check(count == manifest["size"], why, "cut")
        result["first_bad_index"] = max(count, 1) - 1  # the entries before it are chained to it
        check(count, "a log has at least its config", "cut")
        same = fold(self.roots).hex() == manifest["root"]
        check(same, "the root of the leaves is not the manifest's")
        result["first_bad_index"] = 0
        self.in_force(manifest["checkpoint"].encode())
        same = (count, fold(self.roots)) == (size, root)
        check(same, "size or root is not the checkpoint's", "not-signed")
        result["first_bad_index"] = min(self.missing, default=None)
        check(not self.missing, "the data is missing and no erasure names it")
        return "all %d entries of %s" % (size, origin)

    def in_force(self, note):
        """Checks that a key that the newest config names has signed, and one of those given, if
        any were."""
        named = [read_key(key) for key in self.named]
        why = UNNAMED
        if self.keys is not None:
            named = [key for key in named if key in self.keys]
            why = UNSIGNED + ": the log's config names none of the given keys"
        read_checkpoint(note, named, {**self.result}, why)


WHOSE = "; without --key this proves that it is one log, not whose"


def verify_export(args, result):
    """an export, whole or filtered (SPEC 9, 10)"""
    with open(args.file, "rb") as file:
        lines = (line.rstrip(b"\n") for line in iter(lambda: file.readline(LONGEST_LINE), b""))
        return verify_lines(lines, args, result)


def verify_lines(
    lines: typing.Iterator[bytes], args: typing.Any, result: typing.Dict[str, typing.Any]
) -> str:
    """The checks of verify_export. The first line is the manifest."""
    result["kind"] = "malformed"
    text = next(lines, b"")
    manifest = need("the manifest", parse(text), MANIFEST, {"first": INT, "last": INT})
    ahead = list(itertools.islice(lines, 1))
    has_entries = manifest["count"] > 0
    right = ("first" in manifest, "last" in manifest) == (has_entries, has_entries)
    check(right, "first and last go with entries")
    whole = not manifest["filters"]
    keys = args.keys or None
    if not whole and (not keys or args.checkpoint):
        raise OSError(
            "an export with filters needs --key, and no --checkpoint can be compared with it"
        )
    # Whatever is wrong with a checkpoint or a key, no entry is vouched for.
    result.update(first_bad_index=0, kind="altered")
    head = read_checkpoint(manifest["checkpoint"].encode(), keys, result)
    origin, size, root = head
    known = Known(args.checkpoint, keys, result)
    same = [manifest["origin"], manifest["log"]] == [origin, *origin.split("/")[-2:-1]]
    check(same, "origin or log of the manifest", "other-log")
    same = whole or [manifest["size"], manifest["root"]] == [size, root.hex()]
    check(same, "size or root of the manifest", "not-signed")
    export = Export(whole, head, keys, result)
    known.at(0, [])
    blank = False
    try:
        for line in itertools.chain(ahead, lines):
            if not line.strip(b" \t\r"):  # empty lines behind the last entry are nothing
                blank = True
                continue
            result["first_bad_index"] = export.found[0] if whole else None
            check(not blank, "an empty line stands before it")
            export.take(line)
            known.at(export.found[0], export.roots)
        said = export.finish(manifest)
    except ValueError:
        known.broken(origin)
        raise
    if whole:
        known.settle(origin, size, export.ever)
    return said if keys else said + WHOSE


# ---- Proofs (SPEC 8).

PROOF = {
    "entry": OBJECT,
    "leaf": STRING,
    "leaf_index": INT,
    "tree_size": INT,
    "merkle_proof": PATH,
    "merkle_root": HASH,
    "checkpoint": STRING,
}
BESIDE_LEAF = {"leaf", "entry_hash", "data", *RECORD}


def is_json(leaf: typing.Mapping[str, typing.Any]) -> bool:
    """Whether the content type of an entry's data is that of JSON (SPEC 8)."""
    if "extensions" not in leaf:
        return True
    content_type = leaf["extensions"].get("datacontenttype", "")
    media = content_type.partition(";")[0].strip(" \t").lower()
    return media in ("", "application/json", "text/json") or media.endswith("+json")


def same_data(shown, record, leaf):
    """Whether what is shown, read by VALUES, is the record's data: its text, or its value if the
    content type is that of JSON (SPEC 8)."""
    if "data_raw" not in record:
        return False
    if shown == record["data_raw"]:
        return True
    if not is_json(leaf):
        return False
    try:
        return VALUES.decode(record["data_raw"]) == shown
    except (ValueError, RecursionError):
        return False


def check_entry(
    raw: bytes,
    index: int,
    path: typing.List[typing.List[str]],
    head: typing.Tuple[str, int, bytes],
    result: typing.Dict[str, typing.Any],
) -> typing.Tuple[typing.Dict[str, typing.Any], str]:
    """The leaf that a path proves to stand at index under the checkpoint, and what to say then."""
    origin, size, root = head
    result["first_bad_index"] = index
    leaf, kind = read_leaf(raw)
    check_own(leaf, kind, origin)
    check(leaf["index"] == index, "the index of the leaf is not the proof's")
    check_inclusion(raw, index, path, size, root)
    return leaf, "the leaf is entry %d of the %d of %s" % (index, size, origin)


def verify_proof(args, result):
    """a JSON proof (SPEC 8); its `verified` counts for nothing"""
    return check_proof(args.file.read_bytes(), args.keys, result)


def check_proof(
    text: bytes, keys: typing.Sequence[Key], result: typing.Dict[str, typing.Any]
) -> str:
    """Checks a JSON proof, and returns what to say then."""
    result["kind"] = "malformed"
    proof = need("the proof", parse(text), PROOF, {"verified": BOOL})
    canonical(proof)  # every string of it is Unicode
    result["kind"] = "altered"
    raw = proof["leaf"].encode()
    entry = proof["entry"]
    head = read_checkpoint(proof["checkpoint"].encode(), keys, result)
    _, size, root = head
    same = [proof["tree_size"], proof["merkle_root"]] == [size, root.hex()]
    check(same, "size or root is not the checkpoint's")
    leaf, said = check_entry(raw, proof["leaf_index"], proof["merkle_proof"], head, result)
    of_leaf = {name: entry[name] for name in entry if name in NEEDED or name in ALLOWED4}
    check(canonical(of_leaf) == raw, "entry does not say what the leaf says")
    same = entry.get("entry_hash") == leaf_hash(raw).hex()
    check(same, "entry_hash is not that of the leaf")
    check(entry.get("leaf", proof["leaf"]) == proof["leaf"], "leaf in entry is another")
    rest = sorted(entry.keys() - of_leaf.keys() - BESIDE_LEAF)
    check(not rest, "entry has members that no proof covers: %s" % ascii(rest))
    need("the record", {name: entry[name] for name in RECORD if name in entry}, {}, RECORD)
    opened = open_data(entry, leaf)
    check(opened or "data" not in entry, "data is shown without what proves it")
    if "data" in entry:
        shown = VALUES.decode(text.decode())["entry"]["data"]
        same = same_data(shown, entry, leaf)
        check(same, "data is not what data_raw and the salt prove")
    result["checked"].update(data_opened=opened, unproven_members=len(rest))
    return said


PROOF_FILE = re.compile(
    "c2sp.org/tlog-proof@v1\n"
    "(?:extra (?P<extra>[^\n]*)\n)?"
    "index (?P<index>0|[1-9][0-9]{0,15})"
    "(?P<hashes>(?:\n[^\n]+)*)"
)


def verify_proof_file(args, result):
    """a c2sp.org/tlog-proof@v1 and the leaf that it is of"""
    result["kind"] = "malformed"
    top, _, note = args.file.read_bytes().partition(b"\n\n")
    found = PROOF_FILE.fullmatch(top.decode())
    check(found, "not a c2sp.org/tlog-proof@v1")
    head = read_checkpoint(note, args.keys, result)
    index = int(found["index"])
    raw = args.leaf.read_bytes()
    result["kind"] = "altered"
    unbase64(found["extra"] or "")
    hashes = [unbase64(line).hex() for line in found["hashes"].split("\n")[1:]]
    where = sides(index, head[1])
    right = len(hashes) == len(where) and all(map(HASH, hashes))
    check(right, "number or length of the hashes is wrong")
    _, said = check_entry(raw, index, list(zip(hashes, where)), head, result)
    return said


# ---- Pages (SPEC 8.1).

BATCH_PROOF = {"tree_size": INT, "checkpoint": STRING, "hashes": array(HASH)}
LEAF = {"leaf": STRING}
PAGE_LINE = {**LINE, "repeat_of": INT}
del PAGE_LINE["merkle_proof"]


def check_line(line, origin):
    """The members SHOWN of the leaf of a page's line, whose data must open, and its hash."""
    need("the line", line, LEAF, PAGE_LINE)
    raw = line["leaf"].encode()
    shown = read_plain(line["leaf"]) if len(raw) <= MAX_LEAF else None
    leaf, kind = (shown, None) if shown else read_leaf(raw)
    if shown:
        check_log(shown, origin)
    else:
        check_own(leaf, kind, origin)
    opened = open_data(line, leaf)
    check_data_error(line, opened)
    check("data_error" not in line or has_record(leaf), "data_error where there is no data")
    return shown or show(leaf), leaf_hash(raw)


def check_page(
    lines: typing.List[typing.Any],
    proof: object,
    keys: typing.Sequence[Key],
    result: typing.Dict[str, typing.Any],
) -> typing.List[typing.Tuple[typing.Dict[str, typing.Any], str]]:
    """Of each line the members SHOWN of the leaf, and its entry_hash. One proof proves the places
    of all. It says nothing of entries that are not there. result has the checkpoint then."""
    result["kind"] = "malformed"
    need("the batch proof", proof, BATCH_PROOF)
    origin, size, root = read_checkpoint(proof["checkpoint"].encode(), keys, result)
    check(proof["tree_size"] == size, "tree_size is not the checkpoint's")
    result["kind"] = "altered"
    found = [check_line(line, origin) for line in lines]
    indexes = [shown["index"] for shown, _ in found]
    hashes = map(bytes.fromhex, proof["hashes"])
    check_batch(indexes, [entry_hash for _, entry_hash in found], size, hashes, root)
    return [(shown, entry_hash.hex()) for shown, entry_hash in found]


def verify_checkpoint(args, result):
    """a signed checkpoint"""
    origin, size, _ = read_checkpoint(read_note(args.file), args.keys, result)
    return "%s has signed %d entries" % (origin, size)


def verify_path(args, result):
    """whether [[hash, side], ...] leads from ENTRY_HASH to ROOT, and no more"""
    path = parse(args.file.read_bytes())
    formed = HASH(args.entry_hash) and PATH(path)
    check(formed, "not an entry hash and an array of [hash, side]")
    root = climb(bytes.fromhex(args.entry_hash), path)
    check(root == bytes.fromhex(args.root), "the proof does not lead to the root")
    return "the entry is under this root, which you must know from elsewhere"


# ---- The command line.


class Verb:
    """A verb of the command line: the function that verifies, and its arguments. The function
    takes the arguments and the result, returns what to say, and raises what is wrong."""

    def __init__(self, run, *arguments, key_required=False):
        self.run = run
        self.arguments = arguments
        self.key_required = key_required


VERBS = {
    "export": Verb(verify_export, "file", "--checkpoint"),
    "proof": Verb(verify_proof, "file", key_required=True),
    "proof-file": Verb(verify_proof_file, "file", "--leaf", key_required=True),
    "checkpoint": Verb(verify_checkpoint, "file", key_required=True),
    "path": Verb(verify_path, "entry_hash", "file", "root"),
}
MORE_VERBS = ("sealstream_tiles", "sealstream_vectors")  # modules beside this file, where they are


def read_keys(vkeys):
    """The keys of a text, one a line."""
    return [read_key(vkey) for vkey in vkeys.rstrip("\n").split("\n")]


def read_key_file(path):
    """The keys of a file. "-" is standard input."""
    if path == "-":
        return read_keys(sys.stdin.read())
    try:
        with open(path) as file:
            return read_keys(file.read())
    except OSError as wrong:
        raise argparse.ArgumentTypeError("can't open '%s': %s" % (path, wrong))


OPTIONS = {
    "--json": dict(action="store_true"),
    "file": dict(type=pathlib.Path),
    "--leaf": dict(type=pathlib.Path, required=True),
    "--checkpoint": dict(
        type=pathlib.Path, action="append", default=[], help="an older or newer one"
    ),
    "--policy": dict(
        type=pathlib.Path, help="the witnesses that must have cosigned (c2sp.org/tlog-policy)"
    ),
    "--key": dict(dest="keys", type=read_keys, help="the log's note verifier key"),
    "--key-file": dict(
        dest="keys",
        type=read_key_file,
        help="its file; the log may have several, one a line",
    ),
}


def modules_beside():
    """The modules that add verbs. Where this file stands alone, there is none."""
    found = [name for name in MORE_VERBS if importlib.util.find_spec(name)]
    return [importlib.import_module(name) for name in found]


def build_parser(verbs, with_policy):
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    subparsers = parser.add_subparsers(dest="verb", required=True)
    for name, verb in verbs.items():
        sub = subparsers.add_parser(name, help=verb.run.__doc__)
        keys = sub.add_mutually_exclusive_group(required=verb.key_required)
        policy = ["--policy"] if with_policy else []
        for argument in [*verb.arguments, "--json", *policy]:
            sub.add_argument(argument, **OPTIONS.get(argument, {}))
        for argument in ("--key", "--key-file"):
            keys.add_argument(argument, **OPTIONS[argument])
    return parser


def main(argv=None):
    """Runs the command line, prints the verdict, and returns the exit status."""
    verbs = dict(VERBS)
    witnessed = None
    for module in modules_beside():
        verbs.update(module.VERBS)
        witnessed = getattr(module, "witnessed", witnessed)
    args = build_parser(verbs, witnessed is not None).parse_args(argv)
    result = {
        "valid": False,
        "error": None,
        "first_bad_index": None,
        "tree_size": None,
        "root": None,
        "checked": collections.Counter(),
    }
    try:
        said = "valid: " + verbs[args.verb].run(args, result)
        if witnessed and args.policy:
            said += witnessed(result.get("note", b""), args.policy.read_bytes())
        result.update(valid=True, first_bad_index=None)
        status = 0
    except OSError as wrong:
        result["error"] = str(wrong)
        said = "cannot check: %s" % wrong
        status = 2
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as bad:
        # What makes no sense is not valid.
        index = result["first_bad_index"]
        kind = getattr(bad, "kind", None) or result.get("kind")  # SPEC 10.1
        result["error"] = "%s: %s" % (kind, bad) if kind else str(bad)
        at = "" if index is None else " at index %d" % index
        said = "NOT VALID%s: %s" % (at, result["error"])
        status = 1
    result.pop("note", None)  # the checkpoint that was read last, for --policy
    result.pop("kind", None)
    print(json.dumps(result) if args.json else said)
    return status


def run():
    """The command that an installation makes of this file."""
    sys.exit(main())


if __name__ == "__main__":
    sys.modules.setdefault("sealstream_verify", sys.modules[__name__])  # for the modules beside it
    sys.exit(main())
