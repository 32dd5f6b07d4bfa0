"""AuditLog, and what stands on it, against a real log."""
import datetime
import json
import pathlib
import subprocess
import sys
import unittest

import sealstream
from server import Case, command, setUpModule, tearDownModule  # noqa: F401: for unittest, too

AGENT = "did:web:agent.example.com"
UTC = datetime.timezone.utc


class AuditCase(Case):
    def audit(self, server, **options):
        options = {"key": server.folder / "data" / "log.pub", "state": self.folder / "state.json", "spool": self.spool, **options}
        audit = sealstream.AuditLog(server=server.url, **options)
        self.addCleanup(audit.close)
        return audit


class Tutorial(AuditCase):
    """The names, arguments and results of the toolkit's tutorial."""

    def test_log(self):
        audit = self.audit(self.server())
        before = datetime.datetime.now(UTC)
        entry = audit.log(event_type="tool_invocation", agent_did=AGENT, action="allow", resource="/crm", data={"n": 1.5, "t": "\u00e9"},
                          policy_decision="allowed", trace_id="t-1", session_id="s-1", target_did="did:web:b", matched_rule="r-1",
                          arguments_hash="ab", approver_did="did:web:c", policy_version="7", issued_at=before, completed_at=before)
        self.assertRegex(entry.entry_hash, "^[0-9a-f]{64}$")
        self.assertTrue(before <= entry.timestamp <= datetime.datetime.now(UTC))
        dumped = entry.model_dump()
        self.assertEqual(list(dumped)[:15], [
            "entry_id", "timestamp", "event_type", "agent_did", "action", "resource", "target_did", "data", "outcome", "policy_decision",
            "matched_rule", "previous_hash", "entry_hash", "trace_id", "session_id"])
        self.assertEqual((dumped["outcome"], dumped["data"], dumped["approver_did"]), ("success", {"n": 1.5, "t": "\u00e9"}, "did:web:c"))
        self.assertEqual(dumped["arguments_hash"], "ab")
        json.dumps(entry.to_dict())
        self.assertEqual(audit.get_entry(entry_id=entry.entry_id), entry)
        self.assertIsNone(audit.get_entry("none"))

    def test_hashes(self):
        """compute_hash covers every field, and data."""
        audit = self.audit(self.server())
        entry = audit.log("tool_invocation", AGENT, "allow", "/crm", {"a": [1]}, trace_id="t")
        self.assertEqual((entry.compute_hash(), entry.verify_hash()), (entry.entry_hash, True))
        for change in (dict(action="deny"), dict(outcome="denied"), dict(resource=None), dict(policy_decision="x"), dict(trace_id="u"),
                       dict(session_id="s"), dict(target_did="did:web:b"), dict(matched_rule="r"), dict(agent_did="did:web:x"),
                       dict(entry_id="e"), dict(previous_hash="00" * 32), dict(data={"a": [2]}), dict(event_type="tool_blocked"),
                       dict(timestamp=entry.timestamp + datetime.timedelta(microseconds=1)), dict(entry_hash="00" * 32)):
            altered = audit.get_entry(entry.entry_id)
            for name, value in change.items():
                setattr(altered, name, value)
            self.assertFalse(altered.verify_hash(), change)
        with self.assertRaises(ValueError):
            sealstream.AuditEntry("e", entry.timestamp, "t", AGENT).compute_hash()

    def test_query(self):
        audit = self.audit(self.server())
        start = datetime.datetime.now(UTC)
        for n in range(12):
            audit.log("tool_blocked" if n % 3 else "tool_invocation", "did:web:%d" % (n % 2), "deny" if n % 3 else "allow", "/r/%d" % n,
                      outcome="denied" if n % 3 else "success")
        end = datetime.datetime.now(UTC)

        def resources(**filters):
            return [int(entry.resource[3:]) for entry in audit.query(**filters)]

        self.assertEqual(resources(), list(range(12)))  # read your writes, in the order of the log
        self.assertEqual(resources(limit=3), [9, 10, 11])
        self.assertEqual(resources(limit=0), [])
        self.assertEqual(resources(agent_did="did:web:1", outcome="success"), [3, 9])
        self.assertEqual(resources(agent_did="", event_type="tool_invocation"), [0, 3, 6, 9])
        self.assertEqual(resources(resource="/r/1*"), [1, 10, 11])
        self.assertEqual(resources(start_time=start, end_time=end), list(range(12)))
        self.assertEqual(resources(start_time=end, end_time=start), [])
        self.assertEqual(resources(start_time=start.replace(tzinfo=None), limit=1), [11])  # without a zone it is UTC
        at = audit.query(resource="/r/5")[0].timestamp
        self.assertEqual(resources(start_time=at, end_time=at), [5])
        self.assertEqual(audit.query(agent_did="nobody"), [])
        self.assertRaises(ValueError, audit.query, limit=-1)
        unverified = audit.reader.unverified()
        claims = [unverified.counts(**filters) for filters in (
            {}, dict(outcome="denied"), dict(agent_did=["did:web:0", "did:web:1"], resource="/r/1*"), dict(start_time=start, end_time=at), dict(action="audit"))]
        self.assertEqual([claim["matches"] for claim in claims], [13, 8, 3, 6, 0])
        audit.reader.verify(*claims)
        self.assertEqual(len(audit.get_entries_for_agent("did:web:0", limit=4)), 4)
        self.assertEqual(len(audit.get_entries_by_type("tool_blocked")), 8)
        self.assertEqual([entry.index for entry in audit.query(own=True, limit=13)], list(range(13)))

    def test_proof_and_verify(self):
        server = self.server()
        audit = self.audit(server)
        self.assertEqual(audit.verify_integrity(), (True, None))
        entry = audit.log("tool_invocation", AGENT, "allow")
        proof = audit.get_proof(entry.entry_id)
        self.assertTrue(proof["verified"])
        self.assertEqual(proof["entry"]["entry_id"], entry.entry_id)
        check = sealstream.MerkleAuditChain.verify_proof
        path, root = proof["merkle_proof"], proof["merkle_root"]
        self.assertTrue(check(entry_hash=entry.entry_hash, proof=path, root_hash=root))
        self.assertTrue(check(entry.entry_hash, json.loads(json.dumps(path)), root))
        for wrong in ((root, path, root), (entry.entry_hash, [], root), (entry.entry_hash, path, "00" * 32), ("x", path, root),
                      (entry.entry_hash, [("x", "left")], root), (entry.entry_hash, None, root)):
            self.assertFalse(check(*wrong), wrong)
        self.assertEqual(audit._chain.get_root_hash(), root)
        self.assertIsNone(audit.get_proof("none"))
        file = self.folder / "proof.json"
        file.write_text(json.dumps(proof))
        verifier = pathlib.Path(__file__).with_name("sealstream_verify.py")
        for argv in ([sys.executable, verifier, "proof", file, "--key-file", server.folder / "data" / "log.pub"],
                     [command(), "verify", file, "--key", server.folder / "data" / "log.pub", "--no-state"]):
            subprocess.run(argv, check=True, capture_output=True)

    def test_export(self):
        server = self.server()
        audit = self.audit(server)
        start = datetime.datetime.now(UTC)
        for n in range(3):
            audit.log("tool_invocation", AGENT, "allow", data={"action": "deny", "n": n})
        data = audit.export(start_time=start)
        json.dumps(data)
        self.assertEqual((data["entry_count"], len(data["entries"])), (3, 3))
        self.assertEqual([entry["data"]["n"] for entry in data["entries"]], [0, 1, 2])
        self.assertEqual((data["merkle_root"], data["metadata"]["tree_size"]), (audit._chain.get_root_hash(), 4))
        events = audit.export_cloudevents(start_time=start)
        self.assertEqual([event["action"] for event in events], ["allow"] * 3)  # data does not shadow it
        self.assertEqual(events, server.get("/v1/export", format="cloudevents")[1:])
        file = self.folder / "log.jsonl"
        self.assertEqual(audit.reader.export(file).checkpoint.size, 4)
        self.assertEqual(len(file.read_text().splitlines()), 5)

    def test_sink(self):
        """A sink gets what this process logs, sealed; a Follower's gets all, and goes on where it was."""
        server = self.server()
        sink = sealstream.FileAuditSink(path=self.folder / "audit.jsonl", secret_key=b"k", max_file_size=1000)
        self.assertIsInstance(sink, sealstream.AuditSink)
        self.assertNotIsInstance(object(), sealstream.AuditSink)
        audit = self.audit(server, sink=sink)
        for n in range(8):
            audit.log("tool_invocation", AGENT, "allow", "/r/%d" % n)
        files = sorted(self.folder.glob("audit*.jsonl"))
        self.assertGreater(len(files), 2)
        lines = [json.loads(line)["resource"] for file in files for line in file.read_text().splitlines()]
        self.assertEqual(sorted(lines), ["/r/%d" % n for n in range(8)])
        self.assertEqual(sink.verify_integrity(), (True, None))
        for read in sink.read_entries():
            self.assertEqual((len(read.content_hash), len(read.signature)), (64, 64))
        taken = []

        class Mine:
            def write_batch(self, entries):
                taken.extend(entry.index for entry in entries)

        sealstream.Follower(audit.reader, Mine(), self.folder / "cursor").run(until=4)
        seen = len(taken)
        sealstream.Follower(audit.reader, Mine(), self.folder / "cursor").run(until=8)
        self.assertEqual(taken, list(range(9)))
        self.assertGreaterEqual(seen, 5)

    def test_read_entries_of_the_toolkits_sink(self):
        server = self.server()
        with sealstream.Client(server.url, self.spool) as client:
            sink = sealstream.AuditSink(client)
            sink.write_batch([{"entry_id": "audit_%d" % n, "event_type": "tool_invocation", "agent_did": AGENT} for n in range(3)])
            with self.assertRaises(sealstream.NoKeyError):
                sink.read_entries()
            entries = sink.read_entries(key=server.folder / "data" / "log.pub")
            self.assertEqual([entry.entry_id for entry in entries], ["audit_0", "audit_1", "audit_2"])
            self.assertTrue(all(len(entry.content_hash) == 64 and entry.signature == "" for entry in entries))


if __name__ == "__main__":
    unittest.main()
