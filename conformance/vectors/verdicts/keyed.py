"""What docs/SPEC-verdicts.md says of keys, signatures and actions (10, 11, 12.3, 13.1). Section numbers are its own."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "rules4"))

import ed25519  # noqa: E402
import forms  # noqa: E402
from rules import (  # noqa: E402
    HASH, KEY_ID, OLDER, bare, canonical, data_of, has_form, lp, mac, sha256, unbase64)

SEEN = 1024
EVENT = "application/vnd.sealstream.event.v1+json"
KEY = "application/vnd.sealstream.key.v1+json"
FOREIGN = "https://cloudevents.io/verifiability/dsse/v0.1"
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


# ---- 9.2, 13.1

def senders_salt(secret, source, id, data):
    return mac(secret, b"sealstream/v4/datasalt", lp(source), lp(id), lp(sha256(data)))


def action(leaf, data):
    """The text of the action of an event."""
    other = leaf.get("extensions", {})
    kind = leaf["action_type"] if "action_type" in leaf else leaf["cloudevent_type"]
    parts = {"agent": leaf["agent_did"], "data": None if data is None else sha256(data).hex(),
             "datacontenttype": other.get("datacontenttype"), "dataschema": other.get("dataschema"),
             "resource": leaf.get("resource"), "target": leaf.get("target_did"), "type": kind}
    return canonical({name: value for name, value in parts.items() if value is not None})


def action_digest(salt, text):
    return sha256(b"sealstream/v4/action" + salt + text.encode()).hex()


def own_digest(leaf, record):
    """The digest of an event's action, or None (13.1)."""
    salt = (record or {}).get("action_salt", "")
    return action_digest(bytes.fromhex(salt), action(leaf, data_of(record))) if has_form(HASH, salt) else None


# ---- 10.1, 10.2, 10.4, 11

def key_id(public):
    number, text = int.from_bytes(b"\xed\x01" + public, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return "z" + text


def public_of(text):
    """The acceptable key of a key id, or None."""
    if not has_form(KEY_ID, text):
        return None
    number = 0
    for c in text[1:]:
        number = number * 58 + ALPHABET.index(c)
    raw = number.to_bytes(48, "big").lstrip(b"\0")
    public = raw[2:]
    return public if len(raw) == 34 and raw[:2] == b"\xed\x01" and ed25519.acceptable(public) else None


def pae(kind, body):
    kind = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)


def valid(key, message, text):
    signature = unbase64(text)
    return signature is not None and ed25519.verify(public_of(key), message, signature)


class Place:
    """What names a log: its origin, and the hash of the entry at index 0."""

    def __init__(self, origin, log):
        self.origin, self.log = origin, log

    def statement(self, leaf):
        event = bare(leaf)
        event.pop("signature", None)
        if "redactions" in leaf:
            event["redactions"] = leaf["redactions"]
        return canonical({"event": event, "key": leaf["agent_key"], "log": self.log, "origin": self.origin})

    def signed_bytes(self, leaf):
        return pae(EVENT, self.statement(leaf).encode())

    def link(self, leaf):
        """The agentprev of the event after this one (11.2)."""
        return sha256(self.signed_bytes(leaf) + unbase64(leaf["signature"])).hex()

    def proof_bytes(self, kind, detail):
        """What proofs of possession sign (10.4)."""
        body = {name: value for name, value in detail.items() if name not in ("proof", "old_proof", "by_admin")}
        return pae(KEY, canonical({**body, "kind": kind, "log": self.log, "origin": self.origin}).encode())


class Seen:
    """The numbers of one registered pair (11.3)."""

    def __init__(self, after):
        self.high, self.bits = after, 2**SEEN - 1

    def has(self, n):
        return n <= self.high and (self.high - n >= SEEN or self.bits >> (self.high - n) & 1 == 1)

    def note(self, n):
        if n > self.high:
            by = n - self.high
            self.bits = (self.bits << by) % 2**SEEN if by < SEEN else 0
            self.high = n
        self.bits |= 1 << self.high - n

    def text(self):
        return self.bits.to_bytes(SEEN // 8, "little").hex()


# ---- 12.3: dssematerial

NOT_SIGNED = ("id", "source", "specversion", "type", "datacontenttype", "dataschema", "subject", "time", "data", "dssematerial",
              "signedextattrs", "redactions", "traceid")


def signed_names(leaf):
    """The names in signedextattrs; None if it is malformed."""
    text = leaf.get("extensions", {}).get("signedextattrs", "")
    names = text.split(",") if text else []
    good = all(has_form("[a-z0-9]{1,64}", name) for name in names) and len(set(names)) == len(names)
    return names if good and not set(names) & set(NOT_SIGNED) else None


def attribute(leaf, record, name):
    """The canonical string of an attribute of an event's entry, or None."""
    if name in ("datasalt", "actionsalt"):
        return record.get("salt" if name == "datasalt" else "action_salt")
    event = bare(leaf)
    for member, own in OLDER.items():
        if own == name:
            return str(event[member]) if member in event else None
    return event.get("extensions", {}).get(name)


def foreign_digest(leaf, record):
    """What dssematerial must have signed; None if an attribute is missing."""
    event = bare(leaf)
    time = "" if leaf["timestamp"] == leaf["received_at"] else re.sub(r"\.\d+Z", "Z", leaf["timestamp"])
    other = event.get("extensions", {})
    parts = [event["entry_id"], event["agent_did"], "1.0", event["cloudevent_type"], other.get("datacontenttype", ""),
             other.get("dataschema", ""), event.get("resource", ""), time]
    digests = [sha256(part.encode()) for part in parts] + [sha256(data_of(record) or b"")]
    for name in signed_names(leaf):
        value = attribute(leaf, record, name)
        if value is None:
            return None
        digests += [sha256(name.encode()), sha256(value.encode())]
    return sha256(b"".join(digests))


def envelope(text):
    """The payload and the signatures of dssematerial, or None if it is malformed."""
    raw, both = unbase64(text), ("+/", "-_")
    try:
        value = forms.strict((raw or b"").decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("payloadType") != FOREIGN or not isinstance(value.get("payload"), str):
        return None
    payload, signatures = unbase64(value["payload"], both), value.get("signatures")
    if payload is None or len(payload) != 32 or not isinstance(signatures, list) or not 1 <= len(signatures) <= 16:
        return None
    for one in signatures:
        if not isinstance(one, dict) or not isinstance(one.get("keyid"), str) or not isinstance(one.get("sig"), str):
            return None
    return payload, [(one["keyid"], unbase64(one["sig"], both)) for one in signatures]
