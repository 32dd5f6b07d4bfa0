"""The vectors of docs/SPEC-rules4.md: they are what their script makes, and a second reading of the page agrees."""
import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import sys
import unittest

import sealing
import sealstream_verify as verifier
import sealstream_vectors_values as older

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "conformance" / "vectors" / "rules4"
ATTRIBUTES = {"principal": "authid", "principal_type": "authtype", "caused_by": "causationid", "policy_version": "policyversion",
              "agent_key": "agentkey", "action_digest": "actiondigest", "action_type": "actiontype", "approval": "approvalgrant"}
STATEMENT = "blind record_hash altered signature_status key_entry material_key approval_status signature"
STATEMENT += " v log index previous_hash received_at input_epoch input_seq position publisher redactions detail"


def load(name):
    return json.loads((VECTORS / (name + ".json")).read_text())


def logs():
    made = load("logs")
    for case in made["cases"]:
        yield case["name"], made, case["leaves"], {json.loads(text)["index"]: json.loads(text) for text in case["payloads"]}


def signed_bytes(leaf, origin):
    """The bytes under a native signature, for an entry that is no equivocation (7.1)."""
    event = {name: value for name, value in leaf.items() if name not in STATEMENT.split() and name not in ATTRIBUTES}
    moved = {attribute: leaf[member] for member, attribute in ATTRIBUTES.items() if member in leaf}
    event["extensions"] = {**leaf.get("extensions", {}), **moved}
    body = sealing.jcs({"origin": origin, "key": leaf["agent_key"], "event": event}).encode()
    return b"DSSEv1 40 application/vnd.sealstream.event.v1+json %d " % len(body) + body


class Rules4(unittest.TestCase):
    def test_the_script_makes_the_vectors(self):
        made = subprocess.run([sys.executable, "-W", "error", str(VECTORS / "make.py"), "--check"], capture_output=True, text=True)
        self.assertEqual(made.returncode, 0, made.stderr)

    def test_chains_blinds_and_data(self):
        for name, made, leaves, records in logs():
            previous, under = "0" * 64, False
            for index, text in enumerate(leaves):
                leaf = json.loads(text)
                with self.subTest(log=name, index=index):
                    self.assertEqual((leaf["index"], leaf["previous_hash"], sealing.jcs(leaf)), (index, previous, text))
                    own, kind = leaf["event_type"].startswith("sealstream."), leaf["event_type"].partition(".")[2]
                    place = b"".join(leaf[n].to_bytes(8, "big") for n in ("input_epoch", "input_seq", "position"))
                    blind = hmac.digest(bytes.fromhex(made["secret"]), b"sealstream/v4/blind" + place + (kind if own else "event").encode(), "sha256")
                    self.assertEqual(leaf.get("blind"), blind.hex()[:32] if under else None)
                    record = records.get(index, {})
                    self.assertEqual(bool(record), "data_hash" in leaf or "record_hash" in leaf)
                    if "data_hash" in leaf:
                        data = record["data_raw"].encode()
                        self.assertEqual(leaf["data_hash"], hashlib.sha256(b"\2" + bytes.fromhex(record["salt"]) + data).hexdigest())
                previous = hashlib.sha256(b"\0" + text.encode()).hexdigest()
                under = under or leaf["event_type"] == "sealstream.config" and leaf["detail"]["rules"] == 4

    def test_verified_means_signed(self):
        """The curve arithmetic of the older verifier, which shares no code with the script's."""
        count = 0
        for name, made, leaves, _ in logs():
            for leaf in map(json.loads, leaves):
                if leaf.get("signature_status") in ("verified", "replayed", "revoked", "unregistered") and "detail" not in leaf \
                        and "signature" in leaf:
                    key = int.from_bytes(base58(leaf["agent_key"][1:]), "big").to_bytes(34, "big")
                    with self.subTest(log=name, index=leaf["index"]):
                        self.assertEqual(key[:2], b"\xed\x01")
                        self.assertTrue(verifier.signed(key[2:], signed_bytes(leaf, made["origin"]), base64.b64decode(leaf["signature"])))
                    count += 1
        self.assertGreater(count, 20)

    def test_older_rules_give_the_same_fingerprint(self):
        for case in load("events")["same"]:
            with self.subTest(case=case["name"]):
                verifier.read_leaf(case["leaf3"].encode())
                self.assertEqual(older.fingerprint({"leaf": case["leaf3"]}), case["fingerprint3"])
                with self.assertRaises(ValueError):
                    verifier.read_leaf(case["leaf4"].encode())  # a verifier that does not know rules 4 refuses

    def test_a_retry_is_never_an_equivocation(self):
        upgrade = next(leaves for name, _, leaves, _ in logs() if name == "upgrade")
        repeats = [leaf["detail"]["originals"] for leaf in map(json.loads, upgrade) if leaf["event_type"] == "sealstream.duplicate"]
        self.assertEqual([len(list_) for list_ in repeats], [3, 3, 1, 2, 2, 1])


def base58(text):
    number = 0
    for c in text:
        number = number * 58 + "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".index(c)
    return number.to_bytes(34, "big")


if __name__ == "__main__":
    unittest.main()
