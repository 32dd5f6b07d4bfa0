"""Questions to a server, asked again while it cannot be reached."""
from __future__ import annotations

import contextlib
import http.client
import json
import random
import time
from typing import Any, Callable, Optional, TypeVar

from .api import MAX_ANSWER, Answer, Api, Connection
from .errors import AnswerError

Value = TypeVar("Value")
MAX_PAGE = 320 << 20  # bytes: a thousand entries can have a quarter of a gigabyte of data


class Requests:
    """Asks for what can be read. What fails for reasons that pass is asked again, for patience
    seconds: broken connections, and answers that tell to come again."""

    def __init__(self, api: Api, patience: float = 30.0) -> None:
        self.api, self.patience = api, patience

    def json(self, path: str, **query: Any) -> Any:
        """The JSON that a path answers with."""
        return self.decode(self.raw(path, **query))

    @staticmethod
    def decode(raw: bytes) -> Any:
        """The value of JSON."""
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise AnswerError("an answer is no JSON: %s" % error) from error

    def raw(self, path: str, **query: Any) -> bytes:
        """What a path answers with, over a connection of its own."""

        def ask() -> bytes:
            with contextlib.closing(self.api.connect()) as connection:
                return self.api.request(connection, "GET", path, query, most=MAX_ANSWER)

        return self.patiently(ask)

    def patiently(self, ask: Callable[[], Value]) -> Value:
        """What ask returns, once it does."""
        until = time.monotonic() + self.patience
        pause = 0.05
        while True:
            try:
                return ask()
            except Answer as error:
                if error.status not in (429, 502, 503, 504) or time.monotonic() > until:
                    raise
                wait = max(pause, error.retry_after)
            except (OSError, http.client.HTTPException):
                if time.monotonic() > until:
                    raise
                wait = pause
            time.sleep(wait * random.uniform(0.5, 1))
            pause = min(2 * pause, 2.0)


class Kept:
    """One connection that is kept from question to question, for one thread."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._connection: Optional[Connection] = None
        self._sent: Any = None  # the question whose answer is on its way

    def page(self, path: str, query: Any) -> bytes:
        """What a path answers with."""
        return self._requests.patiently(lambda: self._ask(path, query))

    def send_ahead(self, path: str, query: Any) -> None:
        """Sends the question that page will be asked next, so that the server works on the answer
        while the caller works. If that fails, page asks again."""
        if self._connection is None:
            return
        try:
            self._send(self._connection, path, query)
        except (OSError, http.client.HTTPException):
            self.close()

    def _send(self, connection: Connection, path: str, query: Any) -> None:
        self._requests.api.send(connection, "GET", path, query)
        self._sent = path, dict(query)

    def _ask(self, path: str, query: Any) -> bytes:
        if self._sent not in (None, (path, query)):
            self.close()  # what comes over it is another answer
        api = self._requests.api
        connection = self._connection = self._connection or api.connect()
        try:
            if self._sent is None:
                self._send(connection, path, query)
            self._sent = None
            return api.receive(connection, MAX_PAGE)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes the connection. Another question opens another one."""
        if self._connection:
            self._connection.close()
        self._connection = self._sent = None
