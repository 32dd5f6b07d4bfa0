"""The toolkit's sink, and the README."""
import datetime
import enum
import math
import os
import pathlib
import re
import subprocess
import sys

import sealstream
from server import Case, free_port, setUpModule, tearDownModule, until  # noqa: F401: the first two are for unittest

AGENT = "did:web:agent.example.com"
MOMENT = datetime.datetime(2026, 5, 22, 1, 2, 3, 456789, datetime.timezone.utc)


class Entry:
    """An AuditEntry as the toolkit makes it: a model whose fields model_dump gives."""

    def __init__(self, entry_id, **fields):
        self.fields = dict(
            entry_id=entry_id, timestamp=MOMENT, event_type="tool_invocation", agent_did=AGENT, action="allow", resource="/crm/contacts",
            target_did=None, data={"query": "acme corp", "tool": "crm_lookup"}, outcome="success", policy_decision=None, matched_rule=None,
            trace_id=None, session_id=None, previous_hash="", entry_hash="98" * 32, sandbox_id=None, environment="test",
            compute_driver=None)
        self.fields.update(fields)

    def model_dump(self):
        return dict(self.fields)


class Colour(enum.Enum):
    RED = "red"


class Hostile:
    """A value that cannot be shown."""

    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__

    @property
    def value(self):
        raise RuntimeError("no")


