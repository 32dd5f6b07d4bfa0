"""Checks sealstream_verify.py, and what pkg/SPEC.md says besides, by the vectors of pkg/testdata/vectors.

This is the verb `vectors` of sealstream_verify.py; nothing else needs this file. What a verifier has no use for is left
out: how times and events are parsed (of events.json it checks that the leaves are the log that SPEC 10 asks for).
"""
import base64
import collections
import hashlib
import hmac
import json
import pathlib
import re
import tempfile
import types
import uuid

import sealstream_tiles as st
import sealstream_verify as sv


def to_bytes(value):
    """The bytes that a value of the vectors stands for."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list):
        return b"".join(map(to_bytes, value))
    return to_bytes(value["repeat"]) * value["times"] if "repeat" in value else base64.b64decode(value["base64"])


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
    headers = sorted(((name.encode(), value.encode()) for name, value in case["headers"]), key=lambda header: header[0])
    parts = [case["subject"].encode(), to_bytes(case["body"])] + [part for header in headers for part in header]
    return sv.sha256(*map(lp, parts)).hex()


def fingerprint(case):
    """SPEC 5.8."""
    leaf = json.loads(case["leaf"])
    if leaf["event_type"] == "sealstream.equivocation":
        leaf.update(entry_id=leaf["detail"]["entry_id"], event_type=leaf["detail"]["event_type"])
    if leaf["timestamp"] == leaf["received_at"]:
        del leaf["timestamp"]
    left_out = ("v", "log", "index", "previous_hash", "received_at", "input_epoch", "input_seq", "position", "publisher",
                "redactions", "detail")
    return sv.sha256(sv.canonical({name: value for name, value in leaf.items() if name not in left_out})).hex()


def own_id(case):
    name = "%(log)s/%(input_epoch)d/%(input_seq)d/%(position)d/%(kind)s" % case
    return str(uuid.uuid5(sv.NAMESPACE, name))


def origin(case):
    public = bytes.fromhex(case["public_key"])
    name = "%s/%s/%s" % (case["host"], case["log"], sv.sha256(public).hex()[:8])
    return [name, sv.read_key(case["vkey"])[::2]] == [case["origin"], (name, public)]


HASHES = {  # of each list of hashes.json: whether a case is so
    "leaf_hash": lambda c: sv.leaf_hash(to_bytes(c["leaf"])).hex() == c["hash"],
    "node_hash": lambda c: sv.node(bytes.fromhex(c["left"]), bytes.fromhex(c["right"])).hex() == c["hash"],
    "roots": lambda c: root(c["size"]) == c["root"],
    "data_hash": lambda c: commitment(c["salt"], to_bytes(c["data"])) == c["hash"],
    "derived_salt": lambda c: salt(c["secret"], c["source"], c["id"], to_bytes(c["data"])) == c["salt"],
    "rejected_salt": lambda c: salt(c["secret"], "sealstream.rejected", c["entry_id"], to_bytes(c["whole"])) == c["salt"]
    and commitment(c["salt"], to_bytes(c["whole"])) == c["digest"],
    "secret_fingerprint": lambda c: mac(c["secret"], b"sealstream/v1/secret")[:32] == c["fingerprint"],
    "agent_token": lambda c: base64.b32encode(sv.sha256(c["source"].encode())).decode().lower()[:26] == c["token"],
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
    sv.open_data(record, {"event_type": "x", "data_hash": case.get("data_hash", commitment(record["salt"], plain(record)))})
    return {"index": record["index"], "salt": record["salt"], "data": plain(record)}


def plain(record):
    return record["data_raw"].encode() if "data_raw" in record else sv.unbase64(record["data_base64"])


def new_result():
    return {"checked": collections.Counter(), "first_bad_index": None}


def checkpoint(case):
    keys = [sv.read_key(vkey) for vkey in case["vkeys"] or []]
    name, size, root = sv.read_checkpoint(to_bytes(case["note"]), keys, new_result())
    return {"origin": name, "size": size, "root": root.hex()}


def inclusion(case):
    path = case["proof"] or []
    sv.check(sv.PATH(path) and case["index"] < case["size"], "not a proof")
    sv.check([side for _, side in path] == sv.sides(case["index"], case["size"]), "sides or number of the steps")
    sv.check(sv.climb(bytes.fromhex(case["leaf_hash"]), path).hex() == case["root"], "the root")
    return {}


def consistency(case):
    """RFC 6962 section 2.1.2: the roots of both trees, made from the proof as SUBPROOF takes it apart."""
    rest, old, new = list(case["proof"] or []), case["from"], case["to"]
    sv.check(0 <= old <= new and all(map(sv.HASH, rest)), "not a proof")
    rest = [bytes.fromhex(text) for text in rest]

    def take():
        sv.check(rest, "the proof is too short")
        return rest.pop(0)

    def subproof(m, n, whole):
        if m == n:
            both = bytes.fromhex(case["from_root"]) if whole else take()
            return both, both
        k = 1 << ((n - 1).bit_length() - 1)
        if m <= k:
            left_old, left_new = subproof(m, k, whole)
            return left_old, sv.node(left_new, take())
        right_old, right_new = subproof(m - k, n - k, False)
        left = take()
        return sv.node(left, right_old), sv.node(left, right_new)

    roots = (sv.sha256(), bytes.fromhex(case["to_root"])) if old == 0 else subproof(old, new, True)
    sv.check(not rest, "the proof is too long")
    sv.check([one.hex() for one in roots] == [case["from_root"], case["to_root"]], "the proof does not lead to the roots")
    return {}


def event_log(case, about):
    """The leaves of a case of events.json are a log (SPEC 10), and each salt is the sender's or the derived one."""
    keys, result = [sv.read_key(about["vkey"])], new_result()
    leaves = [to_bytes(one) for one in case["leaves"]]
    records = {record["index"]: record for record in map(json.loads, map(to_bytes, case["payloads"] or []))}
    export = sv.Export(True, (about["origin"], len(leaves), None), keys, result)
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
            sv.check(record["salt"] == derived or record["salt"] in sent, "the salt at index %d" % index)
    sv.check(not export.missing and set(records) <= set(range(len(leaves))), "data without a leaf, or missing")
    return {}


