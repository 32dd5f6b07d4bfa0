"""What docs/SPEC-rules4.md says about one leaf and the entries before it. Section numbers are its own."""
import base64
import copy
import hashlib
import hmac
import json
import re

import ed25519

WINDOW = 1048576
SEEN = 1024
EVENT = "application/vnd.sealstream.event.v1+json"
KEY = "application/vnd.sealstream.key.v1+json"
FOREIGN = "https://cloudevents.io/verifiability/dsse/v0.1"

# Members that come from attributes, and the form of their values (3, 4.1).
STRING, HASH, KEY_ID = r"(?s).+", r"[0-9a-f]{64}", r"z6Mk[1-9A-HJ-NP-Za-km-z]{44}"
MOVED = {
    "principal": ("authid", STRING), "principal_type": ("authtype", STRING), "caused_by": ("causationid", STRING),
    "policy_version": ("policyversion", STRING), "agent_key": ("agentkey", KEY_ID), "action_digest": ("actiondigest", HASH),
    "action_type": ("actiontype", STRING), "approval": ("approvalgrant", HASH)}
LEAVING = {"dssematerial": STRING, "actionsalt": HASH}
ADDED = ("blind", "record_hash", "altered", "signature_status", "key_entry", "material_key", "approval_status")
NOT_AN_EVENTS = ("v", "log", "index", "previous_hash", "received_at", "input_epoch", "input_seq", "position", "publisher",
                 "redactions", "detail")  # SPEC 5.8
OLDER = {"entry_id": "id", "agent_did": "source", "cloudevent_type": "type", "resource": "subject", "action": "action",
         "outcome": "outcome", "policy_decision": "policydecision", "matched_rule": "matchedrule", "trace_id": "traceid",
         "session_id": "sessionid", "target_did": "targetdid", "agent_seq": "agentseq", "agent_prev": "agentprev",
         "signature": "agentsignature"}  # SPEC 2


