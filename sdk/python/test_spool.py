"""What the spool keeps when the agent, the disk or the server fails."""
import ast
import http.server
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import unittest

import sealstream
from sealstream import spool
from sealstream.sender import Sender
from server import Case, free_port, setUpModule, tearDownModule, until  # noqa: F401: the first two are for unittest

HERE = pathlib.Path(__file__).resolve().parent
AGENT = "did:web:agent.example.com"
NOWHERE = "http://127.0.0.1:1"

# An agent that logs from four threads for ever, and says which events it has logged.
AGENT_PROGRAM = """
import os, sys, threading
import sealstream
client = sealstream.Client(sys.argv[1], sys.argv[2])
def work(number):
    while True:
        receipt = client.log("tool_invocation", "%s:%%d" %% number, data={"pad": "x" * 300})
        os.write(1, (receipt.entry_id + "\\n").encode())
for number in range(4):
    threading.Thread(target=work, args=(number,)).start()
""" % AGENT

# An agent whose files may not grow beyond 4,000 bytes, so that a line is cut off in its middle.
FULL_PROGRAM = """
import resource, sys
import sealstream
client = sealstream.Client(sys.argv[1], sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
taken = refused = 0
for n in range(40):
    try:
        client.log("tool_invocation", "%s", data={"n": n, "pad": "x" * (n * 37 %% 300)})
        taken += 1
    except OSError:
        refused += 1
print(taken, refused, client.status()["pending"])
client.close(timeout=0)
""" % AGENT


