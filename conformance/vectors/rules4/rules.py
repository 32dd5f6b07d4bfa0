"""What docs/SPEC-rules4.md says about one leaf: derived values (1.2), attributes (4.1), fingerprints (4.2) and
records (4.3). Section numbers are its own; SPEC n is docs/SPEC.md."""
import base64
import copy
import hashlib
import hmac
import json
import re

# Members that come from attributes, and the form of their values (3, 4.1).
STRING, HASH, KEY_ID = r"(?s).+", r"[0-9a-f]{64}", r"z6Mk[1-9A-HJ-NP-Za-km-z]{44}"
MOVED = {
    "principal": ("authid", STRING), "principal_type": ("authtype", STRING), "caused_by": ("causationid", STRING),
    "policy_version": ("policyversion", STRING), "agent_key": ("agentkey", KEY_ID),
    "action_digest": ("actiondigest", HASH), "action_type": ("actiontype", STRING), "approval": ("approvalgrant", HASH)}
LEAVING = {"dssematerial": "dssematerial", "actionsalt": "action_salt"}  # attributes, and members of the record
ADDED = ("blind", "record_hash", "altered", "signature_status", "key_entry", "material_key", "approval_status")
NEVER_PRIVATE = ("agentkey", "actiondigest", "actionsalt", "approvalgrant", "dssematerial", "signedextattrs", "actiontype",
                 "causationid")  # 4.4
NOT_AN_EVENTS = ("v", "log", "index", "previous_hash", "received_at", "input_epoch", "input_seq", "position", "publisher",
                 "redactions", "detail")  # SPEC 5.8
OLDER = {"entry_id": "id", "agent_did": "source", "cloudevent_type": "type", "resource": "subject", "action": "action",
         "outcome": "outcome", "policy_decision": "policydecision", "matched_rule": "matchedrule",
         "trace_id": "traceid", "session_id": "sessionid", "target_did": "targetdid", "agent_seq": "agentseq",
         "agent_prev": "agentprev", "signature": "agentsignature"}  # SPEC 2


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


# ---- 1.2, 4.3: values that are derived

def blind(secret, epoch, seq, position, kind):
    return mac(secret, b"sealstream/v4/blind", u64(epoch), u64(seq), u64(position), kind.encode())[:16].hex()


def own_salt(secret, kind, entry_id, whole):
    return mac(secret, b"sealstream/v4/own", lp(kind), lp(entry_id), lp(sha256(whole)))


def beside_salt(secret, source, id, beside):
    return mac(secret, b"sealstream/v4/beside", lp(source), lp(id), lp(sha256(beside_text(beside))))


def input_digest(secret, digest):
    return mac(secret, b"sealstream/v4/input", digest).hex()


def data_hash(salt, data):
    return sha256(b"\2" + salt + data).hex()


def beside_text(record):
    """What a payload record has beside data, as canonical JSON; no bytes if it has nothing."""
    beside = {name: record[name] for name in LEAVING.values() if name in record}
    return canonical(beside).encode() if beside else b""


def record_hash(record):
    """The commitment to it, or None."""
    beside = beside_text(record)
    return sha256(b"\3" + bytes.fromhex(record["salt"]) + beside).hex() if beside else None


def data_of(record):
    """The data bytes of a payload record, or None."""
    if record and "data_base64" in record:
        return base64.b64decode(record["data_base64"])
    return record["data_raw"].encode() if record and "data_raw" in record else None


def record_data(data):
    """The member of a payload record that holds data (SPEC 7)."""
    if re.search(b"[\x00-\x08\x0b\x0c\x0e-\x1f]", data) is None and data.decode(errors="ignore").encode() == data:
        return {"data_raw": data.decode()}
    return {"data_base64": base64.b64encode(data).decode()}


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