def canonical(value):
    """RFC 8785, for the values that occur here: no fractions, and names in ASCII."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def sha256(data):
    return hashlib.sha256(data).digest()


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def lp(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return len(raw).to_bytes(4, "big") + raw


def u64(n):
    return n.to_bytes(8, "big")


def has_form(form, value):
    return re.fullmatch(form, value) is not None


# ---- 1.2, 4.3, 9.1: values that are derived

def blind(secret, epoch, seq, position, kind):
    return mac(secret, b"sealstream/v4/blind", u64(epoch), u64(seq), u64(position), kind.encode())[:16].hex()


def own_salt(secret, kind, entry_id, whole):
    return mac(secret, b"sealstream/v4/own", lp(kind), lp(entry_id), lp(sha256(whole)))


def input_digest(secret, digest):
    return mac(secret, b"sealstream/v4/input", digest).hex()


def senders_salt(secret, source, id, data):
    return mac(secret, b"sealstream/v4/datasalt", lp(source), lp(id), lp(sha256(data)))


def data_hash(salt, data):
    return sha256(b"\2" + salt + data).hex()


def record_hash(record):
    """The commitment to what a payload record has beside data, or None."""
    beside = {name: record[name] for name in ("action_salt", "dssematerial") if name in record}
    return sha256(b"\3" + bytes.fromhex(record["salt"]) + canonical(beside).encode()).hex() if beside else None


def data_of(record):
    """The data bytes of a payload record, or None."""
    if record and "data_base64" in record:
        return base64.b64decode(record["data_base64"])
    return record["data_raw"].encode() if record and "data_raw" in record else None


def action(leaf, data):
    """The text of the action of an event."""
    kind = leaf["action_type"] if "action_type" in leaf else leaf["cloudevent_type"]
    parts = {"agent": leaf["agent_did"], "data": None if data is None else sha256(data).hex(),
             "resource": leaf.get("resource"), "target": leaf.get("target_did"), "type": kind}
    return canonical({name: value for name, value in parts.items() if value is not None})


def action_digest(salt, text):
    return sha256(b"sealstream/v4/action" + salt + text.encode()).hex()


# ---- 4.2: fingerprints

def bare(leaf):
    """Steps 1 to 4 of 4.2, for a leaf of any rules."""
    event = copy.deepcopy(leaf)
    if event.get("event_type") == "sealstream.equivocation":
        event.update(entry_id=leaf["detail"]["entry_id"], event_type=leaf["detail"]["event_type"])
    for name in NOT_AN_EVENTS + ADDED:
        event.pop(name, None)
    for member, (attribute, _) in MOVED.items():
        if member in event:
            event.setdefault("extensions", {})[attribute] = event.pop(member)
    return event


def fingerprint(leaf):
    event = bare(leaf)
    if event.get("timestamp") == leaf.get("received_at"):
        event.pop("timestamp", None)
    return sha256(canonical(event).encode()).hex()


# ---- 6, 7: keys and signatures

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


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


def unbase64(text, alphabets=("+/",)):
    """The bytes of base64 with padding and zero unused bits, or None."""
    for extra in alphabets:
        try:
            raw = base64.b64decode(text.encode(), extra.encode(), validate=True)
        except ValueError:
            continue
        if base64.b64encode(raw, extra.encode()).decode() == text:
            return raw
    return None


def valid(key, message, text):
    signature = unbase64(text)
    return signature is not None and ed25519.verify(public_of(key), message, signature)


def statement(leaf, origin):
    event = bare(leaf)
    event.pop("signature", None)
    return canonical({"event": event, "key": leaf["agent_key"], "origin": origin})


def signed_bytes(leaf, origin):
    return pae(EVENT, statement(leaf, origin).encode())


def link(leaf, origin):
    """The agentprev of the event after this one (7.2)."""
    return sha256(signed_bytes(leaf, origin) + unbase64(leaf["signature"])).hex()


def proof_bytes(kind, detail, origin):
    """What proofs of possession sign (6.4)."""
    body = {name: value for name, value in detail.items() if name not in ("proof", "old_proof", "by_admin")}
    return pae(KEY, canonical({**body, "kind": kind, "origin": origin}).encode())


class Seen:
    """The numbers of one registered pair (7.3)."""

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


# ---- 8.3: dssematerial

CORE = ("id", "source", "specversion", "type", "datacontenttype", "dataschema", "subject", "time")


def signed_names(leaf):
    """The names in signedextattrs; None if it is malformed."""
    text = leaf.get("extensions", {}).get("signedextattrs", "")
    names = text.split(",") if text else []
    good = all(has_form("[a-z0-9]{1,64}", name) for name in names) and len(set(names)) == len(names)
    return names if good and not set(names) & {*CORE, "data", "dssematerial", "signedextattrs"} else None


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


def unique(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)


def envelope(text):
    """The payload and the signatures of dssematerial, or None if it is malformed."""
    raw, both = unbase64(text), ("+/", "-_")
    try:
        value = json.loads((raw or b"").decode(), object_pairs_hook=unique)
    except ValueError:
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


# ---- 8, 9: verdicts

class State:
    """What the entries before an index say about keys, access and approvals (12)."""

    def __init__(self, origin):
        self.origin = origin
        self.newest_key = 0
        self.key_entry = {}  # agent: index
        self.pairs = {}      # (agent, key): a Seen, or "revoked"
        self.access = {}     # role: index
        self.requests = {}   # index: what a decision must know of the request
        self.decisions = {}  # hash: what an intent must know of the decision

    def window(self, index):
        for table, at in ((self.requests, lambda key, one: key), (self.decisions, lambda key, one: one["index"])):
            for key in [key for key, one in table.items() if at(key, one) + WINDOW < index]:
                del table[key]

    # 8.2, 8.3

    def signature(self, leaf, record):
        """The verdict on an event's signature, and material_key. The leaf need not have them yet."""
        if leaf.get("altered"):
            return "altered", None
        if "signature" in leaf:
            return self.native(leaf), None
        if record and "dssematerial" in record:
            return self.foreign(leaf, record)
        return "absent", None

    def known(self, agent, key):
        return (agent, key) in self.pairs or agent == "did:key:" + key

    def native(self, leaf):
        agent, key = leaf["agent_did"], leaf.get("agent_key")
        if key is None or not self.known(agent, key) or public_of(key) is None:
            return "unknown_key"
        if leaf.get("agent_seq", 0) == 0 or "agent_prev" not in leaf or not valid(key, signed_bytes(leaf, self.origin), leaf["signature"]):
            return "invalid"
        pair = self.pairs.get((agent, key))
        if not isinstance(pair, Seen):
            return pair or "unregistered"
        return "replayed" if pair.has(leaf["agent_seq"]) else "verified"

    def foreign(self, leaf, record):
        opened = envelope(record["dssematerial"])
        if opened is None or signed_names(leaf) is None:
            return "invalid", None
        payload, signatures = opened
        for key, signature in signatures:
            if self.known(leaf["agent_did"], key) and public_of(key) is not None:
                break
        else:
            return "unknown_key", None
        if payload != foreign_digest(leaf, record) or not ed25519.verify(public_of(key), pae(FOREIGN, payload), signature or b""):
            return "invalid", key
        pair = self.pairs.get((leaf["agent_did"], key))
        if not isinstance(pair, Seen):
            return pair or "unregistered", key
        return "verified_foreign", key

    # 9.4

    def approval(self, leaf, record, trusted=False):
        """approval_status, or None. The leaf has its signature_status. trusted skips lines 2 and 3, as far as they need the record."""
        if "action_type" not in leaf and "approval" not in leaf:
            return None
        if leaf["event_type"] == "sealstream.equivocation":
            return "equivocation"
        salt = (record or {}).get("action_salt")
        if "action_type" in leaf and "approval" in leaf or "action_digest" not in leaf or salt is None:
            return "malformed"
        if not trusted and action_digest(bytes.fromhex(salt), action(leaf, data_of(record))) != leaf["action_digest"]:
            return "mismatched"
        verdict = leaf.get("signature_status", "absent")
        if verdict not in ("absent", "verified", "verified_foreign"):
            return "unverified"
        if "action_type" in leaf:
            return "requested"
        self.window(leaf["index"])
        decision = self.decisions.get(leaf["approval"])
        if decision is None:
            return "unknown"
        request = decision["request"]
        if not decision["granted"]:
            return "denied"
        if any(request.get(name) != leaf.get(name) for name in ("agent_did", "principal", "principal_type", "action_digest")):
            return "mismatched"
        if leaf["received_at"] > decision["expires_at"]:
            return "expired"
        if decision["used"]:
            return "used"
        if "signature_status" in request and verdict not in (request["signature_status"], "verified"):
            return "unverified"
        return "valid"

    # What a control or a service event may not be: the reason, or None.

    def refuses_key(self, kind, detail):
        keys = [detail[name] for name in ("key", "replaces") if name in detail]
        if any(public_of(key) is None for key in keys):
            return "not the id of an acceptable key"
        agent, pair = detail["agent"], (detail["agent"], detail["key"])
        if detail.get("previous") != self.key_entry.get(agent):
            return "previous is not the agent's newest key entry"
        if kind == "revoke":
            return None
        if pair in self.pairs or kind == "rotate" and not isinstance(self.pairs.get((agent, detail["replaces"])), Seen):
            return "the state of the key does not allow it"
        message = proof_bytes(kind, detail, self.origin)
        if not valid(detail["key"], message, detail["proof"]):
            return "proof is not valid"
        if "old_proof" in detail and not valid(detail["replaces"], message, detail["old_proof"]):
            return "old_proof is not valid"
        return None

    def refuses_service(self, kind, detail, publisher, index):
        role = detail["role"]
        if kind == "access":
            return None if detail.get("previous") == self.access.get(role) else "previous is not the newest one of the role"
        if publisher is None:
            return "publisher is required"
        if kind == "read":
            return "access is not sealed yet" if detail.get("access", 0) >= index else None
        if detail["access"] != self.access.get("query"):
            return "access is not in force"
        self.window(index)
        request = self.requests.get(detail["request_index"])
        if request is None or request["hash"] != detail["request"]:
            return "no such request"
        if request["decided"]:
            return "already decided"
        if publisher in (request.get("publisher"), request["agent_did"]):
            return "nobody approves a request of his own"
        return None

    # What an entry changes for those after it.

    def note(self, leaf, entry_hash):
        index, kind, detail = leaf["index"], leaf["event_type"][len("sealstream."):], leaf.get("detail")
        if not leaf["event_type"].startswith("sealstream.") or kind == "equivocation":
            return self.note_event(leaf, index, entry_hash)
        if kind.startswith("key."):
            self.newest_key = self.key_entry[detail["agent"]] = index
            if kind == "key.revoke":
                self.pairs[detail["agent"], detail["key"]] = "revoked"
            else:
                self.pairs[detail["agent"], detail["key"]] = Seen(detail["after_seq"])
            if kind == "key.rotate":
                self.pairs[detail["agent"], detail["replaces"]] = "revoked"
        elif kind == "access":
            self.access[detail["role"]] = index
        elif kind.startswith("approval."):
            request = self.requests[detail["request_index"]]
            request["decided"] = True
            self.decisions[entry_hash] = {"index": index, "granted": kind == "approval.granted", "request": request,
                                          "expires_at": detail.get("expires_at"), "used": False}
        return None

    def note_event(self, leaf, index, entry_hash):
        if leaf.get("signature_status") == "verified":
            self.pairs[leaf["agent_did"], leaf["agent_key"]].note(leaf["agent_seq"])
        if leaf.get("approval_status") == "requested":
            names = ("agent_did", "publisher", "principal", "principal_type", "action_digest", "signature_status")
            self.requests[index] = {"hash": entry_hash, "decided": False, **{n: leaf[n] for n in names if n in leaf}}
        elif leaf.get("approval_status") == "valid":
            self.decisions[leaf["approval"]]["used"] = True
