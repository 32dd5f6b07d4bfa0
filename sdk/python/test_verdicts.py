"""The vectors of docs/SPEC-verdicts.md: they are what their script makes, and a second reading of the page agrees."""
import base64
import json
import pathlib
import subprocess
import sys
import unittest

import sealing
import sealstream_verify as verifier
import test_rules4

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "conformance" / "vectors" / "verdicts"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def load(name):
    return json.loads((VECTORS / (name + ".json")).read_text())


def vectors():
    about = load("logs")
    return [test_rules4.Vector(case, about) for case in about["cases"]]


def public_key(key_id):
    number = 0
    for char in key_id[1:]:
        number = number * 58 + BASE58.index(char)
    return number.to_bytes(34, "big")


def signed_bytes(leaf, origin, log):
    """The bytes under a native signature, for an entry that is no equivocation (11.1)."""
    left_out = set(test_rules4.NOT_IN_FINGERPRINT.split()) - {"redactions"} | {"signature", *test_rules4.ATTRIBUTES}
    event = {name: value for name, value in leaf.items() if name not in left_out}
    moved = {attribute: leaf[member] for member, attribute in test_rules4.ATTRIBUTES.items() if member in leaf}
    event["extensions"] = {**leaf.get("extensions", {}), **moved}
    body = sealing.jcs({"origin": origin, "log": log, "key": leaf["agent_key"], "event": event}).encode()
    return b"DSSEv1 40 application/vnd.sealstream.event.v1+json %d " % len(body) + body


class Verdicts(unittest.TestCase):
    def test_the_script_makes_the_vectors(self):
        made = subprocess.run([sys.executable, "-W", "error", str(VECTORS / "make.py"), "--check"], capture_output=True, text=True)
        self.assertEqual(made.returncode, 0, made.stderr)

    def test_verified_means_signed(self):
        """By the curve arithmetic of the second verifier, which shares no code with the script's."""
        count = 0
        for vector in vectors():
            log = test_rules4.digest(b"\0", vector.leaves[0].encode()).hex()
            for leaf in map(json.loads, vector.leaves):
                if leaf.get("signature_status") in ("verified", "replayed", "revoked", "unregistered") and "detail" not in leaf \
                        and "signature" in leaf:
                    key = public_key(leaf["agent_key"])
                    with self.subTest(log=vector.name, index=leaf["index"]):
                        self.assertEqual(key[:2], b"\xed\x01")
                        message = signed_bytes(leaf, vector.log.origin, log)
                        self.assertTrue(verifier.signed(key[2:], message, base64.b64decode(leaf["signature"])))
                    count += 1
        self.assertGreater(count, 50)

    def test_each_leaf_has_a_form_of_rules_4(self):
        """Whoever reads one leaf need not know verdicts, save for the entries that come with them."""
        for vector in vectors():
            for text in vector.leaves:
                kind = json.loads(text)["event_type"].partition("sealstream.")[2]
                if not kind.startswith(("key.", "approval.", "config")):
                    leaf, own = verifier.read_leaf(text.encode())
                    verifier.check_own(leaf, own, vector.log.origin)

    def test_the_verifier_refuses_verdicts(self):
        for vector in vectors():
            leaves = list(map(json.loads, vector.leaves))
            first = next(leaf["index"] for leaf in leaves if "verdicts" in leaf.get("detail", {}))
            index, why = test_rules4.verify(vector.export(), vector.vkey)
            self.assertEqual(index, first, vector.name)
            self.assertIn("newer release", why)

    def test_a_retry_is_never_an_equivocation(self):
        upgrade = next(vector.leaves for vector in vectors() if vector.name == "upgrade")
        repeats = [len(leaf["detail"]["originals"]) for leaf in map(json.loads, upgrade) if leaf["event_type"] == "sealstream.duplicate"]
        self.assertEqual(repeats, [4, 7, 2, 3, 2, 1])


if __name__ == "__main__":
    unittest.main()
