"""What the tests of sealstream.py run against: a real `sealstream up`, which they may kill."""
import http.client
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def setUpModule():
    """Builds the command once for all tests; import it into a module of tests, and tearDownModule too."""
    global _build
    _build = tempfile.TemporaryDirectory()
    subprocess.run(["go", "build", "-o", _build.name, "./cmd/sealstream"], cwd=REPOSITORY, check=True)


def tearDownModule():
    _build.cleanup()


def command():
    """The path of the command that setUpModule has built."""
    return os.path.join(_build.name, "sealstream")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, seconds=60):
    """Waits for a condition, and returns what it gives."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError("what was waited for did not come in %s s" % seconds)


class Server:
    """A log in a process of its own, at an address that it keeps over restarts."""

    def __init__(self, folder):
        self.folder, self.port, self.process = pathlib.Path(folder), free_port(), None
        self.url = "http://127.0.0.1:%d" % self.port

    def start(self):
        argv = [command(), "up", "--data", str(self.folder / "data"), "--http", "127.0.0.1:%d" % self.port,
                "--nats", "127.0.0.1:0"]
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)
        until(self._ready)
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError((self.folder / "server.log").read_text())
        try:
            return self.get("/readyz", plain=True)
        except (OSError, http.client.HTTPException, AssertionError):
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def get(self, path, plain=False, **query):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path + "?" * bool(query) + urllib.parse.urlencode(query, doseq=True))
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise AssertionError("%s: %d %s" % (path, response.status, body))
        return body if plain else json.loads(body)

    def entries(self, **query):
        """All entries of events that fit the filters, in the log's order."""
        found, cursor = [], {}
        while True:
            page = self.get("/v1/entries", limit=1000, order="asc", **query, **cursor)
            found += page["entries"]
            if page["next_cursor"] is None:
                return [entry for entry in found if not entry["event_type"].startswith("sealstream.")]
            cursor = {"cursor": page["next_cursor"]}


class Case(unittest.TestCase):
    """A test with a folder of its own and, where it asks for it, a server."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.spool = self.folder / "spool"

    def server(self, start=True):
        server = Server(self.folder)
        self.addCleanup(lambda: server.process and server.kill())
        return server.start() if start else server
