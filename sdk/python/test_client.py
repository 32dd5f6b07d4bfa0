"""The client against a real log."""
import collections
import json
import logging
import threading
import time
import unittest

import sealstream
from server import Case, free_port, setUpModule, tearDownModule, until  # noqa: F401: the first two are for unittest

AGENT = "did:web:agent.example.com:buyer"


class ClientTest(Case):
    def client(self, server, **options):
        client = sealstream.Client(getattr(server, "url", server), self.spool, **options)
        self.addCleanup(client.close, 0)
        return client

    def test_every_parameter_arrives(self):
        server = self.server()
        client = self.client(server)
        receipt = client.log(
            "tool_invocation", AGENT, "allow", "/crm/contacts", {"query": "äcme 😀", "n": 2**63, "none": None}, "success", "allowed", "trace-1",
            session_id="s-1", target_did="did:web:target", matched_rule="r-1", arguments_hash="ab", approver_did="did:web:boss",
            policy_version="7", issued_at="2026-01-02T03:04:05Z", completed_at="2026-01-02T03:04:06Z",
            extensions={"tenant": "a"}, wait="sealed")
        self.assertEqual((receipt.status, receipt.agent_did), ("sealed", AGENT))
        until(lambda: server.entries(agent=AGENT))  # query is a moment behind the seal
        entry = server.get("/v1/entries/%d" % receipt.index)
        want = dict(
            entry_id=receipt.entry_id, entry_hash=receipt.entry_hash, event_type="tool_invocation", agent_did=AGENT, action="allow",
            resource="/crm/contacts", data={"query": "äcme 😀", "n": 2**63, "none": None}, outcome="success", policy_decision="allowed",
            trace_id="trace-1", session_id="s-1", target_did="did:web:target", matched_rule="r-1",
            cloudevent_type="ai.agentmesh.tool.invoked")
        self.assertEqual(want, {name: entry.get(name) for name in want})
        extensions = dict(argumentshash="ab", approverdid="did:web:boss", policyversion="7", issuedat="2026-01-02T03:04:05Z",
                          completedat="2026-01-02T03:04:06Z", tenant="a")
        self.assertEqual(extensions, {name: entry["extensions"].get(name) for name in extensions})
        self.assertLess(receipt.entry_id, client.log("x", AGENT).entry_id)

    def test_receipts(self):
        client = self.client(self.server())
        receipts = {wait: client.log("tool_invocation", AGENT, data=wait, wait=wait) for wait in sealstream.WAITS}
        self.assertEqual([receipt.status for receipt in receipts.values()], ["spooled", "stored", "sealed", "sealed"])  # no witnesses here
        self.assertEqual([receipts["sealed"].reached(wait) for wait in sealstream.WAITS], [True, True, True, False])
        first = client.log("tool_invocation", AGENT, data=1, entry_id="mine", wait="sealed")
        again = client.log("tool_invocation", AGENT, data=1, entry_id="mine", wait="sealed")
        self.assertEqual((again.status, again.index, again.entry_hash), ("duplicate", first.index, first.entry_hash))
        self.assertTrue(again.reached("sealed"))
        other = client.log("tool_invocation", AGENT, data=2, entry_id="mine", wait="sealed")
        self.assertEqual(other.equivocation_of, first.index)

    def test_what_cannot_be_an_event_is_refused_at_once(self):
        client = self.client("http://127.0.0.1:%d" % free_port())
        for arguments in (dict(action="read"), dict(outcome="maybe"), dict(data={"n": float("nan")}), dict(data=object()), dict(data="\ud800"),
                          dict(data="x" * (1 << 19)), dict(wait="forever"), dict(extensions={"traceid": "t"}), dict(entry_id="")):
            with self.subTest(arguments=str(arguments)[:60]), self.assertRaises(ValueError):
                client.log("tool_invocation", AGENT, **arguments)
        with self.assertRaises(ValueError):
            client.log("tool_invocation", "")
        self.assertEqual(client.status()["pending"], 0)

    def test_what_the_log_refuses_is_kept(self):
        server = self.server()
        client = self.client(server)
        with self.assertLogs("sealstream", "ERROR"), self.assertRaisesRegex(sealstream.Rejected, "type"):
            client.log("sealstream.config", AGENT, wait="stored")
        good = client.log("tool_invocation", AGENT, wait="sealed")
        self.assertEqual([entry["entry_id"] for entry in server.entries(agent=AGENT)], [good.entry_id])
        with open(self.spool / "rejected.jsonl") as file:
            kept = [json.loads(line) for line in file]
        self.assertEqual([json.loads(line["event"])["type"] for line in kept], ["sealstream.config"])
        self.assertEqual(client.status()["rejected"], 1)

    def test_server_away(self):
        server = self.server(start=False)
        client = self.client(server)
        with self.assertLogs("sealstream", "WARNING"):
            ids = [client.log("tool_invocation", AGENT, data=n).entry_id for n in range(600)]
            receipt = client.log("tool_invocation", AGENT, wait="sealed", timeout=0.05)
            self.assertEqual((receipt.status, receipt.reached("stored")), ("spooled", False))
            self.assertFalse(client.flush(0.01))
            until(lambda: client.status()["problem"])
        client.close(timeout=0)  # the agent ends while the server is still away
        server.start()
        client = self.client(server)
        self.assertTrue(client.flush(60))
        self.assertEqual(client.status(), {"pending": 0, "bytes": client.status()["bytes"], "rejected": 0, "problem": None})
        client.log("flushed", AGENT + ":end", wait="sealed")
        until(lambda: server.entries(agent=AGENT + ":end"))
        sealed = server.entries(agent=AGENT)
        self.assertEqual([entry["entry_id"] for entry in sealed], ids + [receipt.entry_id])  # in the order in which they were logged

    def test_closed(self):
        client = self.client("http://127.0.0.1:%d" % free_port())
        waiting = []
        thread = threading.Thread(target=lambda: waiting.append(client.log("tool_invocation", AGENT, wait="sealed")))
        thread.start()
        until(lambda: client.status()["pending"])
        client.close(timeout=0)
        thread.join(30)
        self.assertEqual(waiting[0].status, "spooled")
        with self.assertRaises(ValueError):
            client.log("tool_invocation", AGENT)
        client.close()  # once more does no harm

    def test_ten_thousand_events_and_a_server_that_is_killed_twice(self):
        server = self.server()
        client = self.client(server)
        logged, threads = collections.defaultdict(list), 8

        def agent(number):
            for n in range(10_000 // threads):
                wait = "sealed" if n % 250 == 0 else "spooled"
                logged[number].append(client.log("tool_invocation", AGENT + str(number), data={"n": n}, wait=wait).entry_id)

        workers = [threading.Thread(target=agent, args=(number,)) for number in range(threads)]
        begin = time.monotonic()
        logging.disable(logging.WARNING)  # of the server being away
        self.addCleanup(logging.disable, logging.NOTSET)
        for worker in workers:
            worker.start()
        for share in (2_500, 6_000):
            until(lambda: sum(map(len, logged.values())) >= share)
            server.kill()
            server.start()
        for worker in workers:
            worker.join(120)
        self.assertTrue(client.flush(120))
        took = time.monotonic() - begin
        client.log("flushed", AGENT + ":end", wait="sealed")  # all before it is sealed, too
        until(lambda: server.entries(agent=AGENT + ":end"))
        self.assertEqual(sum(map(len, logged.values())), 10_000)
        for number, ids in logged.items():
            sealed = server.entries(agent=AGENT + str(number))
            self.assertEqual([entry["entry_id"] for entry in sealed], ids)  # each once, in its order
            self.assertEqual([entry["data"]["n"] for entry in sealed], list(range(len(ids))))
        self.assertTrue(server.get("/v1/verify")["valid"])
        print("\n10,000 events from 8 threads, server killed twice: each sealed exactly once, in %.1f s" % took)


if __name__ == "__main__":
    unittest.main()