NUMBER = sv.matching("0|[1-9][0-9]{0,15}")
HEADERS = {  # of a SEALED message (SPEC 6), and their forms
    "Version": sv.matching("[0-9]+"), "First": NUMBER, "Count": sv.matching("[1-9][0-9]{0,2}"), "Size": NUMBER, "Root": sv.HASH,
    "Input": sv.matching("(0|[1-9][0-9]{0,15}) (0|[1-9][0-9]{0,15}) (end|[1-9][0-9]{0,2})"), "Input-Digest": sv.HASH,
    "Input-Time": sv.TIME9, "Frontier": sv.matching("[0-9a-f]{64}(,[0-9a-f]{64})*"), "Checkpoint": sv.matching(".+"),
    "Payloads": NUMBER, "Config": NUMBER, "Key": NUMBER,
}


class Sealed:
    """A reader of SEALED messages (SPEC 6), which knows a log by the checks of an export."""
    def __init__(self, vkeys):
        self.keys, self.result = [sv.read_key(vkey) for vkey in vkeys], new_result()
        self.log = sv.Export(True, (self.keys[0][0], 2**53, None), self.keys, self.result)
        self.input, self.payloads, self.force = (1, 0, 0), 0, None
        self.message, self.made = (0, 0), 0  # the message that the entries reach, and how many there are of it

    def read(self, message):
        """(verdict, first bad index); a message that is not good leaves nothing behind that the next one sees."""
        try:
            head, leaves = self.open(message)
        except ValueError:
            return "void", None
        if head["Version"] != "1":
            return "version", None
        if not self.continues(head, leaves[0]):
            return "void", None
        try:
            self.verify(head, leaves)
        except (ValueError, RecursionError):
            return "bad", self.result["first_bad_index"]
        return "good", None

    def open(self, message):
        """The headers and leaves of a message of the right form."""
        found = [(name[len("Sealstream-"):], value) for name, value in message["headers"] if name.startswith("Sealstream-")]
        head = {name: value for name, value in found if name in HEADERS}
        if HEADERS["Version"](head.get("Version")) and head["Version"] != "1":
            return head, None
        sv.need("the message", head, HEADERS)
        sv.check(len([name for name, _ in found if name in HEADERS]) == len(HEADERS), "a header twice")
        leaves = to_bytes(message["body"]).split(b"\n")
        first, count, size = [int(head[name]) for name in ("First", "Count", "Size")]
        sv.check(leaves.pop() == b"" and len(leaves) == count <= 256 and first + count == size < 2**53, "the numbers")
        sv.unbase64(head["Checkpoint"])
        return head, leaves

    def place(self, head):
        epoch, seq, place = head["Input"].split(" ")
        return int(epoch), int(seq), 1000 if place == "end" else int(place)

    def continues(self, head, first):
        try:
            previous = json.loads(first)["previous_hash"]
        except (ValueError, TypeError, KeyError):
            return True
        epoch, place = self.input[0], self.place(head)
        return int(head["First"]) == self.log.found[0] and previous == self.log.last_hash.hex() and (
            place > self.input if place[0] == epoch else place[0] == epoch + 1)

    def verify(self, head, leaves):
        self.chain(leaves, head["Root"])
        self.result["first_bad_index"] = int(head["First"])
        last, (epoch, seq, place) = json.loads(leaves[-1]), self.place(head)
        sv.check(epoch == self.log.epoch == last["input_epoch"], "another epoch than that of the last entry")
        if last["event_type"] in ("sealstream.gap", "sealstream.epoch"):  # these count towards the message that comes next
            sv.check(place != 1000 and (seq == last["input_seq"] + 1 or self.log.fresh), "not the message after the gap")
        else:
            sv.check((seq, head["Input-Time"]) == (last["input_seq"], last["received_at"]), "not the message of the last entry")
            sv.check(place != 1000 or not self.log.holes, "the message has ended, and a position is in no entry")
        sv.check(place in (1000, self.count(leaves)), "the place is not the number of entries")
        with_data = any("data_hash" in json.loads(leaf) for leaf in leaves)
        payloads = int(head["Payloads"])
        sv.check(payloads > self.payloads if with_data else payloads == self.payloads, "the number of the PAYLOADS message")
        sv.check(int(head["Config"]) == self.log.config, "Config is not the newest")
        sv.check(head["Frontier"] == ",".join(root.hex() for root in self.log.roots), "the frontier")
        self.force = self.force or json.loads(leaves[0])["detail"]["keys"]  # index 0 names its own
        may_sign = [key for key in map(sv.read_key, self.force) if key in self.keys]
        origin, size, root = sv.read_checkpoint(sv.unbase64(head["Checkpoint"]), may_sign, self.result)
        sv.check((origin, size, root) == (self.log.head[0], int(head["Size"]), sv.fold(self.log.roots)), "the checkpoint")
        sv.check(head["Root"] == root.hex(), "the root")
        self.input, self.payloads, self.force = self.place(head), payloads, self.log.named
        self.keys += [key for key in map(sv.read_key, self.force) if key not in self.keys]

    def count(self, leaves):
        for leaf in map(json.loads, leaves):
            message = leaf["input_epoch"], leaf["input_seq"]
            if leaf["event_type"] in ("sealstream.gap", "sealstream.epoch"):
                self.message, self.made = None, 1
            elif message == self.message:
                self.made += 1
            else:
                self.message, self.made = message, 1 + (self.made if self.message is None else 0)
        return self.made

    def chain(self, leaves, root):
        """Takes the leaves in. Where a link is broken, the first of the two is bad if the root knows the hash that the other names."""
        roots = list(self.log.roots)
        for i, raw in enumerate(leaves):
            try:
                self.log.take(json.dumps({"leaf": raw.decode()}).encode())
            except ValueError:
                if i and self.knows(root, before, leaves[i:]):
                    self.result["first_bad_index"] -= 1
                raise
            before, roots = roots, list(self.log.roots)

    def knows(self, root, roots, rest):
        named, size = json.loads(rest[0])["previous_hash"], self.log.found[0] - 1
        for hash in [bytes.fromhex(named)] + list(map(sv.leaf_hash, rest)):
            sv.append(roots, size, hash)
            size += 1
        return named != self.log.last_hash.hex() and sv.fold(roots).hex() == root


