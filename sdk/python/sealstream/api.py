"""HTTP to a server of the log."""
from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import re
import socket
import ssl
import urllib.parse
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from .errors import AnswerError
from .receipt import STATUSES

MAX_ANSWER = 8 << 20  # bytes, but for pages of entries
Query = Mapping[str, Union[str, int, Sequence[str]]]
Connection = http.client.HTTPConnection


class Answer(Exception):
    """An answer other than 2xx. kind is the type of its problem document, or empty."""

    def __init__(self, status: int, body: bytes, retry_after: float = 0.0) -> None:
        self.problem: Dict[str, Any] = {}
        try:
            problem = json.loads(body)
            text = str(problem.get("detail") or problem.get("title") or "")
            kind = problem.get("type")
            self.problem = problem
        except (ValueError, AttributeError, RecursionError):
            beginning = body[:120].decode(errors="replace")
            text = "the answer is not from a sealstream log: %.120r" % beginning
            kind = ""
        super().__init__("status %d: %.1000s" % (status, text))
        self.status, self.retry_after = status, retry_after
        self.kind = kind if isinstance(kind, str) else ""


def _check_receipt(receipt: Mapping[str, Any], line: bytes) -> None:
    """Refuses a receipt that is not of this event, or says what no log says."""
    status = receipt.get("status")
    if status not in STATUSES:
        raise ValueError("a receipt has the status %.40r" % (status,))
    try:
        event = json.loads(line)
    except ValueError:
        event = None  # the line is damaged
    if status == "rejected" and (event is None or not receipt.get("entry_id")):
        return  # the log could not read it either
    if event is None:
        raise ValueError("a damaged event has the status %s" % status)
    named = receipt.get("entry_id"), receipt.get("agent_did")
    if named != (event["id"], event["source"]):
        raise ValueError("a receipt is of event %.80r of %.80r" % named)


# Names of headers that hold credentials.
_SECRET_HEADER = re.compile(
    r"authorization|cookie|token|secret|password|api-?key", re.I
).search


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def path_segment(text: str) -> str:
    """A text as one part of a path. "." and ".." are ids, too."""
    return urllib.parse.quote(text, safe="").replace(".", "%2E")


def with_token(headers: Optional[Mapping[str, str]], token: Optional[str]) -> Dict[str, str]:
    """Headers with a bearer token. No error shows the token."""
    all_headers = dict(headers or {})
    if not token:
        return all_headers
    if not all("!" <= c <= "~" for c in token):
        raise ValueError("the token has characters that no token has")
    if any(name.lower() == "authorization" for name in all_headers):
        raise ValueError("give either a token or the header Authorization")
    all_headers["Authorization"] = "Bearer " + token
    return all_headers


class Api:
    """Speaks HTTP to a server. One connection is kept for sending."""

    def __init__(
        self,
        server: str,
        log: str,
        headers: Mapping[str, str],
        timeout: Optional[float],
        context: Optional[ssl.SSLContext],
        allow_http: bool = False,
    ) -> None:
        url = urllib.parse.urlsplit(server)
        if url.scheme not in ("http", "https") or not url.hostname:
            # What it is instead may hold a password.
            raise ValueError("server is not http://HOST or https://HOST")
        clear = url.scheme == "http" and not _is_loopback(url.hostname)
        if clear and not allow_http and any(map(_SECRET_HEADER, headers)):
            raise ValueError(
                "headers with credentials are sent over https, or over http to the loopback"
                " (or with allow_http)"
            )
        self._url, self._host, self.log = url, url.hostname, log
        self._headers, self._timeout, self._context = dict(headers), timeout, context
        self._connection: Optional[Connection] = None  # the sender's

    def connect(self) -> Connection:
        """A connection of its own, for one thread."""
        if self._url.scheme == "http":
            return Connection(self._host, self._url.port, timeout=self._timeout)
        context = self._context or ssl.create_default_context()
        return http.client.HTTPSConnection(
            self._host, self._url.port, timeout=self._timeout, context=context
        )

    def post_events(self, lines: Sequence[bytes], wait: str) -> List[Dict[str, Any]]:
        """Posts events, and returns a receipt for each, in their order."""
        connection = self._connection = self._connection or self.connect()
        body = b"[" + b",".join(lines) + b"]"
        headers = {"Content-Type": "application/cloudevents-batch+json"}
        try:
            answer = json.loads(
                self.request(connection, "POST", "/v1/events", {"wait": wait}, body, headers)
            )
        except BaseException:
            # What may still come over it is the answer to this request, not to the next.
            self._connection = None
            connection.close()
            raise
        receipts = answer.get("receipts") if isinstance(answer, dict) else None
        if not isinstance(receipts, list) or not all(isinstance(one, dict) for one in receipts):
            raise ValueError("the answer has no receipts")
        if len(receipts) != len(lines):
            raise ValueError("%d receipts for %d events" % (len(receipts), len(lines)))
        for receipt, line in zip(receipts, lines):
            _check_receipt(receipt, line)
        return receipts

    def get(self, path: str, **query: Union[str, int]) -> Any:
        """The JSON that a path answers with, over a connection of its own: any thread may ask."""
        with contextlib.closing(self.connect()) as connection:
            return json.loads(self.request(connection, "GET", path, query))

    def request(
        self,
        connection: Connection,
        method: str,
        path: str,
        query: Query,
        body: Optional[bytes] = None,
        headers: Mapping[str, str] = {},
        most: int = MAX_ANSWER,
    ) -> bytes:
        """The body of an answer of 2xx. Raises Answer for another one."""
        self.send(connection, method, path, query, body, headers)
        return self.receive(connection, most)

    def receive(self, connection: Connection, most: int) -> bytes:
        """The body of the answer to what was sent."""
        answer = self._response(connection).read(most + 1)
        if len(answer) > most:
            raise AnswerError("an answer of more than %d bytes" % most)
        return answer

    def open(self, connection: Connection, path: str, query: Query) -> http.client.HTTPResponse:
        """An answer of 2xx to a GET whose body is still to be read."""
        self.send(connection, "GET", path, query)
        return self._response(connection)

    def send(
        self,
        connection: Connection,
        method: str,
        path: str,
        query: Query,
        body: Optional[bytes] = None,
        headers: Mapping[str, str] = {},
    ) -> None:
        """Sends a request, and does not wait for the answer."""
        values = urllib.parse.urlencode({**query, "log": self.log}, doseq=True)
        target = "%s%s?%s" % (self._url.path.rstrip("/"), path, values)
        connection.request(method, target, body, {**self._headers, **headers})

    @staticmethod
    def _response(connection: Connection) -> http.client.HTTPResponse:
        response = connection.getresponse()
        if response.status // 100 != 2:
            problem = response.read(MAX_ANSWER)
            after = response.headers.get("Retry-After", "")
            seconds = min(float(after), 10.0) if after.isdigit() else 0.0
            raise Answer(response.status, problem, seconds)
        return response

    def interrupt(self) -> None:
        """Makes whoever waits for an answer to post_events get an error."""
        with contextlib.suppress(AttributeError, OSError):  # there is none, or it ends just now
            self._connection.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
