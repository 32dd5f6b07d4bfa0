"""Directories of tiles, and cosignatures, through the command."""
import base64
import hashlib
import json
import pathlib
import tempfile
import unittest

from sealing import Case, Log, public_key, sample, sha256, sign


def cosigner(seed, name="witness.example/w"):
    public = b"\x04" + public_key(seed)
    ident = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
    return "%s+%s+%s" % (name, ident.hex(), base64.b64encode(public).decode())


def cosign(note, seed, at=5, name="witness.example/w"):
    text = note.split("\n\n")[0] + "\n"
    ident = bytes.fromhex(cosigner(seed, name).split("+")[1])
    signature = sign(seed, ("cosignature/v1\ntime %d\n%s" % (at, text)).encode())
    return note + "\u2014 %s %s\n" % (name, base64.b64encode(ident + at.to_bytes(8, "big") + signature).decode())


class Tiles(Case):
    def tiles(self, log):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = pathlib.Path(folder.name)
        leaves = [leaf.encode() for leaf in log.leaves]
        for path, raw in {
                "checkpoint": log.checkpoint().encode(),
                "tile/entries/000.p/%d" % len(leaves): b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves),
                "tile/0/000.p/%d" % len(leaves): b"".join(sha256(b"\x00" + leaf) for leaf in leaves)}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(raw)
        return root

    def test_good(self):
        log = sample()
        folder = self.tiles(log)
        result = self.good("tiles", str(folder), "--key", log.vkey)
        self.assertEqual((result["tree_size"], result["root"], result["checked"]["tiles"]), (16, log.root().hex(), 2))
        self.good("tiles", str(folder))
        early = Log()
        self.good("tiles", str(self.tiles(early)), "--key", early.vkey)

    def test_every_byte(self):
        log = sample()
        folder = self.tiles(log)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            raw = path.read_bytes()
            for at in range(0, len(raw), max(1, len(raw) // 25)):
                path.write_bytes(raw[:at] + bytes([raw[at] ^ 4]) + raw[at + 1:])
                self.assertEqual(self.verdict("tiles", str(folder), "--key", log.vkey)[0], 1, (path, at))
            path.write_bytes(raw)
        self.good("tiles", str(folder), "--key", log.vkey)

    def test_saved_checkpoints(self):
        log = sample()
        folder = self.tiles(log)
        self.good("tiles", str(folder), "--key", log.vkey, "--checkpoint", self.file(log.checkpoint()))
        longer = sample()
        longer.put("x", 9)
        self.bad(("tiles", str(folder), "--key", log.vkey, "--checkpoint", self.file(longer.checkpoint())), 16, "cut")


class Policies(Case):
    def test_policy(self):
        log, seeds = sample(), [bytes([n]) * 32 for n in (1, 2)]
        note = log.checkpoint()
        policy = self.file("witness a %s\nwitness b %s\ngroup both all a b\nquorum both\n" % tuple(map(cosigner, seeds)))
        one = cosign(note, seeds[0], 5)
        both = cosign(one, seeds[1], 6)
        status, out = self.run_main("checkpoint", self.file(both), "--key", log.vkey, "--policy", policy)
        self.assertEqual((status, out.strip().endswith("; cosigned by a, b")), (0, True), out)
        head, raw = both[:-1].rpartition(" ")[0], bytearray(base64.b64decode(both[:-1].rpartition(" ")[2]))
        raw[11] ^= 1  # the last byte of its time
        later = "%s %s\n" % (head, base64.b64encode(raw).decode())
        for name, text, words in (("one", one, "not enough"), ("none", note, "nobody"), ("twice", cosign(one, seeds[0], 5), "not enough"),
                                  ("a stranger", cosign(one, bytes(32)), "not enough"), ("another time", later, "wrong")):
            with self.subTest(name):
                self.bad(("checkpoint", self.file(text), "--key", log.vkey, "--policy", policy), None, words)
        proof = log.proof(3)
        proof["checkpoint"] = both
        self.good("proof", self.file(json.dumps(proof)), "--key", log.vkey, "--policy", policy)


if __name__ == "__main__":
    unittest.main()
