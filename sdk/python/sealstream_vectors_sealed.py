"""What of the vectors is SEALED messages (SPEC 6) and archives of them (SPEC 12). A part of
sealstream_vectors.py."""
import hashlib
import json

import sealstream_verify as sv
from sealstream_vectors_values import new_result, to_bytes

NUMBER = sv.matching("0|[1-9][0-9]{0,15}")
HEADERS = {  # of a SEALED message (SPEC 6), and their forms
    "Version": sv.matching("[0-9]+"),
    "First": NUMBER,
    "Count": sv.matching("[1-9][0-9]{0,2}"),
    "Size": NUMBER,
    "Root": sv.HASH,
    "Input": sv.matching("(0|[1-9][0-9]{0,15}) (0|[1-9][0-9]{0,15}) (end|[1-9][0-9]{0,2})"),
    "Input-Digest": sv.HASH,
    "Input-Time": sv.TIME9,
    "Frontier": sv.matching("[0-9a-f]{64}(,[0-9a-f]{64})*"),
    "Checkpoint": sv.matching(".+"),
    "Payloads": NUMBER,
    "Config": NUMBER,
    "Key": NUMBER,
}
TOWARDS_NEXT = ("sealstream.gap", "sealstream.epoch")  # count towards the message that comes next
END = 1000  # the place behind the last entry of a message


class Sealed:
    """A reader of SEALED messages (SPEC 6), which knows a log by the checks of an export."""
    def __init__(self, vkeys):
        self.keys = [sv.read_key(vkey) for vkey in vkeys]
        self.result = new_result()
        self.log = sv.Export(True, (self.keys[0][0], 2**53, None), self.keys, self.result)
        self.input = (1, 0, 0)  # epoch, sequence and place that the entries reach
        self.payloads = 0  # number of the newest PAYLOADS message
        self.active = None  # keys of the newest config
        self.message = (0, 0)  # the message that the entries reach
        self.made = 0  # entries of it

    def read(self, message):
        """(verdict, first bad index). A message that is not good leaves nothing behind that the
        next one sees."""
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
        found = []
        for name, value in message["headers"]:
            prefix, own, rest = name.partition("Sealstream-")
            if own and not prefix and rest in HEADERS:
                found.append((rest, value))
        head = dict(found)
        if HEADERS["Version"](head.get("Version")) and head["Version"] != "1":
            return head, None
        sv.need("the message", head, HEADERS)
        sv.check(len(found) == len(HEADERS), "a header twice")
        leaves = to_bytes(message["body"]).split(b"\n")
        first, count, size = [int(head[name]) for name in ("First", "Count", "Size")]
        ended = leaves.pop() == b""
        right = ended and len(leaves) == count <= 256 and first + count == size < 2**53
        sv.check(right, "the numbers")
        sv.unbase64(head["Checkpoint"])
        return head, leaves

    def place(self, head):
        epoch, seq, place = head["Input"].split(" ")
        return int(epoch), int(seq), END if place == "end" else int(place)

    def continues(self, head, first):
        try:
            previous = json.loads(first)["previous_hash"]
        except (ValueError, TypeError, KeyError):
            return True
        epoch = self.input[0]
        place = self.place(head)
        if int(head["First"]) != self.log.found[0] or previous != self.log.last_hash.hex():
            return False
        return place > self.input if place[0] == epoch else place[0] == epoch + 1

    def verify(self, head, leaves):
        self.chain(leaves, head["Root"])
        self.result["first_bad_index"] = int(head["First"])
        last = json.loads(leaves[-1])
        epoch, seq, place = self.place(head)
        same = epoch == self.log.input.epoch == last["input_epoch"]
        sv.check(same, "another epoch than that of the last entry")
        if last["event_type"] in TOWARDS_NEXT:
            next_one = seq == last["input_seq"] + 1 or self.log.input.fresh
            sv.check(place != END and next_one, "not the message after the gap")
        else:
            same = (seq, head["Input-Time"]) == (last["input_seq"], last["received_at"])
            sv.check(same, "not the message of the last entry")
            complete = place != END or not self.log.input.left_out
            sv.check(complete, "the message has ended, and a position is in no entry")
        sv.check(place in (END, self.count(leaves)), "the place is not the number of entries")
        with_data = any(sv.has_record(json.loads(leaf)) for leaf in leaves)
        payloads = int(head["Payloads"])
        right = payloads > self.payloads if with_data else payloads == self.payloads
        sv.check(right, "the number of the PAYLOADS message")
        sv.check(int(head["Config"]) == self.log.config, "Config is not the newest")
        no_keys = self.log.rules < 4 or head["Key"] == "0"
        sv.check(no_keys, "Key names a key entry in a log without verdicts")
        frontier = ",".join(root.hex() for root in self.log.roots)
        sv.check(head["Frontier"] == frontier, "the frontier")
        self.active = self.active or json.loads(leaves[0])["detail"]["keys"]  # of index 0
        may_sign = [key for key in map(sv.read_key, self.active) if key in self.keys]
        note = sv.unbase64(head["Checkpoint"])
        origin, size, root = sv.read_checkpoint(note, may_sign, self.result)
        same = origin == self.log.head[0] and size == int(head["Size"])
        sv.check(same and root == sv.fold(self.log.roots), "the checkpoint")
        sv.check(head["Root"] == root.hex(), "the root")
        self.input = self.place(head)
        self.payloads = payloads
        self.active = self.log.named
        self.keys += [key for key in map(sv.read_key, self.active) if key not in self.keys]

    def count(self, leaves):
        for leaf in map(json.loads, leaves):
            message = leaf["input_epoch"], leaf["input_seq"]
            if leaf["event_type"] in TOWARDS_NEXT:
                self.message, self.made = None, 1
            elif message == self.message:
                self.made += 1
            else:
                self.message, self.made = message, 1 + (self.made if self.message is None else 0)
        return self.made

    def chain(self, leaves, root):
        """Takes the leaves in. Where a link is broken, the first of the two is bad if the root
        knows the hash that the other names."""
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
    """The content of zstd frames (RFC 8878), and where they begin. The vectors have only frames of
    one block that is not compressed."""
    content = b""
    starts = []
    at = 0
    while at < len(raw):
        begins = raw[at : at + 5] == b"\x28\xb5\x2f\xfd\xa0" and len(raw) >= at + 12
        sv.check(begins, "no frame at byte %d" % at)
        size = int.from_bytes(raw[at + 5 : at + 9], "little")
        block = int.from_bytes(raw[at + 9 : at + 12], "little")
        whole = block == size << 3 | 1 and len(raw) >= at + 12 + size
        sv.check(whole, "the frame at byte %d is cut off" % at)
        starts.append((at, len(content)))
        content += raw[at + 12 : at + 12 + size]
        at += 12 + size
    return content, starts


