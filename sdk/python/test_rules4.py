"""The vectors of docs/SPEC-rules4.md: they are what their script makes, and the verifier and a second reading of the page agree."""
import base64
import contextlib
import copy
import hashlib
import hmac
import json
import pathlib
import subprocess
import sys
import types
import unittest

import sealing
import sealstream_vectors_sealed as sealed
import sealstream_vectors_values as older
import sealstream_verify as verifier

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "conformance" / "vectors" / "rules4"
ATTRIBUTES = {"principal": "authid", "principal_type": "authtype", "caused_by": "causationid", "policy_version": "policyversion",
              "agent_key": "agentkey", "action_digest": "actiondigest", "action_type": "actiontype", "approval": "approvalgrant"}
NOT_IN_FINGERPRINT = "blind record_hash altered signature_status key_entry material_key approval_status"
NOT_IN_FINGERPRINT += " v log index previous_hash received_at input_epoch input_seq position publisher redactions detail"
SEED = bytes([7] * 32)  # of the key that signs the logs


def load(name):
    return json.loads((VECTORS / (name + ".json")).read_text())


def mac(secret, *parts):
    return hmac.digest(bytes.fromhex(secret), b"".join(parts), "sha256")


def lp(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return len(raw).to_bytes(4, "big") + raw


def digest(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def fingerprint(leaf):
    """4.2, read a second time."""
    rest = {name: value for name, value in leaf.items() if name not in NOT_IN_FINGERPRINT.split() and name not in ATTRIBUTES}
    moved = {attribute: leaf[member] for member, attribute in ATTRIBUTES.items() if member in leaf}
    if moved:
        rest["extensions"] = {**leaf.get("extensions", {}), **moved}
    if "detail" in leaf:
        rest.update(entry_id=leaf["detail"]["entry_id"], event_type=leaf["detail"]["event_type"])
    if leaf["timestamp"] == leaf["received_at"]:
        del rest["timestamp"]
    return digest(sealing.jcs(rest).encode()).hex()


def flip(char):
    return "0" if char != "0" else "1"


class Vector:
    """A log of logs.json."""

    def __init__(self, case, about):
        self.name, self.vkey, self.secret = case["name"], about["vkey"], about["secret"]
        self.leaves = [older.to_bytes(text).decode() for text in case["leaves"]]
        self.records = {}
        for text in case["payloads"]:
            record = json.loads(older.to_bytes(text))
            self.records[record.pop("index")] = record
        self.log = sealing.Log(about["log"], SEED)
        assert self.log.vkey == self.vkey

    def export(self):
        self.log.leaves, self.log.records = list(self.leaves), self.records
        return self.log.export()


def vectors():
    about = load("logs")
    return [Vector(case, about) for case in about["cases"]]


def verify(lines, vkey):
    """None, or the first bad index and the error."""
    result = older.new_result()
    args = types.SimpleNamespace(keys=[verifier.read_key(vkey)] if vkey else [], checkpoint=[])
    try:
        texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        verifier.verify_lines(iter(texts), args, result)
    except (ValueError, LookupError, TypeError) as bad:
        return result["first_bad_index"], "%s: %s" % (getattr(bad, "kind", None) or result.get("kind"), bad)
    return None


def rechained(leaves, index, members):
    """The leaves with other members of one; null takes one out."""
    out, previous = [], "0" * 64
    for at, text in enumerate(leaves):
        leaf = {**json.loads(text), "previous_hash": previous, **(members if at == index else {})}
        out.append(sealing.jcs({name: value for name, value in leaf.items() if value is not None}))
        previous = digest(b"\0", out[-1].encode()).hex()
    return out


class Rules4(unittest.TestCase):
    def test_the_script_makes_the_vectors(self):
        made = subprocess.run([sys.executable, "-W", "error", str(VECTORS / "make.py"), "--check"], capture_output=True, text=True)
        self.assertEqual(made.returncode, 0, made.stderr)

    def test_values(self):
        found = load("values")
        for c in found["blind"]:
            place = b"".join(c[n].to_bytes(8, "big") for n in ("input_epoch", "input_seq", "position"))
            self.assertEqual(mac(c["secret"], b"sealstream/v4/blind", place, c["kind"].encode()).hex()[:32], c["blind"], c["name"])
        for c in found["own_salt"]:
            salt = mac(c["secret"], b"sealstream/v4/own", lp(c["kind"]), lp(c["entry_id"]), lp(digest(c["whole"].encode())))
            self.assertEqual(salt.hex(), c["salt"], c["name"])
        for c in found["beside_salt"]:
            beside = sealing.jcs({name: c[name] for name in ("dssematerial", "action_salt") if name in c}).encode()
            salt = mac(c["secret"], b"sealstream/v4/beside", lp(c["source"]), lp(c["id"]), lp(digest(beside)))
            self.assertEqual(salt.hex(), c["salt"], c["name"])
        for c in found["input_digest"]:
            self.assertEqual(mac(c["secret"], b"sealstream/v4/input", bytes.fromhex(c["digest"])).hex(), c["input_digest"])

    def test_blinds_and_salts_of_logs(self):
        """What only the sealer can check."""
        for vector in vectors():
            under = False
            for index, leaf in enumerate(map(json.loads, vector.leaves)):
                with self.subTest(log=vector.name, index=index):
                    own, kind = leaf["event_type"].startswith("sealstream."), leaf["event_type"].partition(".")[2]
                    place = b"".join(leaf[n].to_bytes(8, "big") for n in ("input_epoch", "input_seq", "position"))
                    blind = mac(vector.secret, b"sealstream/v4/blind", place, (kind if own else "event").encode()).hex()[:32]
                    self.assertEqual(leaf.get("blind"), blind if under else None)
                    if under and own and kind in ("access", "read") and index in vector.records:
                        record = vector.records[index]
                        data = record["data_raw"].encode() if "data_raw" in record else base64.b64decode(record["data_base64"])
                        salt = mac(vector.secret, b"sealstream/v4/own", lp(kind), lp(leaf["entry_id"]), lp(digest(data)))
                        self.assertEqual(record["salt"], salt.hex())
                under = under or leaf["event_type"] == "sealstream.config" and leaf["detail"]["rules"] == 4

    def test_fingerprints(self):
        for case in load("events")["cases"]:
            with self.subTest(case=case["name"]):
                for number in (3, 4):
                    verifier.read_leaf(case["leaf%d" % number].encode())
                self.assertEqual(older.fingerprint({"leaf": case["leaf3"]}), case["fingerprint3"])
                self.assertEqual(fingerprint(json.loads(case["leaf4"])), case["fingerprint4"])

    def test_a_retry_is_never_an_equivocation(self):
        logs = {vector.name: list(map(json.loads, vector.leaves)) for vector in vectors()}
        for name, expected in (("upgrade", [7, 14, 2, 1]), ("unredacted", [5])):
            repeats = [len(leaf["detail"]["originals"]) for leaf in logs[name] if leaf["event_type"] == "sealstream.duplicate"]
            self.assertEqual(repeats, expected)
            different = {leaf["detail"]["entry_id"] for leaf in logs[name] if leaf["event_type"] == "sealstream.equivocation"}
            self.assertEqual(different, {"u-1", "u-2", "u-3", "v-2"} if name == "upgrade" else set())

    def test_leaves(self):
        for case in load("leaves")["cases"]:
            for way in (verifier.read_leaf, verifier.read_any_leaf):
                with self.subTest(case=case["name"], way=way.__name__), contextlib.ExitStack() as stack:
                    if not case["ok"]:
                        stack.enter_context(self.assertRaises(ValueError))
                    leaf, kind = way(case["leaf"].encode())
                    verifier.check_own(leaf, kind, load("logs")["origin"])
                    self.assertEqual(verifier.leaf_hash(case["leaf"].encode()).hex(), case["entry_hash"])

    def test_logs(self):
        for vector in vectors():
            with self.subTest(log=vector.name):
                self.assertIsNone(verify(vector.export(), vector.vkey))
                for text in vector.leaves:
                    leaf = json.loads(text)
                    for index in leaf["detail"]["indexes"] if leaf["event_type"] == "sealstream.erasure" else ():
                        del vector.records[index]
                self.assertIsNone(verify(vector.export(), vector.vkey))

    def test_wrong_logs(self):
        logs = {vector.name: vector for vector in vectors()}
        for case in load("wrong")["cases"]:
            with self.subTest(case=case["name"]):
                vector = logs[case["log"]]
                leaves, records = vector.leaves, vector.records
                vector.leaves = rechained(leaves, case["changes"]["index"], case["changes"]["members"])
                others = {int(index): json.loads(text) for index, text in case.get("records", {}).items()}
                vector.records = {index: record for index, record in {**records, **others}.items() if index not in case["missing"]}
                for record in others.values():
                    record.pop("index")
                index, why = verify(vector.export(), vector.vkey)
                self.assertEqual((index, why.partition(":")[0]), (case["first_bad_index"], "altered"), why)
                vector.leaves, vector.records = leaves, records

    def test_batches(self):
        about = load("batches")
        for case in about["cases"]:
            with self.subTest(case=case["name"]):
                sealed.batches(case, about)
        secret, config, events = bytes(range(32)).hex(), {}, about["cases"][0]["events"]
        for message, event in zip(about["cases"][0]["messages"], events):
            for leaf in map(json.loads, message["body"].splitlines()):
                config = leaf["detail"] if leaf["event_type"] == "sealstream.config" else config
            plain = digest(lp(event["subject"]), lp(event["body"]))
            expected = mac(secret, b"sealstream/v4/input", plain) if config["rules"] == 4 else plain
            self.assertEqual(dict(message["headers"])["Sealstream-Input-Digest"], expected.hex())

    def test_flips(self):
        """A few bytes of each leaf and of each record are others: that line is refused, or the one after it."""
        count = 0
        for vector in vectors():
            manifest, *lines = vector.export()
            keys = [verifier.read_key(vector.vkey)]
            head = verifier.read_checkpoint(manifest["checkpoint"].encode(), keys, older.new_result())
            export = verifier.Export(True, head, keys, older.new_result())
            for index, (text, line) in enumerate(zip(vector.leaves, lines)):
                after = lines[index + 1:index + 2]
                flips = [{"leaf": text[:at] + flip(text[at]) + text[at + 1:]} for at in range(index % 7, len(text), max(len(text) // 3, 1))]
                flips += [{name: flip(value[0]) + value[1:]} for name, value in vector.records.get(index, {}).items()]
                for changed in flips:
                    self.refused(export, [{**line, **changed}, *(after if "leaf" in changed else [])], bool(after) or "leaf" not in changed)
                for name in vector.records.get(index, {}):
                    self.refused(export, [{one: part for one, part in line.items() if one != name}], True)
                count += len(flips)
                export.take(json.dumps(line).encode())
        self.assertGreater(count, 900)

    def refused(self, export, lines, due):
        """That an export refuses to go on with these lines, if it is due. Else it is up to the root."""
        trial = copy.deepcopy(export)
        with self.assertRaises(ValueError, msg=lines) if due else contextlib.suppress(ValueError):
            for line in lines:
                trial.take(json.dumps(line).encode())

    def test_pages_and_proofs(self):
        """One entry at a time: what is beside data is opened there, too."""
        vector = next(vector for vector in vectors() if vector.name == "records")
        lines = vector.export()
        for index, text in enumerate(vector.leaves):
            record = vector.records.get(index, {})
            entry = {**json.loads(text), "entry_hash": digest(b"\0", text.encode()).hex(), **record}
            proof = vector.log.proof(index)
            proof["entry"] = entry
            keys = [verifier.read_key(vector.vkey)]
            result = older.new_result()
            verifier.check_proof(json.dumps(proof).encode(), keys, result)
            self.assertEqual(result["checked"]["data_opened"], bool(record))
            verifier.check_line(dict(lines[1 + index]), vector.log.origin)
            for name in set(record) & {"action_salt", "dssematerial"}:
                entry[name] += "0"
                with self.assertRaises(ValueError):
                    verifier.check_proof(json.dumps(proof).encode(), keys, older.new_result())
                with self.assertRaises(ValueError):
                    verifier.check_line({**lines[1 + index], name: entry[name]}, vector.log.origin)
                entry[name] = record[name]


if __name__ == "__main__":
    unittest.main()
