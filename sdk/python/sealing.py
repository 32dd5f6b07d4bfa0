"""What the tests of sealstream_verify.py seal with: a signer, a naive RFC 6962 and a small sealer by the rules of docs/SPEC.md.

None of it shares code with the verifier.
"""
import base64
import contextlib
import functools
import hashlib
import io
import json
import os
import tempfile
import unittest
import uuid

import sealstream_verify as verifier

TIME = "2026-01-02T03:04:05.000000000Z"
LIMITS = {"attribute_bytes": 4096, "data_bytes": 262144, "data_depth": 32, "leaf_bytes": 65535, "message_bytes": 921600,
          "message_events": 256, "window": 1048576}


def sha256(data):
    return hashlib.sha256(data).digest()


def jcs(value):  # enough for the members used here, whose names are ASCII
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


# ---- An Ed25519 signer in affine coordinates, after the definitions of RFC 8032 section 5.1.
p = 2**255 - 19
order = 2**252 + 27742317777372353535851937790883648493
d = -121665 * pow(121666, p - 2, p) % p
BASE = (15112221349535400772501151409588531511454012693041857206046113283949847762202,
        46316835694926478169428394003475163141307993866256225615783033603165251855960)


def plus(a, b):
    t = d * a[0] * b[0] * a[1] * b[1] % p
    return ((a[0] * b[1] + a[1] * b[0]) * pow(1 + t, -1, p) % p, (a[1] * b[1] + a[0] * b[0]) * pow(1 - t, -1, p) % p)


def multiply(n, point):
    total = (0, 1)
    while n:
        total = plus(total, point) if n & 1 else total
        point, n = plus(point, point), n >> 1
    return total


def pack(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def expand(seed):
    h = hashlib.sha512(seed).digest()
    return (int.from_bytes(h[:32], "little") & ((1 << 254) - 8)) | 1 << 254, h[32:]


@functools.lru_cache(None)
def public_key(seed):
    return pack(multiply(expand(seed)[0], BASE))


@functools.lru_cache(None)
def sign(seed, message):
    a, prefix = expand(seed)
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % order
    head = pack(multiply(r, BASE))
    k = int.from_bytes(hashlib.sha512(head + public_key(seed) + message).digest(), "little") % order
    return head + ((r + k * a) % order).to_bytes(32, "little")


# ---- RFC 6962 section 2.1, as it is written there.
def split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def tree_hash(leaves):
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0])
    k = split(len(leaves))
    return sha256(b"\1" + tree_hash(leaves[:k]) + tree_hash(leaves[k:]))


