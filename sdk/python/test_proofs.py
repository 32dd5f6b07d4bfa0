"""Filtered exports, proofs, checkpoints and bare paths, good and bad."""
import base64
import json
import unittest

from sealing import Case, Log, audit_path, sample, sign


class FilteredExports(Case):
    def test_good(self):
        log = sample()
        for only in ([], [0], [3], [1, 2, 3], [0, 5, 15], list(range(16))):
            status, out = self.run_main("export", self.lines(log.export(only)), "--key", log.vkey)
            self.assertEqual((status, "not proven" in out), (0, True), out)
        lines = log.export([1, 2])
        del lines[1]["data_raw"], lines[1]["salt"]
        self.assertEqual(self.good("export", self.lines(lines), "--key", log.vkey)["checked"],
                         {"checkpoints": 1, "entries": 2, "own_entries": 0, "data_opened": 0, "data_absent": 1})

    def test_needs_a_key(self):
        log = sample()
        path = self.lines(log.export([1]))
        self.assertEqual(self.verdict("export", path)[0], 2)
        self.assertEqual(self.verdict("export", path, "--key", log.vkey, "--checkpoint", path)[0], 2)

    def test_bad(self):
        log = sample()

        def proof(change):
            return lambda lines: lines[2].update(merkle_proof=change(lines[2]["merkle_proof"]))
        for name, work, index, words in (
                ("no proof", lambda lines: lines[2].pop("merkle_proof"), 3, "filters"),
                ("a hash", proof(lambda path: [["0" * 64, path[0][1]]] + path[1:]), 3, "lead to the root"),
                ("a side", proof(lambda path: [[path[0][0], "right"]] + path[1:]), 3, "sides"),
                ("a step less", proof(lambda path: path[1:]), 3, "sides"),
                ("no array", proof(lambda path: [{}]), None, "merkle_proof"),
                ("another's proof", lambda lines: lines[2].update(merkle_proof=lines[1]["merkle_proof"]), 3, "sides"),
                ("a leaf", lambda lines: lines[2].update(leaf=lines[2]["leaf"].replace("deny", "allow")), 3, "lead to the root"),
                ("order", lambda lines: lines.insert(1, lines.pop(2)), 1, "follows"),
                ("twice", lambda lines: lines.insert(2, lines[1]), 1, "follows"),
                ("data", lambda lines: lines[1].update(data_raw="x"), 1, "does not open"),
                ("count", lambda lines: lines[0].update(count=2), 10, "count"),
                ("last", lambda lines: lines[0].update(last=3), 10, "last"),
                ("one left out", lambda lines: lines.pop(), 3, "count"),
                ("size", lambda lines: lines[0].update(size=15), 0, "manifest"),
                ("root", lambda lines: lines[0].update(root="0" * 64), 0, "manifest"),
                ("another's checkpoint", lambda lines: lines[0].update(checkpoint=Log().checkpoint()), 0, "manifest")):
            with self.subTest(name):
                lines = log.export([1, 3, 10])
                work(lines)
                self.bad(("export", self.lines(lines), "--key", log.vkey), index, words)

    def test_broken_chain_between_neighbours(self):
        log = Log()
        log.put("x", 8)
        log.put("x", 9, previous_hash="0" * 64)
        self.bad(("export", self.lines(log.export([1, 2])), "--key", log.vkey), 2, "previous_hash")
        self.good("export", self.lines(log.export([0, 2])), "--key", log.vkey)