class SinkTest(Case):
    def sink(self, server, **options):
        client = sealstream.Client(server.url, self.spool)
        self.addCleanup(client.close, 0)
        return sealstream.AuditSink(client, **options)

    def test_entries_arrive(self):
        server = self.server()
        sink = self.sink(server)
        sink.write(Entry("audit_0", policy_decision="allowed", matched_rule="r", trace_id="t", session_id="s", target_did="did:x"))
        sink.write_batch([Entry("audit_1", timestamp="2026-05-22T01:02:03.456789+00:00Z"), Entry("audit_2", previous_hash="ab" * 32).model_dump()])
        sink.write_batch([])
        sink.write(Entry("audit_0", policy_decision="allowed", matched_rule="r", trace_id="t", session_id="s", target_did="did:x"))  # again
        sink.write(Entry("audit_3"))
        self.assertEqual(sink.verify_integrity(), (True, None))
        entries = server.entries(agent=AGENT)
        self.assertEqual([entry["entry_id"] for entry in entries], ["audit_0", "audit_1", "audit_2", "audit_3"])
        self.assertEqual({entry["timestamp"] for entry in entries}, {"2026-05-22T01:02:03.456789Z"})
        want = dict(event_type="tool_invocation", action="allow", outcome="success", resource="/crm/contacts", policy_decision="allowed",
                    matched_rule="r", trace_id="t", session_id="s", target_did="did:x", data={"query": "acme corp", "tool": "crm_lookup"})
        self.assertEqual(want, {name: entries[0].get(name) for name in want})
        self.assertEqual(entries[2]["extensions"], {
            "agentmeshentryhash": "98" * 32, "agentmeshprevioushash": "ab" * 32, "agtenvironment": "test"})

    def test_whatever_the_toolkit_takes(self):
        server = self.server()
        sink = self.sink(server, wait="sealed")
        cycle = []
        cycle.append(cycle)
        for n, fields in enumerate((
                dict(action="read", outcome="unsure"), dict(action=Colour.RED), dict(action=""), dict(event_type=""), dict(data={}),
                dict(data={"n": math.nan, "m": [1, -math.inf]}), dict(data={"when": MOMENT}), dict(data=cycle), dict(data={"s": "\ud800"}),
                dict(data={1: "int", "1": "str", None: 0, "null": 1}), dict(resource="a\nb\x00\ud800\ufdd0\U0001fffe"),
                dict(resource="é" * 4000), dict(resource=7), dict(data={"action": "allow"}, action="deny"))):
            with self.subTest(fields=ascii(fields)[:80]):
                sink.write(Entry("audit_%d" % n, **fields))
        found = until(lambda: (seen := server.entries(agent=AGENT))[13:] and seen)  # query follows the sealer
        entries = {int(entry["entry_id"][6:]): entry for entry in found}
        self.assertEqual(sorted(entries), list(range(14)))
        self.assertEqual((entries[0].get("action"), entries[0]["extensions"]["agtaction"], entries[0]["extensions"]["agtoutcome"]), (None, "read", "unsure"))
        self.assertEqual(entries[1]["extensions"]["agtaction"], "red")
        self.assertEqual((entries[3]["event_type"], entries[4]["data"]), ("unknown", {}))
        self.assertEqual((entries[5]["data"], entries[7]["data"]), ({"n": "nan", "m": [1, "-inf"]}, ["[[...]]"]))
        self.assertEqual((entries[6]["data"]["when"][:10], entries[8]["data"]), ("2026-05-22", {"s": "\\ud800"}))
        self.assertEqual(entries[9]["data"], {"1": "str", "1 (int)": "int", "null": 1, "null (NoneType)": 0})
        self.assertEqual((entries[10]["resource"], entries[11]["resource"]), ("a\\nb\\x00\\ud800\\ufdd0\\U0001fffe", "é" * 2000))
        altered = {n: entry["extensions"].get("agtaltered") for n, entry in entries.items()}
        self.assertEqual({n: fields for n, fields in altered.items() if fields},
                         {5: "data", 7: "data", 8: "data", 9: "data", 10: "resource", 11: "resource"})
        self.assertEqual((entries[12]["resource"], entries[13]["action"]), ("7", "deny"))
        self.assertEqual(sink.verify_integrity(), (True, None))

    def test_nothing_in_an_entry_makes_it_fail(self):
        """Any Unicode, any time, any depth, any size, anything missing: sealed, and marked where it had to change."""
        deep = "leaf"
        for _ in range(5000):
            deep = {"d": [deep]}
        wide = {"k": "x" * (300 << 10)}
        many = list(range(200_000))
        odd = {"entry_id": None, "agent_did": None, "timestamp": None, "event_type": None}
        cases = [
            (dict(data=deep), "data"), (dict(data=wide), "data"), (dict(data=many), "data"), (dict(data={"n": 10**5000}), "data"),
            (dict(data={"n": 10**400, "f": 1e308, "i": 2**64}), "data"), (dict(data={Colour.RED: Colour.RED, (1, 2): b"\xff"}), None),
            (dict(data=Hostile()), None), (dict(data={"k": [Hostile()]}), None), (dict(resource=Hostile()), None),
            (dict(data={"\udfff": "\ufffe\x00"}), "data"), (dict(data="\ud83d"), "data"), (dict(data=[[[[]]]] * 9), None),
            (dict(timestamp="yesterday"), "timestamp"), (dict(timestamp=1779411723.5), "timestamp"), (dict(timestamp="2026-13-01T00:00:00Z"), "timestamp"),
            (dict(timestamp="2026-06-30T23:59:60Z"), "timestamp"), (dict(timestamp=datetime.datetime.min), None),
            (dict(timestamp=datetime.datetime.max.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=-5)))), "timestamp"),
            (dict(timestamp="2026-05-22t01:02:03.4+05:30"), None), (dict(timestamp=Hostile()), "timestamp"),
            (dict(event_type="sealstream.config"), "event_type"), (dict(event_type="sealstream"), "event_type"),
            (dict(event_type="ai.agentmesh.sealstream.x"), "event_type"), (dict(event_type="sealstreams"), None), (dict(event_type="t" * 9000), "event_type"),
            (dict(agent_did="\x00"), "agent_did"), (dict(agent_did="\ud800" * 5000), "agent_did"), (dict(entry_id="é" * 5000), "entry_id"),
            ({name: '"' * 5000 for name in Entry("x").fields if name not in ("data", "timestamp")}, "target_did"), (odd, "entry_id"), (dict(odd, data=[1]), "agent_did"),
        ]
        server = self.server()
        sink = self.sink(server, wait="sealed")
        for n, (fields, mark) in enumerate(cases):
            with self.subTest(n=n, fields=ascii(list(fields))):
                entry = dict(Entry("audit_%d" % n).fields, **fields)
                before = len(server.entries())
                sink.write(entry)
                sink.write(entry)  # a repeat
                found = until(lambda: server.entries()[before:])  # query is a moment behind the seal
                self.assertEqual(len(found), 1)
                altered = found[0].get("extensions", {}).get("agtaltered", "").split(",")
                self.assertEqual(mark in altered if mark else altered == [""], True, altered)
        self.assertEqual(sink._client.status()["rejected"], 0)
        self.assertEqual(sink.verify_integrity(), (True, None))

    def test_verify_integrity_says_no(self):
        server = self.server()
        sink = self.sink(server, timeout=0.2)
        with self.assertLogs("sealstream"):
            sink._client.log("sealstream.config", AGENT)
            until(lambda: sink._client.status()["rejected"])
        self.assertEqual(sink.verify_integrity(), (False, "the log refused 1 entries: see rejected.jsonl"))
        server.kill()
        with self.assertLogs("sealstream"):
            sink.write(Entry("audit_1"))
            valid, why = sink.verify_integrity()
            sink.close()
        self.assertEqual((valid, why[:28]), (False, "1 entries are not stored yet"))

    def test_a_proof_that_does_not_hold(self):
        server = self.server()
        sink = self.sink(server, wait="sealed")
        sink.write(Entry("audit_0"))
        get = sink._client._api.get
        for change in (dict(leaf='{"agent_did":"%s","entry_id":"audit_0"}' % AGENT), dict(merkle_root="00" * 32), dict(merkle_proof=[]),
                       dict(leaf='{"agent_did":"other","entry_id":"audit_0"}')):
            sink._client._api.get = lambda path, **query: dict(get(path, **query), **(change if path.endswith("/proof") else {}))
            self.assertFalse(sink.verify_integrity()[0], change)
        sink._client._api.get = lambda path, **query: {"valid": False, "error": "changed", "first_bad_index": 3}
        self.assertEqual(sink.verify_integrity(), (False, "entry 3: changed"))


class ReadmeTest(Case):
    def test_examples(self):
        """Each example of the README runs as it stands there, but for the server's address."""
        server = self.server()
        here = pathlib.Path(__file__).resolve().parent
        examples = re.findall("```python\n(.*?)```", (here / "README.md").read_text(), re.DOTALL)
        self.assertGreaterEqual(len(examples), 3)
        for number, example in enumerate(examples):
            program = example.replace("http://127.0.0.1:8420", server.url)
            self.assertNotIn("8420", program)
            done = subprocess.run([sys.executable, "-c", program], cwd=self.folder, env=dict(os.environ, PYTHONPATH=str(here)), text=True,
                                  capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""), example)
            for line in re.findall("# prints (.*)", example):
                self.assertRegex(done.stdout, line)
        self.assertGreaterEqual(len(server.entries(agent="did:web:agent.example.com:buyer")), len(examples))
