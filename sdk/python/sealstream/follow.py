"""Following a log: the stream of its entries, and a follower that writes them to a sink."""
from __future__ import annotations

import http.client
import random
import threading
from typing import Any, Dict, Iterator, List, Optional, Tuple

import sealstream_verify as sv

from .api import Answer, Connection
from .entry import AuditEntry
from .errors import AnswerError, IncompleteError, ProofError
from .filters import Filter
from .head import Behind, Head, Patience, require
from .request import Requests
from .verifier import open_page, refused

MAX_EVENT = 8 << 20  # bytes of one event of the stream
MAX_UNPROVEN = 256  # entries that may come before their proof (SPEC 8.1)
MAX_UNPROVEN_BYTES = 256 << 20  # and their bytes


class Stream(Iterator[AuditEntry]):
    """An iterator of entries, from an index on, and of those to come. close ends it, from any
    thread.

    An entry is given once it is proven. Where every entry is wanted, one that is missing, comes
    twice or too late is an IncompleteError. Of a filter, that no entry that fits is left out is the
    server's word."""

    def __init__(
        self, requests: Requests, head: Head, wanted: Filter, start: Optional[int]
    ) -> None:
        self._requests, self._head, self._wanted = requests, head, wanted
        self._query: Dict[str, Any] = dict(wanted.query())
        self._whole = not self._query
        self._least = 0  # size that was seen before the connection
        self.next_index = start  # where it goes on; None: at the end
        self._proven: Iterator[AuditEntry] = iter(())
        self._batches = self._resume()
        self._closed = threading.Event()
        self._connection: Optional[Connection] = None

    def __next__(self) -> AuditEntry:
        while True:
            for entry in self._proven:
                return entry
            self._proven = iter(next(self._batches))

    def batches(self) -> Iterator[List[AuditEntry]]:
        """The entries, those that were proven together in one list."""
        return self._batches

    def close(self) -> None:
        """Ends the iteration."""
        self._closed.set()
        self.disconnect()

    def disconnect(self) -> None:
        """Breaks the connection. The stream resumes over another one."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            try:
                connection.sock.shutdown(2)
            except OSError:
                pass

    def _resume(self) -> Iterator[List[AuditEntry]]:
        """The batches, over any number of connections."""
        self._head.keys()
        if self.next_index is None:
            self.next_index = self._head.ask().size
        pause, patience = 0.05, Patience()
        while not self._closed.is_set():
            try:
                for batch in self._read():
                    pause = 0.05
                    patience.caught_up()
                    yield batch
            except Behind as error:
                patience.behind(error)
                wait = pause
            except Answer as error:
                if self._is_behind(error):
                    patience.behind(error)
                elif error.status not in (404, 429, 502, 503, 504):
                    raise
                wait = max(pause, error.retry_after)
            except (OSError, http.client.HTTPException, AttributeError):
                wait = pause  # AttributeError: close came while it was read
            else:
                wait = pause
            self._closed.wait(wait * random.uniform(0.5, 1))
            pause = min(2 * pause, 2.0)

    def _read(self) -> Iterator[List[AuditEntry]]:
        """The batches of one connection."""
        self._least = self._head.least()
        self._connection = connection = self._requests.api.connect()
        try:
            query = dict(self._query, from_index=self.next_index, proof=1)
            response = self._requests.api.open(connection, "/v1/stream", query)
            if self._closed.is_set():
                return  # close came before there was a connection that it could break
            lines: List[Dict[str, Any]] = []
            size = 0  # of the lines
            for name, data in events(response):
                if name == "problem":
                    problem = Answer(500, data)
                    status = problem.problem.get("status", 500)
                    raise Answer(status if isinstance(status, int) else 500, data)
                if name not in ("", "proof"):
                    continue  # of a newer server
                with refused("stream", {"kind": "malformed"}):
                    value = sv.parse(data)
                if name == "proof":
                    yield self._prove(lines, value)
                    lines, size = [], 0
                    continue
                lines.append(value)
                size += len(data)
                if len(lines) > MAX_UNPROVEN or size > MAX_UNPROVEN_BYTES:
                    raise ProofError("%d entries of the stream without a proof" % len(lines))
        finally:
            connection.close()

    def _prove(self, lines: List[Dict[str, Any]], proof: Any) -> List[AuditEntry]:
        found, checkpoint = open_page(lines, proof, self._head.keys())
        require(checkpoint.size, self._least)
        self._head.see(checkpoint)
        for entry in found:
            self._check(entry)
        return found

    def _check(self, entry: AuditEntry) -> None:
        expected = self.next_index or 0
        if entry.index < expected:
            raise IncompleteError("entry %d comes again, or too late" % entry.index)
        if self._whole and entry.index > expected:
            raise IncompleteError("entry %d is left out" % expected)
        if not self._wanted.wants(entry):
            raise ProofError("entry %d does not fit the filter" % entry.index)
        self.next_index = entry.index + 1

    def _is_behind(self, error: Answer) -> bool:
        """Whether the server says that the log is shorter than was seen."""
        beyond = error.status == 400 and error.problem.get("parameter") == "from_index"
        return beyond and (self.next_index or 0) <= self._least


def events(response: http.client.HTTPResponse) -> Iterator[Tuple[str, bytes]]:
    """The server-sent events of an answer: the name of each, and its data."""
    name, data = "", b""
    while True:
        line = response.readline(MAX_EVENT + 1)
        if len(line) > MAX_EVENT:
            raise AnswerError("a line of more than %d bytes" % MAX_EVENT)
        if not line.endswith(b"\n"):
            return  # the connection ended, perhaps within a line
        line = line.rstrip(b"\r\n")
        if not line:
            if data:
                yield name, data
            name, data = "", b""
            continue
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if field == b"event":
            name = value.decode(errors="replace")
        elif field == b"data":
            data += b"\n" * bool(data) + value
            if len(data) > MAX_EVENT:
                raise AnswerError("an event of more than %d bytes" % MAX_EVENT)