class Proofs(Case):
    def check_proof(self, proof, log):
        return ("proof", self.file(json.dumps(proof)), "--key", log.vkey)

    def test_good(self):
        log = sample()
        for index in range(16):
            result = self.good(*self.check_proof(log.proof(index), log))
            self.assertEqual((result["tree_size"], result["root"]), (16, log.root().hex()))
        self.good(*self.check_proof({**log.proof(3), "verified": False}, log))
        self.good(*self.check_proof(Log().proof(0), Log()))
        opened = self.good(*self.check_proof(log.proof(1, **log.records[1]), log))
        self.assertEqual(opened["checked"], {"checkpoints": 1, "data_opened": 1, "unproven_members": 0})
        for data in (json.loads(log.leaves[0]), {"tool": "search", "n": 12345678901234567890}, log.records[1]["data_raw"]):
            proof = log.proof(1, **log.records[1], data=data)
            if data == json.loads(log.leaves[0]):
                self.bad(self.check_proof(proof, log), 1, "data is not what")
            else:
                self.good(*self.check_proof(proof, log))

    def test_bad(self):
        log, other = sample(), Log(seed=bytes(32))
        leaf = log.leaves[3].replace("deny", "allow")
        for name, proof, index, words in (
                ("leaf", {**log.proof(3), "leaf": leaf, "entry": json.loads(leaf)}, 3, "lead to the root"),
                ("entry", log.proof(3, action="allow"), 3, "entry does not"),
                ("entry with more", log.proof(3, matched_rule="x"), 3, "entry does not"),
                ("entry with true", log.proof(3, v=True), 3, "entry does not"),
                ("entry with a fraction", log.proof(3, v=1.0), 3, "entry does not"),
                ("empty entry", {**log.proof(3), "entry": {}}, 3, "entry does not"),
                ("no entry_hash", {**log.proof(3), "entry": json.loads(log.leaves[3])}, 3, "entry_hash"),
                ("a member in entry", log.proof(3, note="x"), 3, "no proof covers: ['note']"),
                ("data alone", log.proof(1, data={"n": 1.5}), 1, "without what proves it"),
                ("data beside bytes", log.proof(3, **log.records[3], data="x"), 3, "data is not what"),
                ("null entry", {**log.proof(3), "entry": None}, None, "entry"),
                ("entry_hash", log.proof(3, entry_hash="0" * 64), 3, "entry_hash"),
                ("leaf in entry", log.proof(3, leaf="x"), 3, "leaf in entry"),
                ("data", log.proof(1, **{**log.records[1], "data_raw": "x"}), 1, "does not open"),
                ("data without salt", log.proof(1, data_raw="x"), 1, "salt"),
                ("index", {**log.proof(3), "leaf_index": 2}, 2, "not the proof's"),
                ("size", {**log.proof(3), "tree_size": 15}, None, "checkpoint"),
                ("root", {**log.proof(3), "merkle_root": "0" * 64}, None, "checkpoint"),
                ("path", {**log.proof(3), "merkle_proof": log.proof(4)["merkle_proof"]}, 3, "sides"),
                ("a short path", {**log.proof(3), "merkle_proof": []}, 3, "sides"),
                ("checkpoint", {**log.proof(3), "checkpoint": other.checkpoint()}, None, "not signed"),
                ("verified", {**log.proof(3), "verified": "yes"}, None, "verified"),
                ("unknown member", {**log.proof(3), "x": 1}, None, "malformed: the proof has an unknown member 'x'"),
                ("surrogate", {**log.proof(1), "entry": {"x": "\ud800"}}, None, "surrogates")):
            with self.subTest(name):
                self.bad(self.check_proof(proof, log), index, words)
        self.bad(("proof", self.file(json.dumps(log.proof(3))), "--key", other.vkey), None, "not signed")
        self.assertEqual(self.run_main("proof", self.file(json.dumps(log.proof(3))))[0], 2)

    def test_proof_file(self):
        log = sample()
        hashes = "".join(base64.b64encode(bytes.fromhex(h)).decode() + "\n" for h, _ in audit_path(3, log.bytes()))
        text = "c2sp.org/tlog-proof@v1\nindex 3\n" + hashes + "\n" + log.checkpoint()
        leaf = self.file(log.leaves[3])

        def argv(text, leaf=leaf):
            return "proof-file", self.file(text), "--leaf", leaf, "--key", log.vkey
        self.good(*argv(text))
        self.good(*argv(text.replace("index", "extra AAE=\nindex")))
        one = Log()
        self.good("proof-file", self.file("c2sp.org/tlog-proof@v1\nindex 0\n\n" + one.checkpoint()),
                  "--leaf", self.file(one.leaves[0]), "--key", one.vkey)
        first = hashes.split("\n")[0] + "\n"
        for name, arguments, index, words in (
                ("magic", argv(text.replace("@v1", "@v2")), None, "tlog-proof"),
                ("index", argv(text.replace("index 3", "index 2")), 2, ""),
                ("index 03", argv(text.replace("index 3", "index 03")), None, "tlog-proof"),
                ("a hash less", argv(text.replace(first, "")), None, "number"),
                ("a hash more", argv(text.replace(first, first * 2)), None, "number"),
                ("a short hash", argv(text.replace(first, "AAE=\n")), None, "length"),
                ("index beyond", argv(text.replace("index 3", "index 99")), 99, ""),
                ("extra", argv(text.replace("index", "extra A\nindex")), None, ""),
                ("leaf", argv(text, self.file(log.leaves[3].replace("deny", "allow"))), 3, "lead to the root"),
                ("a line feed behind", argv(text, self.file(log.leaves[3] + "\n")), 3, "canonical"),
                ("checkpoint", argv(text.replace("\n16\n", "\n17\n")), None, "signature")):
            with self.subTest(name):
                self.bad(arguments, index, words)
        self.assertEqual(self.run_main("proof-file", self.file(text), "--key", log.vkey)[0], 2)

    def test_checkpoint(self):
        log = Log()
        note = log.checkpoint()

        def signed_as(text):
            ident = bytes.fromhex(log.vkey.split("+")[1])
            return text + "\n\u2014 %s %s\n" % (log.origin, base64.b64encode(ident + sign(log.seed, text.encode())).decode())
        self.assertEqual(self.good("checkpoint", self.file(note), "--key", log.vkey)["tree_size"], 1)
        root = base64.b64encode(log.root()).decode()
        for text in ("%s\n01\n%s\n" % (log.origin, root), "%s\n1\n%s\nmore\n" % (log.origin, root), "%s\n1\n" % log.origin,
                     "other\n1\n%s\n" % root, "%s\n-1\n%s\n" % (log.origin, root), "%s\n1\nAAE=\n" % log.origin,
                     "%s\n1\n%s\n\n" % (log.origin, root)):
            with self.subTest(text):
                self.bad(("checkpoint", self.file(signed_as(text)), "--key", log.vkey), None, "")

    def test_path(self):
        log = sample()
        path = audit_path(3, log.bytes())
        file = self.file(json.dumps(path))
        self.good("path", log.hash(3), file, log.root().hex())
        self.good("path", log.hash(0), self.file("[]"), log.hash(0))
        self.bad(("path", log.hash(2), file, log.root().hex()), None, "lead to the root")
        self.bad(("path", log.hash(3), file, log.hash(3)), None, "lead to the root")
        self.bad(("path", log.hash(3), self.file('[["x","left"]]'), log.root().hex()), None, "array")
        self.bad(("path", log.hash(3).upper(), file, log.root().hex()), None, "entry hash")


if __name__ == "__main__":
    unittest.main()
