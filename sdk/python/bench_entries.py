"""How fast Reader.entries is, beside the same entries unverified. Run it on an idle machine:

    python3 bench_entries.py [entries] [runs]

It starts a log of its own, fills it and reads it alternately. Wall is what a program waits for, cpu
what this process computes, without the server."""
import json
import statistics
import sys
import tempfile
import time

import sealstream
from server import Server, setUpModule, tearDownModule

EVENT = {"specversion": "1.0", "source": "did:web:agent.example.com", "type": "ai.agentmesh.tool.invoked", "action": "allow",
         "subject": "/tools/search_flights", "outcome": "success", "sessionid": "s-1", "time": "2026-01-01T00:00:00Z"}


def fill(server, count):
    """Writes so many events."""
    api = sealstream.api.Api(server.url, "default", {}, 60, None)
    for start in range(0, count, 256):
        lines = [json.dumps({**EVENT, "id": "e-%d" % number, "data": {"from": "JFK", "to": "SEA", "passengers": number}}).encode()
                 for number in range(start, min(start + 256, count))]
        api.post_events(lines, "sealed")
    api.close()


def measure(entries, count, look):
    """Seconds of wall and of cpu in which a program goes through the entries."""
    wall, cpu, found = time.perf_counter(), time.process_time(), 0
    for entry in entries:
        found += 1
        look(entry)
    assert found == count, found
    return time.perf_counter() - wall, time.process_time() - cpu


def main(count=100_000, runs=3):
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder).start()
        try:
            fill(server, count - 1)
            reader = sealstream.Reader(server.url, key=server.folder / "data" / "log.pub")
            ways = {
                "unverified": lambda: measure(reader.unverified().entries(), count, lambda entry: entry["index"]),
                "verified": lambda: measure(reader.entries(), count, lambda entry: entry.index),
                "verified, with data": lambda: measure(reader.entries(), count, lambda entry: entry.data),
            }
            took = {name: [] for name in ways}
            for _ in range(runs):
                for name, run in ways.items():
                    took[name].append(run())
        finally:
            server.kill()
    base = [statistics.median(column) for column in zip(*took["unverified"])]
    for name, times in took.items():
        wall, cpu = (statistics.median(column) for column in zip(*times))
        print("%-20s %7.0f entries/s   wall %5.2f s   cpu %5.2f s   %.2f x unverified (cpu %.2f x)"
              % (name, count / wall, wall, cpu, base[0] / wall, base[1] / cpu))


if __name__ == "__main__":
    setUpModule()
    try:
        main(*map(int, sys.argv[1:]))
    finally:
        tearDownModule()