def batches(case, about):
    reader = Sealed(about["vkeys"])
    for number, message in enumerate(case["messages"]):
        verdict = reader.read(message)
        expected = message["verdict"], message.get("first_bad_index")
        sv.check(verdict == expected, "message %d: %s, not %s" % (number, verdict, expected))
    return {"size": reader.log.found[0], "root": sv.fold(reader.log.roots).hex()}


def frames(raw):
    """The content of zstd frames (RFC 8878), which are one block that is not compressed each: more than that the vectors have not."""
    content, starts, at = b"", [], 0
    while at < len(raw):
        sv.check(raw[at:at + 5] == b"\x28\xb5\x2f\xfd\xa0" and len(raw) >= at + 12, "no frame at byte %d" % at)
        size, block = int.from_bytes(raw[at + 5:at + 9], "little"), int.from_bytes(raw[at + 9:at + 12], "little")
        sv.check(block == size << 3 | 1 and len(raw) >= at + 12 + size, "the frame at byte %d is cut off" % at)
        starts.append((at, len(content)))
        content, at = content + raw[at + 12:at + 12 + size], at + 12 + size
    return content, starts


def part(manifest, raw):
    """SPEC 12.2: an object is what its manifest says; its messages, in order, as (sequence, time, headers, body)."""
    content, starts = frames(raw)
    for name, b in (("object", raw), ("content", content)):
        sv.check(manifest[name] == {"bytes": len(b), "sha256": hashlib.sha256(b).hexdigest()}, "another %s" % name)
    messages, places, at = [], {}, 0

    def take(size):
        nonlocal at
        at += size
        sv.check(at < len(content) and content[at:at + 1] == b"\n", "a part ends elsewhere than it says")
        at += 1
        return content[at - size - 1:at - 1]

    while at < len(content):
        place = at
        seq, time, count, size = take(content.index(b"\n", at) - at).decode().split(" ")
        headers = []
        for _ in range(int(count)):
            name, value = map(int, take(content.index(b"\n", at) - at).decode().split(" "))
            both = take(name + value)
            headers.append([both[:name].decode(), both[name:].decode()])
        sv.check(not messages or int(seq) > messages[-1][0], "sequence %s out of order" % seq)
        places[place] = int(seq)
        messages.append((int(seq), time, headers, take(int(size))))
    found = [[places.get(inside), outside] for outside, inside in starts]
    sv.check(found == [[seq, at] for seq, _, at in manifest["frames"]], "frames that begin elsewhere")
    return messages


