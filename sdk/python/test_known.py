"""Known answers, and properties of the parts of sealstream_verify.py."""
import base64
import hashlib
import json
import pathlib
import shutil
import unittest

import sealstream_verify as verifier
from sealing import BASE, TIME, Case, Log, audit_path, d, expand, multiply, order, p, pack, plus, public_key, sign, tree_hash


class KnownAnswers(unittest.TestCase):
    RFC8032 = (  # section 7.1: secret key, public key, message, signature
        ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
         "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
        ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
        ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
         "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
    )

    def test_rfc8032(self):
        for secret, public, message, signature in self.RFC8032:
            secret, public, message, signature = map(bytes.fromhex, (secret, public, message, signature))
            self.assertEqual(public_key(secret), public)
            self.assertEqual(sign(secret, message), signature)
            self.assertTrue(verifier.signed(public, message, signature))
            self.assertFalse(verifier.signed(public, message + b"x", signature))
            self.assertFalse(verifier.signed(public, message, signature[:63]))
            self.assertFalse(verifier.signed(public, message, signature + b"\0"))
            for bit in range(0, 512, 37):
                changed = bytearray(signature)
                changed[bit // 8] ^= 1 << bit % 8
                self.assertFalse(verifier.signed(public, message, bytes(changed)), bit)

    def test_ed25519_is_strict(self):
        public, signature = bytes.fromhex(self.RFC8032[1][1]), bytes.fromhex(self.RFC8032[1][3])
        s = int.from_bytes(signature[32:], "little") + order
        self.assertFalse(verifier.signed(public, b"\x72", signature[:32] + s.to_bytes(32, "little")), "S >= L")
        y8 = next(point[1] for point in [multiply(order, (x, y)) for x, y in self.points()] if multiply(4, point) != (0, 1))
        small = [1, 0, p - 1, y8, p - y8]
        for y in small:
            for sign_bit in (0, 1 << 255):
                key = (y | sign_bit).to_bytes(32, "little")
                self.assertFalse(verifier.good_key(key), hex(y))
                self.assertFalse(verifier.signed(key, b"", key + bytes(32)))
        for y in (p, p + 1, 2**255 - 1):
            self.assertIsNone(verifier.decode(y.to_bytes(32, "little")), "y >= p")
        self.assertIsNone(verifier.decode((1 | 1 << 255).to_bytes(32, "little")), "x = 0 with a sign")
        self.assertIsNone(verifier.decode((2).to_bytes(32, "little")), "not on the curve")
        self.assertFalse(verifier.good_key(b"") or verifier.good_key(public + b"\0"))

    @staticmethod
    def points():
        """Points of the whole curve, found by trying y; those outside the subgroup show what has small order."""
        for y in range(3, 60):
            x2 = (y * y - 1) * pow(d * y * y + 1, p - 2, p) % p
            x = pow(x2, (p + 3) // 8, p)
            for x in (x, x * pow(2, (p - 1) // 4, p) % p):
                if (x * x - x2) % p == 0:
                    yield x, y

    def test_mixed_order_key(self):
        """A key with a part of small order is no small-order key; the equation without cofactor decides."""
        torsion = next(q for q in (multiply(order, point) for point in self.points()) if multiply(4, q) != (0, 1))
        a, _ = expand(bytes(32))
        public = pack(plus(multiply(a, BASE), torsion))
        seen = set()
        for n in range(40):
            message, r = b"%d" % n, 12345 + n
            head = pack(multiply(r, BASE))
            k = int.from_bytes(hashlib.sha512(head + public + message).digest(), "little") % order
            signature = head + ((r + k * a) % order).to_bytes(32, "little")
            self.assertEqual(verifier.signed(public, message, signature), k % 8 == 0)
            seen.add(k % 8 == 0)
        self.assertEqual(seen, {True, False})

    def test_note(self):
        """The known answer of golang.org/x/mod/sumdb/note."""
        key = verifier.read_key("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
        line = "\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
        note = "This is an example message.\n\n" + line
        self.assertEqual(verifier.open_note(note.encode(), [key]), (["This is an example message."], {"example.com/foo"}))
        witness = "\u2014 witness.example/w " + base64.b64encode(b"1234" + bytes(72)).decode() + "\n"
        self.assertEqual(verifier.open_note((note + witness).encode(), [key]), (["This is an example message."], {"example.com/foo"}))
        again = note + line.replace("yaQM", "yaQI")  # of several lines of one key the first counts
        self.assertEqual(verifier.open_note(again.encode(), [key]), (["This is an example message."], {"example.com/foo"}))
        other = verifier.read_key(Log().vkey)
        for name, changed in (("text", note.replace("example message", "example massage")),
                              ("no blank line", note.replace("\n\n", "\n")),
                              ("bad then good", note.replace("yaQM", "yaQI") + line),
                              ("signature", note.replace("Uw2QOkn8", "Uw2QOkn9")),
                              ("no signature", "This is an example message.\n\n"),
                              ("a control character in a witness's name", note + witness.replace("witness", "wit\x01ness")),
                              ("a witness's id alone", note + "\u2014 w MTIzNA==\n"),
                              ("no line feed", note[:-1]), ("a control character", note.replace("an", "a\rn")),
                              ("dash", note.replace("\u2014", "-")), ("two spaces", note.replace("foo Uw", "foo  Uw"))):
            with self.assertRaises(ValueError, msg=name):
                verifier.open_note(changed.encode(), [key])
        self.assertEqual(verifier.open_note(note.encode(), [other])[1], set())
        self.assertEqual(verifier.open_note(note.replace(line, witness).encode(), [key])[1], set())

    def test_keys(self):
        vkey, log = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", Log()
        for bad in ("", "x", vkey[:-1], vkey + "=", vkey.replace("530d903a", "530d903b"), vkey.replace("530d903a", "530D903A"),
                    vkey.replace("example", "exam ple"), vkey.replace("Aeky", "Beky"), log.make_vkey("n", bytes(31)),
                    log.make_vkey("n", (1).to_bytes(32, "little")), log.make_vkey("n", b"\xff" * 32), log.make_vkey("", log.public)):
            with self.assertRaises(ValueError, msg=bad):
                verifier.read_key(bad)

    def test_tlog_root(self):
        """The known answer of the reference implementation: three entries, and none."""
        leaves = [b"hello 1", b"hello 2", b"hello 3"]
        roots = []
        for size, leaf in enumerate(leaves):
            verifier.append(roots, size, verifier.leaf_hash(leaf))
        self.assertEqual(base64.b64encode(verifier.fold(roots)), b"UHWHAEweZmI39cCQ+FZCkbdeCa5EAKOyh73LU3cX8lg=")
        self.assertEqual(base64.b64encode(verifier.fold([])), b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")

    def test_trees(self):
        """Roots and paths of all trees up to 64 leaves, by the recursive definition."""
        leaves, roots = [b"leaf %d" % i for i in range(64)], []
        for n in range(1, 65):
            verifier.append(roots, n - 1, verifier.leaf_hash(leaves[n - 1]))
            self.assertEqual(verifier.fold(roots), tree_hash(leaves[:n]), n)
            for m in range(n):
                path = audit_path(m, leaves[:n])
                verifier.check_inclusion(leaves[m], m, path, n, verifier.fold(roots))
                for other in {0, m - 1, m + 1, n - 1, n} - {m, -1}:
                    with self.assertRaises(ValueError, msg=(n, m, other)):
                        verifier.check_inclusion(leaves[m], other, path, n, verifier.fold(roots))
                if path:
                    flipped = [[path[0][0], "left" if path[0][1] == "right" else "right"]] + path[1:]
                    for wrong in (path[1:], path[:-1], path + path[:1], flipped):
                        with self.assertRaises(ValueError, msg=(n, m)):
                            verifier.check_inclusion(leaves[m], m, wrong, n, verifier.fold(roots))

    def test_canonical(self):
        """RFC 8785: the order of names by UTF-16, the escapes of strings, integers."""
        names = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
        self.assertEqual(verifier.canonical(names).decode(),
                         '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}')
        self.assertEqual(verifier.canonical("\u20ac$\x0f\nA'B\"\\\"/\b\f\t\r\x00\x1f\x7f\u2028"),
                         '"\u20ac$\\u000f\\nA\'B\\"\\\\\\"/\\b\\f\\t\\r\\u0000\\u001f\x7f\u2028"'.encode())
        for n in (0, 1, 9007199254740991):
            self.assertEqual(verifier.canonical(n), str(n).encode())
            self.assertTrue(verifier.INT(verifier.parse(str(n).encode())))
        for text in ("-1", "9007199254740992", "99999999999999999999", "1.0", "1e3", "0.5", "true", "null", '"1"', "-0.0"):
            self.assertFalse(verifier.INT(verifier.parse(text.encode())), text)
        with self.assertRaises(ValueError):
            verifier.canonical("\ud800")

    def test_strict_json(self):
        for text in (b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}', b"[{\"b\":{\"c\":1,\"c\":2}}]", b"NaN", b"-Infinity", b"01", b"1.",
                     b"[1,]",
                     b"{'a':1}", b"", b"1 2", b'"\n"', b'"\xff"', b'"\xed\xa0\x80"', b"\xef\xbb\xbf1", b"[" * 100000):
            with self.assertRaises((ValueError, RecursionError), msg=text[:20]):
                verifier.parse(text)

    def test_base64(self):
        self.assertEqual(verifier.unbase64("AAE="), b"\0\1")
        for text in ("AAE", "AAF=", "AA E=", "AAE=\n", "AAE==", "-_8=", "A", "\u00e9AAA"):
            with self.assertRaises(ValueError, msg=text):
                verifier.unbase64(text)

    def test_times(self):
        for text, ok in (("2024-02-29T00:00:00Z", 1), ("2023-02-29T00:00:00Z", 0), ("0000-02-29T23:59:59.1Z", 1),
                         ("1900-02-29T00:00:00Z", 0),
                         ("9999-12-31T23:59:59.123456789012Z", 1), ("2024-13-01T00:00:00Z", 0), ("2024-00-01T00:00:00Z", 0),
                         ("2024-01-00T00:00:00Z", 0), ("2024-04-31T00:00:00Z", 0), ("2024-01-01T24:00:00Z", 0),
                         ("2024-01-01T00:00:60Z", 0),
                         ("2024-01-01T00:60:00Z", 0), ("2024-01-01T00:00:00.Z", 0), ("2024-01-01T00:00:00+00:00", 0),
                         ("2024-01-01t00:00:00z", 0), ("2024-01-01T00:00:00Z\n", 0), ("\u0662024-01-01T00:00:00Z", 0), (5, 0)):
            self.assertEqual(bool(verifier.TIME(text)), bool(ok), text)
        self.assertTrue(verifier.TIME9(TIME))
        self.assertFalse(verifier.TIME9(TIME.replace(".000000000", ".00000000")))


class Vectors(Case):
    DIRECTORY = pathlib.Path(__file__).parent.parent.parent / "conformance" / "vectors"

    def test_all(self):
        checked = self.good("vectors", str(self.DIRECTORY))["checked"]
        files = {path.stem for path in self.DIRECTORY.glob("*.json")}
        sealers = {"redaction"}  # what is taken out before anything is sealed: a verifier sees what is left
        self.assertLessEqual(sealers, files)
        self.assertEqual(set(checked), files - sealers)
        for name in ("leaves", "checkpoints", "batches", "exports"):
            self.assertEqual(checked[name], len(json.loads((self.DIRECTORY / (name + ".json")).read_bytes())["cases"]))

    def test_a_changed_case_is_named(self):
        """Each verdict turned round, in a copy, is a difference."""
        turned = {"leaves": "ok", "payloads": "ok", "checkpoints": "ok", "exports": "valid"}
        copy = pathlib.Path(self.directory, "vectors")
        shutil.copytree(self.DIRECTORY, copy)
        count = 0
        for name, member in turned.items():
            found = json.loads((copy / (name + ".json")).read_bytes())
            for case in found["cases"]:
                case[member] = not case[member]
                for told in ("entry_hash", "index", "salt", "data", "origin", "size", "root"):
                    case.setdefault(told, "")
            count += len(found["cases"])
            (copy / (name + ".json")).write_text(json.dumps(found))
        found = json.loads((copy / "hashes.json").read_bytes())
        for cases in found.values():
            for case in cases:
                results = ("hash", "root", "digest", "fingerprint", "token", "salt", "entry_id", "origin", "canonical")
                last = next(name for name in results if name in case)
                case[last] = "0" + case[last][1:] if case[last][0] != "0" else "1" + case[last][1:]
                count += 1
        (copy / "hashes.json").write_text(json.dumps(found))
        status, result = self.verdict("vectors", str(copy))
        self.assertEqual(status, 1)
        self.assertTrue(result["error"].startswith("%d of " % count), (count, result["error"][:200]))


if __name__ == "__main__":
    unittest.main()
