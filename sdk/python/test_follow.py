"""Following a real log whose server goes away and whose connections break."""
import threading
import unittest

import sealstream
from proxy import Proxy
from server import Case, setUpModule, tearDownModule, until  # noqa: F401: for unittest, too

RESTARTS, DISCONNECTS, EACH = 50, 20, 6  # and how many events come between them
AGENTS = ("did:web:even", "did:web:odd")


class Reading(threading.Thread):
    """Reads a stream to its end."""

    def __init__(self, stream):
        super().__init__()
        self.stream, self.found, self.failed = stream, [], []
        self.start()

    def run(self):
        try:
            for entry in self.stream:
                self.found.append(entry.index)
        except Exception as error:
            self.failed.append(error)

    def has(self, count):
        return len(self.found) >= count or self.failed


class Follow(Case):
    def follow(self, reader, **filters):
        reading = Reading(reader.follow(0, **filters))
        self.addCleanup(reading.join, 30)
        self.addCleanup(reading.stream.close)
        return reading

    def log(self, server, number):
        """Seals one round of events, not through the proxy."""
        self.client.send_batch(
            [{"specversion": "1.0", "id": "%d-%d" % (number, one), "source": AGENTS[one % 2], "type": "ai.agentmesh.tool.invoked",
              "data": {"text": "x" * 700}} for one in range(EACH)], wait="sealed", timeout=60)

    def test_restarts_and_disconnects(self):
        """Each entry once and in order, with a filter and without. Twice the server itself is killed."""
        server = self.server()
        self.client = sealstream.Client(server.url, spool=self.spool, sync=False)
        self.addCleanup(self.client.close)
        proxy = Proxy(server.port)
        self.addCleanup(proxy.stop)
        reader = sealstream.Reader(proxy.url, key=server.folder / "data" / "log.pub")
        every, odd = self.follow(reader), self.follow(reader, agent_did=AGENTS[1])
        rounds = RESTARTS + DISCONNECTS
        for number in range(rounds):
            self.log(server, number)
            if number % 7 in (1, 4):
                proxy.disconnect()
            else:
                proxy.stop()
                if number % 35 == 20:
                    server.kill()
                    server.start()
                proxy.start()
            until(lambda: every.has(number * EACH) and odd.has(number * EACH // 2))  # the round before
        until(lambda: every.has(rounds * EACH + 1) and odd.has(rounds * EACH // 2))
        for reading in (every, odd):
            reading.stream.close()
            reading.join(30)
        self.assertEqual((every.failed, odd.failed), ([], []))
        self.assertEqual(every.found, list(range(rounds * EACH + 1)))
        self.assertEqual(odd.found, [1 + number for number in range(rounds * EACH) if number % 2])


if __name__ == "__main__":
    unittest.main()
