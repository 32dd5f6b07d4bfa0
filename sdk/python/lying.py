"""A server of a small log, for the tests of the readers. It is honest unless a test makes it lie."""
import collections
import http.server
import json
import threading
import urllib.parse

from sealing import Log, audit_path, jcs, sha256, split, tree_hash


def consistency(m, leaves, whole=True):
    """RFC 6962 section 2.1.2, as it is written there."""
    n = len(leaves)
    if m == n:
        return [] if whole else [tree_hash(leaves).hex()]
    k = split(n)
    if m <= k:
        return consistency(m, leaves[:k], whole) + [tree_hash(leaves[k:]).hex()]
    return consistency(m - k, leaves[k:], False) + [tree_hash(leaves[:k]).hex()]


def batch(indexes, leaves, first=0):
    """SPEC 8.1: the hashes of the largest subtrees that hold none of the indexes."""
    if not any(first <= index < first + len(leaves) for index in indexes):
        return [tree_hash(leaves).hex()]
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    return batch(indexes, leaves[:k], first) + batch(indexes, leaves[k:], first + k)


class Small:
    """A log of some entries, and its answers. A test overrides one of them."""

    def __init__(self, count=20, prefix="id"):
        self.log = Log()
        for number in range(1, count):
            agent = "did:example:%s" % "ab"[number % 2]
            self.log.put("tool_invocation", 7 + number, data=b'{"n":%d}' % number, agent_did=agent, outcome="success",
                         entry_id="%s-%d" % (prefix, number))

    def size(self):
        return len(self.log.leaves)

    def line(self, index):
        return {"leaf": self.log.leaves[index], **self.log.records.get(index, {})}

    def proof(self, indexes, size):
        return {"tree_size": size, "checkpoint": self.checkpoint(size), "hashes": batch(indexes, self.log.bytes()[:size])}

    def checkpoint(self, size=None):
        return self.log.checkpoint(size)

    def page(self, indexes, size, cursor):
        return {"entries": [self.line(index) for index in indexes], "next_cursor": cursor, "tree_size": size,
                "proof": self.proof(indexes, size)}

    def entries(self, query):
        size, limit = int(query.get("size", self.size())), int(query["limit"])
        indexes = [index for index in range(size) if self.fits(query, json.loads(self.log.leaves[index]))]
        at = int(query.get("cursor", query.get("from_index", 0)))
        if query["order"] == "asc":
            indexes = [index for index in indexes if index >= at]
            shown, more = indexes[:limit], len(indexes) > limit
            cursor = str(shown[-1] + 1) if more else None
        else:
            indexes = [index for index in indexes if not at or index < at]
            shown, more = indexes[-limit:], len(indexes) > limit
            cursor = str(shown[0]) if more else None
        return self.page(shown, size, cursor)

    @staticmethod
    def fits(query, leaf):
        return query.get("agent") in (None, leaf["agent_did"]) and query.get("type") in (None, leaf["event_type"])

    def entry_proof(self, index):
        return self.log.proof(index, **self.log.records.get(index, {}))

    def id_proof(self, entry_id):
        return self.entry_proof(next(i for i, leaf in enumerate(self.log.leaves) if json.loads(leaf)["entry_id"] == entry_id))

    def consistency(self, query):
        return {"proof": consistency(int(query["from"]), self.log.bytes()[:int(query["to"])])}

    def stream(self, start):
        """The events of the stream, as (name, value)."""
        lines = list(range(start, self.size()))
        return [("", self.line(index)) for index in lines] + [("proof", self.proof(lines, self.size()))]

    def export(self):
        return self.log.export()

    def stats(self):
        return {"keys": [self.log.vkey], "tree_size": self.size()}

    def counts(self, query):
        leaves = [json.loads(leaf) for leaf in self.log.leaves]
        found = [leaf for leaf in leaves if self.fits(query, leaf)]

        def tally(member):
            return dict(collections.Counter(leaf[member] for leaf in found if member in leaf))

        indexes = [leaf["index"] for leaf in found] or [None]
        return {"tree_size": self.size(), "matches": len(found), "first": indexes[0], "last": indexes[-1], "agents": len(tally("agent_did")),
                "event_types": tally("event_type"), "actions": tally("action"), "outcomes": tally("outcome"), "top_agents": []}

    def post(self, events):
        return {"receipts": [self.seal(event) for event in events]}

    def seal(self, event):
        data = jcs(event["data"]).encode()
        salt = bytes.fromhex(event["datasalt"])
        index = self.log.put("tool_invocation", 7 + self.size(), entry_id=event["id"], agent_did=event["source"], cloudevent_type=event["type"],
                             resource=event["subject"], action=event["action"], outcome=event["outcome"],
                             data_hash=sha256(b"\2" + salt + data).hex())
        self.log.records[index] = {"data_raw": data.decode(), "salt": salt.hex()}
        return {"entry_id": event["id"], "agent_did": event["source"], "status": "sealed", "index": index, "entry_hash": self.log.hash(index)}


class Quiet(http.server.ThreadingHTTPServer):
    """Says nothing of clients that go away."""

    def handle_error(self, request, client_address):
        pass


class Server:
    """Serves a Small over HTTP. small may be exchanged for another one."""

    def __init__(self, small):
        self.small = small
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                outer.get(self, url.path, dict(urllib.parse.parse_qsl(url.query)))

            def do_POST(self):
                events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.answer(self, json.dumps(outer.small.post(events)).encode())

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.http.server_address[1]
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def get(self, handler, path, query):
        small = self.small
        parts = path.split("/")
        if path == "/v1/entries":
            value = small.entries(query)
        elif path.startswith("/v1/entries/id/"):
            value = small.id_proof(urllib.parse.unquote(parts[4]))
        elif path.startswith("/v1/entries/"):
            value = small.entry_proof(int(parts[3]))
        elif path == "/v1/consistency":
            if int(query["to"]) > small.size():
                self.answer(handler, b'{"detail":"to: the log has fewer","parameter":"to"}', status=400)
                return
            value = small.consistency(query)
        elif path == "/checkpoint":
            self.answer(handler, small.checkpoint().encode())
            return
        elif path == "/v1/stream":
            events = ["event: %s\n" % name * bool(name) + "data: %s\n\n" % json.dumps(value)
                      for name, value in small.stream(int(query["from_index"]))]
            self.answer(handler, "".join(events).encode())
            return
        elif path == "/v1/export":
            self.answer(handler, b"".join(json.dumps(line).encode() + b"\n" for line in small.export()))
            return
        else:
            value = {"/v1/stats": small.stats, "/v1/counts": lambda: small.counts(query)}[path]()
        self.answer(handler, json.dumps(value).encode())

    def answer(self, handler, body, status=200):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
