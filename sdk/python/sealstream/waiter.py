"""Waiting for an event to be stored or sealed."""
from __future__ import annotations

import threading
import time
from typing import Callable, List, Optional, Union

from .receipt import Receipt

Outcome = Union[Receipt, Exception, None]  # None: the client was closed before it was known


class Waiter:
    """Someone who waits for an event to come as far as wait."""

    def __init__(self, wait: str) -> None:
        self.wait = wait
        self._lock = threading.Lock()
        self._settled = threading.Event()
        self._outcome: Outcome = None
        self._callbacks: List[Callable[[], object]] = []

    def settle(self, outcome: Outcome) -> None:
        """Says what became of the event."""
        with self._lock:
            self._outcome = outcome
            self._settled.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def when_settled(self, callback: Callable[[], object]) -> None:
        """Calls back once it is known what became of the event, from the thread that knows."""
        with self._lock:
            if not self._settled.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def receipt(self, spooled: Receipt, until: Optional[float]) -> Receipt:
        """The receipt, or the one of a spooled event if none comes until then. Raises what became
        of the event, if it is refused."""
        left = None if until is None else max(0.0, until - time.monotonic())
        if not self._settled.wait(left):
            return spooled
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome or spooled