def audit_path(m, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return audit_path(m, leaves[:k]) + [[tree_hash(leaves[k:]).hex(), "right"]]
    return audit_path(m - k, leaves[k:]) + [[tree_hash(leaves[:k]).hex(), "left"]]


# ---- A small sealer. It puts down what a test says, right or wrong.
class Log:
    SEED = bytes(range(32))
    PUBLIC = public_key(SEED)

    def __init__(self, name="default", seed=None, **config):
        self.name, self.seed = name, seed or self.SEED
        self.public = public_key(seed) if seed else self.PUBLIC
        self.origin = "log.example/%s/%s" % (name, sha256(self.public).hex()[:8])
        self.vkey = self.make_vkey(self.origin)
        self.leaves, self.records = [], {}
        self.config(7, **config)

    def make_vkey(self, name, public=None):
        raw = b"\x01" + (public or self.public)
        return "%s+%s+%s" % (name, sha256(name.encode() + b"\n" + raw)[:4].hex(), base64.b64encode(raw).decode())

    def put(self, event_type, seq, position=0, data=None, **members):
        """Appends a leaf; a member of None is left out. Returns its index."""
        index = len(self.leaves)
        leaf = {"v": 1, "log": self.name, "index": index, "previous_hash": self.hash(index - 1), "entry_id": "id-%d" % index,
                "timestamp": "2026-01-02T03:04:05Z", "received_at": TIME, "event_type": event_type,
                "cloudevent_type": "ai.agentmesh." + event_type, "agent_did": "did:example:a", "input_epoch": 1,
                "input_seq": seq, "position": position}
        if data is not None:
            salt = sha256(b"salt %d" % index)
            leaf["data_hash"] = sha256(b"\2" + salt + data).hex()
            try:
                self.records[index] = {"data_raw": data.decode(), "salt": salt.hex()}
            except UnicodeDecodeError:
                self.records[index] = {"data_base64": base64.b64encode(data).decode(), "salt": salt.hex()}
        leaf.update(members)
        self.leaves.append(jcs({name: value for name, value in leaf.items() if value is not None}))
        return index

    def own(self, kind, seq, detail, position=0, data=None, input_epoch=1, **members):
        name = "%s/%d/%d/%d/%s" % (self.name, input_epoch, seq, position, kind)
        entry_id = str(uuid.uuid5(uuid.UUID("6f8f8e0e-6f0c-5c0e-9d0a-7365616c7374"), name))
        members = {"entry_id": entry_id, "agent_did": self.origin, "timestamp": TIME, "cloudevent_type": None, "detail": detail,
                   "input_epoch": input_epoch, **members}
        return self.put("sealstream." + kind, seq, position, data, **members)

    def config(self, seq, leaf={}, **changes):
        detail = {"origin": self.origin, "keys": [self.vkey], "events_created": TIME, "events_open": False, "epoch": 1,
                  "rules": 1, "secret_fingerprint": "0" * 32, "limits": LIMITS, **changes}
        return self.own("config", seq, {name: value for name, value in detail.items() if value is not None}, **leaf)

    def rejected(self, seq, whole, position=0, **changes):
        index, salt = len(self.leaves), sha256(b"salt %d" % len(self.leaves))
        digest = sha256(b"\2" + salt + whole).hex()
        detail = {"reason": "no", "digest": digest, "size": len(whole), "subject": "audit.default.events.x", **changes}
        return self.own("rejected", seq, detail, position, whole[:4096])

    def epoch(self, epoch, after_seq, **after):
        size = len(self.leaves)
        after = {"input_epoch": epoch - 1, "input_seq": after_seq, "size": size, "root": self.root().hex(), **after}
        detail = {"epoch": epoch, "events_created": "2026-02-02T03:04:05.000000000Z", "reason": "lost", "after": after}
        self.own("epoch", 0, detail, input_epoch=epoch)
        return detail

    def bytes(self):
        return [leaf.encode() for leaf in self.leaves]

    def hash(self, index):
        return sha256(b"\0" + self.leaves[index].encode()).hex() if index >= 0 else "0" * 64

    def root(self, size=None):
        return tree_hash(self.bytes()[:size])

    def checkpoint(self, size=None, root=None):
        size = len(self.leaves) if size is None else size
        text = "%s\n%d\n%s\n" % (self.origin, size, base64.b64encode(root or self.root(size)).decode())
        ident = bytes.fromhex(self.vkey.split("+")[1])
        return text + "\n\u2014 %s %s\n" % (self.origin, base64.b64encode(ident + sign(self.seed, text.encode())).decode())

    def export(self, only=None):
        """The manifest and lines, as objects; of a whole log, or of some indexes."""
        indexes = range(len(self.leaves)) if only is None else only
        manifest = {"sealstream_export": 1, "log": self.name, "origin": self.origin, "count": len(indexes),
                    "size": len(self.leaves), "root": self.root().hex(), "checkpoint": self.checkpoint(),
                    "filters": {} if only is None else {"agent": ["a"]}}
        if indexes:
            manifest.update(first=indexes[0], last=indexes[-1])
        lines = [{"leaf": self.leaves[i], **self.records.get(i, {})} for i in indexes]
        for index, line in zip(indexes, lines):
            if only is not None:
                line["merkle_proof"] = audit_path(index, self.bytes())
        return [manifest] + lines

    def proof(self, index, **entry):
        leaf = self.leaves[index]
        return {"entry": {**json.loads(leaf), "entry_hash": self.hash(index), **entry}, "leaf": leaf, "leaf_index": index,
                "tree_size": len(self.leaves), "merkle_proof": audit_path(index, self.bytes()), "merkle_root": self.root().hex(),
                "checkpoint": self.checkpoint(), "verified": True}


def sample():
    """A log with every kind of entry."""
    log = Log()
    log.put("tool_invocation", 8, data=b'{"tool":"search","n":12345678901234567890}')                  # 1
    log.put("tool_invocation", 9, 0, extensions={"traceparent": "x"}, publisher="ingest-1")             # 2
    log.put("policy_violation", 9, 2, action="deny", outcome="denied", data=b"\xff\x00")                # 3
    log.own("duplicate", 9, {"originals": [{"index": 1, "position": 1}, {"index": 2, "position": 3}]}, position=4)  # 4
    log.rejected(10, b"short and bad")                                                                  # 5
    log.rejected(11, b"x" * 5000)                                                                       # 6
    log.own("gap", 14, {"from": 12, "to": 14})                                                          # 7
    log.own("equivocation", 15, {"entry_id": "id-1", "event_type": "tool_invocation", "original": 1}, agent_did="did:example:a",
            timestamp="2026-01-02T03:04:05Z", cloudevent_type="ai.agentmesh.tool.invoked")              # 8
    log.own("duplicate", 16, {"originals": [{"index": 1, "position": 0}]}, position=1)                  # 9
    log.config(17, previous=0, events_open=True)                                                        # 10
    log.own("erasure", 18, {"indexes": [1, 5], "reason": "asked", "authority": "court"})                # 11
    log.put("tool_invocation", 19, 1, data=b"null")                                                     # 12, message broken off
    detail = log.epoch(2, 19)                                                                           # 13
    log.own("control", 3, detail, input_epoch=2)                                                        # 14
    log.put("tool_invocation", 4, input_epoch=2, data="\u00e9 \U0001f600".encode())                    # 15
    return log


class Case(unittest.TestCase):
    """Runs the command on files in a directory of its own."""
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def file(self, content):
        path = os.path.join(self.directory, str(len(os.listdir(self.directory))))
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def lines(self, lines):
        return self.file(b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in lines))

    def run_main(self, *argv):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = verifier.main(list(argv))
            except SystemExit as exit:
                status = exit.code
        return status, out.getvalue()

    def verdict(self, *argv):
        status, out = self.run_main(*argv, "--json")
        result = json.loads(out)
        self.assertEqual(set(result), {"valid", "error", "first_bad_index", "tree_size", "root", "checked"})
        self.assertEqual(result["valid"], status == 0, result)
        return status, result

    def good(self, *argv):
        status, result = self.verdict(*argv)
        self.assertEqual((status, result["error"], result["first_bad_index"]), (0, None, None), result)
        return result

    def bad(self, argv, index, words):
        status, result = self.verdict(*argv)
        self.assertEqual(status, 1, (words, result))
        self.assertIn(words, result["error"])
        self.assertEqual(result["first_bad_index"], index, result)