def manifest_of(raw, kind):
    """segment.json or payloads.json, which has one form."""
    found = json.loads(raw)
    sv.check(json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" == raw, "not in its one form")
    sv.check(found[kind] == 1, "another version")
    return found


def archive(case):
    """An archive (SPEC 12): its objects make SEALED and PAYLOADS again, and these make a log."""
    objects = {entry["name"]: to_bytes(entry["body"]) for entry in case["objects"]}
    seen, sealed, data, size, erased = 0, [], {}, 0, set()
    for number in range(case["segments"]):
        base = "%s/%08d/" % (case["log"], number)
        manifest, payloads = manifest_of(objects[base + "segment.json"], "sealstream_segment"), manifest_of(objects[base + "payloads.json"], "sealstream_payloads")
        sv.check((manifest["first"], manifest["first_seq"], manifest["segment"], payloads["segment"]) == (size, seen + 1, number, number), "a segment that does not go on")
        messages = part(manifest, objects[base + "sealed.zst"])
        sv.check([message[0] for message in messages] == list(range(seen + 1, manifest["last_seq"] + 1)), "sequences are missing")
        last = dict(messages[-1][2])
        sv.check(int(last["Sealstream-Size"]) == manifest["size"] and sv.unbase64(last["Sealstream-Checkpoint"]) == manifest["checkpoint"].encode()
                 and int(last["Sealstream-Payloads"]) == manifest["payloads"], "its last batch says something else")
        sealed += messages
        data.update((message[0], message[3]) for message in part(payloads, objects[base + "payloads-%d.zst" % payloads["revision"]]))
        erased.update(payloads["erased"])
        seen, size = manifest["last_seq"], manifest["size"]
    told = [(message["seq"], message["time"], message["headers"], to_bytes(message["body"])) for message in case["messages"]]
    sv.check(sealed == told, "other messages than were archived")
    sv.check(data == {message["seq"]: to_bytes(message["body"]) for message in case["payloads"]}, "other data than was archived")
    reader = Sealed([case["vkey"]])
    for (_, _, headers, body), message in zip(sealed, case["messages"]):
        verdict = reader.read({"headers": headers, "body": body.decode()})[0]
        sv.check(verdict == ("void" if message["void"] else "good"), "sequence %d: %s" % (message["seq"], verdict))
        if verdict == "good":
            records = data.get(int(dict(headers)["Sealstream-Payloads"]), b"").splitlines()
            records = {sv.parse(record)["index"]: sv.parse(record) for record in records}
            for leaf in map(sv.parse, body.splitlines()):
                there = leaf["index"] in records
                sv.check(there == ("data_hash" in leaf and leaf["index"] not in erased), "the data of index %d" % leaf["index"])
                if there:
                    sv.open_data(records[leaf["index"]], leaf)
    return {"size": reader.log.found[0], "root": sv.fold(reader.log.roots).hex()}


def archive_damaged(case, change):
    """The archive with one object changed: it must be refused."""
    objects = [entry for entry in case["objects"] if entry["name"] != change["object"]]
    if "body" in change:
        objects.append({"name": change["object"], "body": change["body"]})
    return archive(dict(case, objects=objects))


def export(case, directory):
    """The verdict on an export, and the index that is named."""
    keys = [sv.read_key(vkey) for vkey in case["vkeys"] or []]
    args = types.SimpleNamespace(file=pathlib.Path(directory, case["file"]), keys=keys, checkpoint=[])
    result = new_result()
    try:
        sv.verify_export(args, result)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OSError):
        named = case.get("first_bad_index", result["first_bad_index"])
        sv.check(not case["valid"] and result["first_bad_index"] == named, "index %s is named" % result["first_bad_index"])
        return {}
    sv.check(case["valid"], "it is accepted")
    return {}