def part(manifest, raw):
    """SPEC 12.2: an object is what its manifest says. Returns its messages, in order, as (sequence,
    time, headers, body)."""
    content, starts = frames(raw)
    for name, b in (("object", raw), ("content", content)):
        said = {"bytes": len(b), "sha256": hashlib.sha256(b).hexdigest()}
        sv.check(manifest[name] == said, "another %s" % name)
    messages, places, at = [], {}, 0

    def take(size):
        nonlocal at
        at += size
        sv.check(content[at : at + 1] == b"\n", "a part ends elsewhere than it says")
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
    said = [[seq, at] for seq, _, at in manifest["frames"]]
    sv.check(found == said, "frames that begin elsewhere")
    return messages


def manifest_of(raw, kind):
    """segment.json or payloads.json, which has one form."""
    found = json.loads(raw)
    text = json.dumps(found, separators=(",", ":"), ensure_ascii=False) + "\n"
    sv.check(text.encode() == raw, "not in its one form")
    sv.check(found[kind] == 1, "another version")
    return found


def archive(case):
    """An archive (SPEC 12): its objects make SEALED and PAYLOADS again, and these make a log."""
    objects = {entry["name"]: to_bytes(entry["body"]) for entry in case["objects"]}
    seen, sealed, data, size, erased = 0, [], {}, 0, set()
    for number in range(case["segments"]):
        base = "%s/%08d/" % (case["log"], number)
        manifest = manifest_of(objects[base + "segment.json"], "sealstream_segment")
        payloads = manifest_of(objects[base + "payloads.json"], "sealstream_payloads")
        same = manifest["segment"] == payloads["segment"] == number
        follows = manifest["first"] == size and manifest["first_seq"] == seen + 1
        sv.check(same and follows, "a segment that does not go on")
        messages = part(manifest, objects[base + "sealed.zst"])
        sequences = [message[0] for message in messages]
        complete = sequences == list(range(seen + 1, manifest["last_seq"] + 1))
        sv.check(complete, "sequences are missing")
        last = dict(messages[-1][2])
        same = (
            int(last["Sealstream-Size"]) == manifest["size"]
            and sv.unbase64(last["Sealstream-Checkpoint"]) == manifest["checkpoint"].encode()
            and int(last["Sealstream-Payloads"]) == manifest["payloads"]
        )
        sv.check(same, "its last batch says something else")
        sealed += messages
        name = "payloads-%d.zst" % payloads["revision"]
        for seq, _, _, body in part(payloads, objects[base + name]):
            data[seq] = body
        erased.update(payloads["erased"])
        seen, size = manifest["last_seq"], manifest["size"]
    archived = []
    for message in case["messages"]:
        body = to_bytes(message["body"])
        archived.append((message["seq"], message["time"], message["headers"], body))
    sv.check(sealed == archived, "other messages than were archived")
    archived_data = {message["seq"]: to_bytes(message["body"]) for message in case["payloads"]}
    sv.check(data == archived_data, "other data than was archived")
    reader = Sealed([case["vkey"]])
    for (_, _, headers, body), message in zip(sealed, case["messages"]):
        verdict = reader.read({"headers": headers, "body": body.decode()})[0]
        expected = "void" if message["void"] else "good"
        sv.check(verdict == expected, "sequence %d: %s" % (message["seq"], verdict))
        if verdict == "good":
            records = data.get(int(dict(headers)["Sealstream-Payloads"]), b"").splitlines()
            records = {sv.parse(record)["index"]: sv.parse(record) for record in records}
            for leaf in map(sv.parse, body.splitlines()):
                there = leaf["index"] in records
                due = sv.has_record(leaf) and leaf["index"] not in erased
                sv.check(there == due, "the data of index %d" % leaf["index"])
                if there:
                    sv.open_data(records[leaf["index"]], leaf)
    return {"size": reader.log.found[0], "root": sv.fold(reader.log.roots).hex()}


def archive_damaged(case, change):
    """The archive with one object changed: it must be refused."""
    objects = [entry for entry in case["objects"] if entry["name"] != change["object"]]
    if "body" in change:
        objects.append({"name": change["object"], "body": change["body"]})
    return archive(dict(case, objects=objects))
