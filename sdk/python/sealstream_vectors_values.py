"""What of the vectors stands alone: hashes, leaves, records, proofs, pages and logs. A part of
sealstream_vectors.py."""
import base64
import collections
import hmac
import json
import uuid

import sealstream_verify as sv


def to_bytes(value):
    """The bytes that a value of the vectors stands for."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list):
        return b"".join(map(to_bytes, value))
    if "repeat" in value:
        return to_bytes(value["repeat"]) * value["times"]
    return base64.b64decode(value["base64"])


def lp(raw):
    return len(raw).to_bytes(4, "big") + raw


def mac(secret, *parts):
    return hmac.new(bytes.fromhex(secret), b"".join(parts), "sha256").hexdigest()


def salt(secret, source, name, data):
    """SPEC 1; of a rejected entry SPEC 5.2."""
    return mac(secret, lp(source.encode()), lp(name.encode()), lp(sv.sha256(data)))


def commitment(salt, data):
    return sv.sha256(b"\x02", bytes.fromhex(salt), data).hex()


def root(size):
    roots = []
    for i in range(size):
        sv.append(roots, i, sv.leaf_hash(b"leaf %d" % i))
    return sv.fold(roots).hex()


def message_digest(case):
    """SPEC 4."""
    parts = [case["subject"].encode(), to_bytes(case["body"])]
    for name, value in sorted(case["headers"], key=lambda header: header[0].encode()):
        parts += [name.encode(), value.encode()]
    return sv.sha256(*map(lp, parts)).hex()


NOT_OF_EVENT = {  # members of a leaf that its fingerprint leaves out
    "v",
    "log",
    "index",
    "previous_hash",
    "received_at",
    "input_epoch",
    "input_seq",
    "position",
    "publisher",
    "redactions",
    "detail",
}


def fingerprint(case):
    """SPEC 5.8."""
    leaf = json.loads(case["leaf"])
    if leaf["event_type"] == "sealstream.equivocation":
        leaf.update(entry_id=leaf["detail"]["entry_id"], event_type=leaf["detail"]["event_type"])
    if leaf["timestamp"] == leaf["received_at"]:
        del leaf["timestamp"]
    of_event = {name: value for name, value in leaf.items() if name not in NOT_OF_EVENT}
    return sv.sha256(sv.canonical(of_event)).hex()


def node_hash(case):
    left = bytes.fromhex(case["left"])
    right = bytes.fromhex(case["right"])
    return sv.node(left, right).hex() == case["hash"]


def derived_salt(case):
    """SPEC 1."""
    data = to_bytes(case["data"])
    return salt(case["secret"], case["source"], case["id"], data) == case["salt"]


def rejected_salt(case):
    """SPEC 5.2."""
    whole = to_bytes(case["whole"])
    same = salt(case["secret"], "sealstream.rejected", case["entry_id"], whole) == case["salt"]
    return same and commitment(case["salt"], whole) == case["digest"]


def secret_fingerprint(case):
    return mac(case["secret"], b"sealstream/v1/secret")[:32] == case["fingerprint"]


def agent_token(case):
    hashed = base64.b32encode(sv.sha256(case["source"].encode()))
    return hashed.decode().lower()[:26] == case["token"]


def own_id(case):
    name = "%(log)s/%(input_epoch)d/%(input_seq)d/%(position)d/%(kind)s" % case
    return str(uuid.uuid5(sv.NAMESPACE, name))


def origin(case):
    public = bytes.fromhex(case["public_key"])
    name = "%s/%s/%s" % (case["host"], case["log"], sv.sha256(public).hex()[:8])
    return [name, sv.read_key(case["vkey"])[::2]] == [case["origin"], (name, public)]


HASHES = {  # of each list of hashes.json: whether a case is so
    "leaf_hash": lambda c: sv.leaf_hash(to_bytes(c["leaf"])).hex() == c["hash"],
    "node_hash": node_hash,
    "roots": lambda c: root(c["size"]) == c["root"],
    "data_hash": lambda c: commitment(c["salt"], to_bytes(c["data"])) == c["hash"],
    "derived_salt": derived_salt,
    "rejected_salt": rejected_salt,
    "secret_fingerprint": secret_fingerprint,
    "agent_token": agent_token,
    "own_id": lambda c: own_id(c) == c["entry_id"],
    "message_digest": lambda c: message_digest(c) == c["digest"],
    "fingerprint": lambda c: fingerprint(c) == c["fingerprint"],
    "origin": origin,
    "strings": lambda c: sv.canonical(c["text"]).decode() == c["canonical"],
}


def leaf(case):
    raw = to_bytes(case["leaf"])
    sv.read_leaf(raw)
    return {"entry_hash": sv.leaf_hash(raw).hex()}


def payload(case):
    """A record of SPEC 7, which is canonical, opens what it opens."""
    raw = to_bytes(case["record"])
    kinds = dict(index=sv.INT, salt=sv.HASH), dict(data_raw=sv.STRING, data_base64=sv.STRING)
    record = sv.need("the record", sv.parse(raw), *kinds)
    sv.check(sv.canonical(record) == raw, "the record is not in canonical form")
    data_hash = case.get("data_hash", commitment(record["salt"], plain(record)))
    sv.open_data(record, {"event_type": "x", "data_hash": data_hash})
    return {"index": record["index"], "salt": record["salt"], "data": plain(record)}


def plain(record):
    if "data_raw" in record:
        return record["data_raw"].encode()
    return sv.unbase64(record["data_base64"])


def new_result():
    return {"checked": collections.Counter(), "first_bad_index": None}


def checkpoint(case):
    keys = [sv.read_key(vkey) for vkey in case["vkeys"] or []]
    name, size, root = sv.read_checkpoint(to_bytes(case["note"]), keys, new_result())
    return {"origin": name, "size": size, "root": root.hex()}


def inclusion(case):
    path = case["proof"] or []
    sv.check(sv.PATH(path) and case["index"] < case["size"], "not a proof")
    named = [side for _, side in path]
    sv.check(named == sv.sides(case["index"], case["size"]), "sides or number of the steps")
    sv.check(sv.climb(bytes.fromhex(case["leaf_hash"]), path).hex() == case["root"], "the root")
    return {}


def consistency(case):
    proof = case["proof"] or []
    sv.check(sv.array(sv.HASH)(proof), "not a proof")
    roots = (bytes.fromhex(case["from_root"]), bytes.fromhex(case["to_root"]))
    sv.check_consistency(case["from"], case["to"], *roots, list(map(bytes.fromhex, proof)))
    return {}


def batch(case):
    hashes = [bytes.fromhex(text) for text in case["hashes"]]
    leaves = [bytes.fromhex(text) for text in case["leaf_hashes"]]
    root = bytes.fromhex(case["root"])
    sv.check_batch(case["indexes"], leaves, case["size"], hashes, root)
    return {}


def page(case, about):
    keys = [sv.read_key(about["vkey"])]
    found = sv.check_page(case["page"]["entries"], case["page"].get("proof"), keys, new_result())
    return {"indexes": [shown["index"] for shown, _ in found]}


def receipts(case, about):
    """An answer of ingest. Each proof is like one of a page of the entries of its receipts."""
    keys = [sv.read_key(about["vkey"])]
    shown = list(zip(case["answer"]["receipts"], case["events"]))
    numbers = [one["proof"] for one, _ in shown if "proof" in one]
    sv.check(set(numbers) <= set(range(len(case["answer"]["proofs"]))), "no such proof")
    indexes = []
    for number, proof in enumerate(case["answer"]["proofs"]):
        mine = [both for both in shown if both[0].get("proof") == number]
        lines = [
            {"leaf": one.get("leaf"), "data_raw": event["data"], "salt": one["salt"]}
            for one, event in mine
        ]
        found = sv.check_page(lines, proof, keys, new_result())
        for (one, event), (entry, entry_hash) in zip(mine, found):
            leaf = json.loads(one["leaf"])
            said = leaf["log"], leaf["index"], leaf["entry_id"], leaf["agent_did"], entry_hash
            wanted = about["log"], one["index"], event["id"], event["source"], one["entry_hash"]
            sv.check(said == wanted, "index %d is of another event" % entry["index"])
            indexes.append(entry["index"])
    return {"indexes": indexes}


def event_log(case, about):
    """The leaves of a case of events.json are a log (SPEC 10), and each salt is the sender's or the
    derived one."""
    keys = [sv.read_key(about["vkey"])]
    leaves = [to_bytes(one) for one in case["leaves"]]
    payloads = [json.loads(to_bytes(one)) for one in case["payloads"] or []]
    records = {record["index"]: record for record in payloads}
    export = sv.Export(True, (about["origin"], len(leaves), None), keys, new_result())
    sent = json.dumps(case["messages"])
    for index, raw in enumerate(leaves):
        record = {name: value for name, value in records.get(index, {}).items() if name != "index"}
        export.take(json.dumps({"leaf": raw.decode(), **record}).encode())
        entry = json.loads(raw)
        detail = entry.get("detail", {})
        if index in records and detail.get("size", 0) <= 4096:
            source, name = entry["agent_did"], detail.get("entry_id", entry["entry_id"])
            if entry["event_type"] == "sealstream.rejected":
                source, name = "sealstream.rejected", entry["entry_id"]
            derived = salt(about["secret"], source, name, plain(records[index]))
            known = record["salt"] == derived or record["salt"] in sent
            sv.check(known, "the salt at index %d" % index)
    complete = not export.missing and set(records) <= set(range(len(leaves)))
    sv.check(complete, "data without a leaf, or missing")
    return {}