def run(function, **arguments):
    """Runs a verb on its files; what it raises is its verdict."""
    with tempfile.TemporaryDirectory() as directory:
        for name, raw in arguments.pop("files").items():
            arguments[name] = pathlib.Path(directory, name)
            arguments[name].write_bytes(raw)
        result = new_result()
        function(types.SimpleNamespace(**arguments), result)
        return result


def json_proof(case, about):
    raw = json.dumps(case["proof"]).encode()
    run(sv.verify_proof, keys=[sv.read_key(about["vkey"])], files={"file": raw})
    return {"leaf": case["proof"]["leaf"]}


def proof_file(case, about):
    files = {"file": to_bytes(case["file"]), "leaf": to_bytes(case["leaf"])}
    run(sv.verify_proof_file, keys=[sv.read_key(about["vkey"])], files=files)
    return {}


def tile_directory(case, about):
    """The files of the directory, as the case changes them."""
    files = {path: to_bytes(raw) for path, raw in {**about["files"], **case["changes"]}.items() if raw is not None}
    with tempfile.TemporaryDirectory() as directory:
        for path, raw in files.items():
            target = pathlib.Path(directory, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(raw)
        result = new_result()
        arguments = types.SimpleNamespace(dir=pathlib.Path(directory), keys=[sv.read_key(key) for key in case["vkeys"]], checkpoint=[])
        try:
            st.verify_tiles(arguments, result)
        except (ValueError, LookupError, TypeError):
            sv.check(case["valid"] or result["first_bad_index"] == case["first_bad_index"], "first_bad_index %s" % result["first_bad_index"])
            sv.check(not case["valid"], "it is refused")
        else:
            sv.check(case["valid"], "it is accepted")
    return {}


def cases(directory):
    """Every (name, whether it must be accepted, the check, the members that the check's result must have)."""
    def load(name):
        return json.loads(pathlib.Path(directory, name).read_bytes())
    for name, found in load("hashes.json").items():
        for case in found:
            is_so = lambda: sv.check(HASHES[name](case), "another value") or {}
            yield "hashes.json %s: %s" % (name, case["name"]), True, is_so, {}
    for case in load("times.json")["cases"]:
        if case["ok"]:
            yield "times.json: " + case["name"], True, lambda: sv.check(sv.TIME(case["out"]), "no time") or {}, {}
    for file, function, told in (("leaves.json", leaf, ["entry_hash"]), ("payloads.json", payload, ["index", "salt", "data"]),
                                 ("checkpoints.json", checkpoint, ["origin", "size", "root"])):
        for case in load(file)["cases"]:
            expected = {name: to_bytes(case[name]) if name == "data" else case[name] for name in told} if case["ok"] else {}
            yield "%s: %s" % (file, case["name"]), case["ok"], lambda: function(case), expected
    about = load("events.json")
    for case in about["cases"]:
        yield "events.json: " + case["name"], True, lambda: event_log(case, about), {}
    about_proofs = load("proofs.json")
    for part, function in (("inclusion", inclusion), ("consistency", consistency),
                           ("json", lambda case: json_proof(case, about_proofs)),
                           ("files", lambda case: proof_file(case, about_proofs))):
        for case in about_proofs[part]:
            expected = {"leaf": case["leaf"]} if part == "json" and case["ok"] else {}
            yield "proofs.json %s: %s" % (part, case["name"]), case["ok"], lambda: function(case), expected
    about_cosignatures = load("cosignatures.json")
    for case in about_cosignatures["policies"]:
        yield "cosignatures.json policy: " + case["name"], case["ok"], lambda: st.read_policy(to_bytes(case["policy"])) and {}, {}
    for case in about_cosignatures["cases"]:
        yield "cosignatures.json: " + case["name"], case["ok"], lambda: st.witnessed(to_bytes(case["note"]), to_bytes(case["policy"])) and {}, {}
    about_tiles = load("tiles.json")
    for case in about_tiles["cases"]:
        yield "tiles.json: " + case["name"], True, lambda: tile_directory(case, about_tiles), {}
    about_batches = load("batches.json")
    for case in about_batches["cases"]:
        told = {name: case[name] for name in ("size", "root") if name in case and case["messages"][-1]["verdict"] == "good"}
        yield "batches.json: " + case["name"], True, lambda: batches(case, about_batches), told
    archived = load("archive.json")
    yield "archive.json: all", True, lambda: archive(archived), {"size": archived["size"], "root": archived["root"]}
    for change in archived["damaged"]:
        yield "archive.json: " + change["name"], False, lambda: archive_damaged(archived, change), {}
    for case in load("exports.json")["cases"]:
        yield "exports.json: " + case["name"], True, lambda: export(case, directory), {}


def verify(directory, result):
    """Runs all cases; the line to print, or a ValueError that names the cases that differ."""
    wrong, count = [], collections.Counter()
    for name, ok, function, expected in cases(directory):
        try:
            got = function()
            differs = not ok or any(got[member] != value for member, value in expected.items())
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as bad:
            differs = "%s" % bad if ok else False
        count.update({name.split(".json")[0]: 1})
        if differs:
            wrong.append(name if differs is True else "%s (%s)" % (name, differs))
    result["checked"].update(count)
    sv.check(not wrong, "%d of %d cases differ: %s" % (len(wrong), sum(count.values()), "; ".join(wrong)))
    return "%d cases: %s" % (sum(count.values()), ", ".join("%d %s" % (n, name) for name, n in count.items()))