class SpoolTest(Case):
    def client(self, url=NOWHERE, **options):
        client = sealstream.Client(url, self.spool, **options)
        self.addCleanup(client.close, 0)
        return client

    def log(self, client, numbers):
        with self.assertLogs("sealstream"):  # that the server is away
            for n in numbers:
                client.log("tool_invocation", AGENT, data=n, entry_id=str(n))
            until(lambda: client.status()["problem"])

    def files(self):
        return sorted(path for path in self.spool.glob("*.jsonl") if path.stem.isdigit())

    def run_program(self, program, *argv):
        env = dict(os.environ, PYTHONPATH=str(HERE))
        return subprocess.Popen([sys.executable, "-c", program, *argv], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)

    def sealed(self, server):
        """The data of what is sealed, after a client has sent all that the spool holds."""
        client = self.client(server.url)
        self.assertTrue(client.flush(60))
        client.log("flushed", AGENT + ":end", wait="sealed")
        until(lambda: server.entries(agent=AGENT + ":end"))
        client.close()
        return [entry["data"] for entry in server.entries(agent=AGENT)]

    def test_agent_killed(self):
        server = self.server()
        logged = []
        for _ in range(int(os.environ.get("SEALSTREAM_KILLS", "6"))):
            agent = self.run_program(AGENT_PROGRAM, server.url, str(self.spool))
            for _ in range(random.randrange(20, 300)):
                logged.append(agent.stdout.readline().strip())
            agent.send_signal(signal.SIGKILL)
            logged += [line.strip() for line in agent.stdout.read().split("\n")[:-1]]
            agent.wait()
            agent.stdout.close()
        self.sealed(server)
        sealed = [entry["entry_id"] for number in range(4) for entry in server.entries(agent="%s:%d" % (AGENT, number))]
        self.assertEqual(len(sealed), len(set(sealed)), "an event is there twice")
        self.assertLessEqual(set(logged), set(sealed), "an event is lost")
        self.assertGreater(len(logged), 100)

    def test_torn_line(self):
        client = self.client()
        self.log(client, range(3))
        client.close(timeout=0)
        with open(self.files()[-1], "ab") as file:
            file.write(b'{"specversion":"1.0","id":"torn","source":"did:web:ag')
        client = self.client()
        self.log(client, range(3, 5))
        self.assertEqual(client.status()["pending"], 5)
        client.close(timeout=0)
        self.assertEqual(self.sealed(self.server()), [0, 1, 2, 3, 4])

    def test_many_files(self):
        segment, spool.SEGMENT = spool.SEGMENT, 1000
        self.addCleanup(setattr, spool, "SEGMENT", segment)
        client = self.client()
        self.log(client, range(100))
        self.assertGreater(len(self.files()), 10)
        client.close(timeout=0)
        server = self.server()
        self.assertEqual(self.sealed(server), list(range(100)))
        self.assertEqual(self.files(), [])
        self.log_more(server, range(100, 150))

    def log_more(self, server, numbers):
        """The numbers of the events go on, although their files are gone."""
        client = self.client(server.url)
        for n in numbers:
            client.log("tool_invocation", AGENT, data=n)
        client.close(timeout=60)
        self.assertEqual(self.sealed(server), list(range(numbers.stop)))

    def test_cursor_lost(self):
        server = self.server()
        client = self.client(server.url)
        client.log("tool_invocation", AGENT, data=0, wait="stored")
        with self.assertLogs("sealstream"):
            server.kill()
            client.log("tool_invocation", AGENT, data=1)
            until(lambda: client.status()["problem"])
        client.close(timeout=0)
        (self.spool / "cursor").unlink()
        server.start()
        self.assertEqual(self.sealed(server), [0, 1])  # 0 went again, and was recognised

    def test_cursor_damaged(self):
        client = self.client()
        self.log(client, range(3))
        client.close(timeout=0)
        (self.spool / "cursor").write_bytes(b"%020d" % 10**9)
        client = self.client()
        self.assertEqual(client.status()["pending"], 3)
        client.close(timeout=0)
        self.assertEqual(self.sealed(self.server()), [0, 1, 2])

    def test_bytes_that_are_no_text(self):
        client = self.client()
        self.log(client, range(3))
        client.close(timeout=0)
        path = self.files()[0]
        first, second, third = path.read_bytes().splitlines(True)
        path.write_bytes(first + second[:20] + b"\xff\xfe" + second[22:] + third)
        with self.assertLogs("sealstream", "ERROR"):
            self.assertEqual(self.sealed(self.server()), [0, 2])
        self.assertIn("\\\\xff\\\\xfe", (self.spool / "rejected.jsonl").read_text())

    def test_damaged_files(self):
        segment, spool.SEGMENT = spool.SEGMENT, 1000
        self.addCleanup(setattr, spool, "SEGMENT", segment)
        client = self.client()
        self.log(client, range(60))
        client.close(timeout=0)
        for path, change in zip(self.files()[1:], (lambda raw: raw[:len(raw) // 2], lambda raw: b"", lambda raw: b"\0" * 9 + raw[9:])):
            path.write_bytes(change(path.read_bytes()))
        left = sum(path.read_bytes().count(b"\n") for path in self.files())
        with self.assertLogs("sealstream", "ERROR"):
            kept = self.sealed(self.server())
        self.assertEqual(kept, sorted(kept))
        self.assertEqual(len(kept), left - 1)
        self.assertGreater(left, 40)
        self.assertEqual(len((self.spool / "rejected.jsonl").read_text().splitlines()), 1)

    def test_bounded(self):
        client = self.client(max_bytes=2000)
        with self.assertLogs("sealstream"), self.assertRaises(sealstream.SpoolFull):
            for n in range(100):
                client.log("tool_invocation", AGENT, data=n)
            until(lambda: client.status()["problem"])
        self.assertLessEqual(client.status()["bytes"], 2000)
        client.close(timeout=0)
        self.assertEqual(self.sealed(self.server()), list(range(n)))

    def test_removed_while_in_use(self):
        client = self.client()
        with self.assertLogs("sealstream"):
            client.log("tool_invocation", AGENT, data=1)
            for path in pathlib.Path(client._spool._folder).iterdir():
                path.unlink()
            with self.assertRaisesRegex(OSError, "was removed"):
                client.log("tool_invocation", AGENT, data=2)
            until(lambda: client.status()["problem"])

    def test_takes_again_after_it_was_full(self):
        server = self.server(start=False)
        client = self.client(server.url, max_bytes=20_000)
        numbers = iter(range(10_000))
        kept = []

        def fill():
            with self.assertRaises(sealstream.SpoolFull):
                for n in numbers:
                    client.log("tool_invocation", AGENT, data=n, entry_id=str(n))
                    kept.append(n)

        with self.assertLogs("sealstream"):
            fill()
            until(lambda: client.status()["problem"])
            server.start()
            for _ in range(3):  # full, sent, full again: never for ever
                self.assertTrue(client.flush(60))
                until(lambda: client.log("tool_invocation", AGENT, data=kept.append(next(numbers)) or kept[-1], entry_id=str(kept[-1])))
                server.kill()
                fill()
                server.start()
        client.close(timeout=60)
        self.assertEqual(self.sealed(server), kept)

    def test_disk_full(self):
        program = self.run_program(FULL_PROGRAM, NOWHERE, str(self.spool))
        taken, refused, pending = map(int, program.communicate(timeout=60)[0].split())
        self.assertEqual((taken + refused, pending), (40, taken))
        self.assertTrue(taken > 5 and refused > 5, (taken, refused))
        self.assertEqual(len(self.sealed(self.server())), taken)

    def test_one_client_a_spool(self):
        client = self.client()
        with self.assertRaises(sealstream.SpoolBusy):
            self.client()
        client.close(timeout=0)
        self.client()

    def test_after_a_fork(self):
        client = self.client()
        pid = os.fork()
        if pid == 0:
            try:
                client.log("tool_invocation", AGENT)
            except ValueError:
                os._exit(7)
            os._exit(0)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 7)


class Stub(http.server.BaseHTTPRequestHandler):
    """A server that refuses any batch with a poisonous event as a whole, is busy each third time, and answers the next half way."""
    requests = 0
    stored = []

    def do_POST(self):
        Stub.requests += 1
        events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if Stub.requests % 3 == 0:
            self.answer(503, {"detail": "busy"})
        elif any(event["id"].startswith("poison") for event in events):
            self.answer(413, {"type": "urn:sealstream:problem:too-large", "detail": "poison"})
        else:
            Stub.stored += [event["id"] for event in events]
            self.answer(200, {"receipts": [
                {"entry_id": event["id"], "agent_did": AGENT, "status": "stored", "position": 0} for event in events[Stub.requests % 3 - 1:]]})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class TroubleTest(Case):
    """Answers that a real server gives too rarely to wait for them."""

    def test_refused_batches_and_bad_answers(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Stub)
        threading.Thread(target=server.serve_forever).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        ids = ["poison" if n in (0, 7, 20) else "%02d" % n for n in range(21)]
        with self.assertLogs("sealstream") as logged, sealstream.Client("http://127.0.0.1:%d" % server.server_port, self.spool) as client:
            events = [{"specversion": "1.0", "id": name + "x", "source": AGENT, "type": "t"} for name in ids]
            with self.assertRaises(sealstream.Rejected):
                client.send_batch(events, wait="stored")
            self.assertTrue(client.flush(60))
            self.assertEqual(client.status()["rejected"], 3)
        self.assertEqual(list(dict.fromkeys(Stub.stored)), [name + "x" for name in ids if name != "poison"])
        self.assertIn("receipts for", "".join(logged.output))

    def foreign(self, answers):
        """A server that gives these answers, (status, content type, body) each, one a request, and then takes events of at most 2,000 bytes."""
        stored, left = [], list(answers)

        class Foreign(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if left:
                    self.answer(*left.pop(0))
                elif int(self.headers["Content-Length"]) > 2000:
                    self.answer(413, "text/html", "<html>Request Entity Too Large</html>")
                else:
                    stored.extend(event["id"] for event in events)
                    self.answer(200, "application/json", json.dumps({"receipts": [
                        {"entry_id": event["id"], "agent_did": event["source"], "status": "stored", "position": 0} for event in events]}))

            def answer(self, status, kind, body):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Location", "/login")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Foreign)
        threading.Thread(target=server.serve_forever).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return "http://127.0.0.1:%d" % server.server_port, stored

    def test_only_the_log_can_refuse(self):
        html = "<html>400 The plain HTTP request was sent to HTTPS port</html>"
        receipt = dict(entry_id="0", agent_did=AGENT, status="stored")
        answers = [(status, "text/html", html) for status in (302, 400, 401, 403, 404, 405, 411, 413, 414, 415, 422, 431, 451, 500, 501)] + [
            (400, "application/problem+json", '{"type":"about:blank","detail":"a gateway"}'),
            (400, "application/problem+json", '{"type":["urn:sealstream:problem:rejected"]}'),
            (400, "application/problem+json", '{"type":"urn:sealstream:problem:cut-off","detail":"the body was cut off"}'),
            (422, "application/json", "[" * 50_000), (200, "text/html", "<html>Please log in</html>"), (200, "application/json", "[]"),
            (200, "application/json", '{"receipts":{"0":1}}'), (200, "application/json", '{"receipts":[1]}'),
        ] + [(200, "application/json", json.dumps({"receipts": [dict(receipt, **change)]})) for change in (
            {"status": "fine"}, {"status": None}, {"entry_id": "1"}, {"agent_did": "did:web:other"}, {"status": "rejected", "entry_id": "1"})]
        url, stored = self.foreign(answers)
        pauses = Sender.PAUSES
        self.addCleanup(setattr, Sender, "PAUSES", pauses)
        Sender.PAUSES = (0.001, 0.001)
        with self.assertLogs("sealstream") as logged, sealstream.Client(url, self.spool) as client:
            self.assertEqual(client.log("t", AGENT, entry_id="0", wait="stored").status, "stored")
            ids = ["%d" % n for n in range(1, 40)]
            client.send_batch([{"specversion": "1.0", "id": id, "source": AGENT, "type": "t", "data": "x" * 300} for id in ids])
            self.assertTrue(client.flush(60))
            self.assertEqual((client.status()["rejected"], client.status()["pending"]), (0, 0))
        self.assertEqual(stored, ["0"] + ids)
        self.assertGreaterEqual(len(logged.output), len(answers))

    def test_python_3_9(self):
        files = [*HERE.glob("*.py"), *HERE.glob("sealstream/*.py")]
        self.assertGreater(len(files), 20)
        for path in files:
            ast.parse(path.read_text(), feature_version=(3, 9))


if __name__ == "__main__":
    unittest.main()
