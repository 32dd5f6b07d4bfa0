"""The thread that sends what the spool holds."""
from __future__ import annotations

import logging
import random
import threading
from typing import Any, Mapping, Optional, Sequence

from .api import Answer, Api
from .errors import Rejected
from .reading import Numbered
from .receipt import FIELDS, WAITS, Receipt
from .spool import Spool
from .waiter import Outcome, Waiter

_logger = logging.getLogger("sealstream")

BATCH_EVENTS = 256
# The types of the problems with which the log refuses an event for good. Any other answer may come
# from a proxy, a firewall, a TLS port or another program, and says nothing about the event.
_FINAL = frozenset("urn:sealstream:problem:" + name for name in ("rejected", "malformed", "too-large"))


class Sender:
    """Sends events in order, one batch at a time, until the server has them."""

    PAUSES = 0.05, 5.0  # seconds between tries, at first and at most

    def __init__(self, spool: Spool, api: Api) -> None:
        self._spool, self._api = spool, api
        self.problem: Optional[str] = None
        self.rejected = 0
        self._stopping = threading.Event()
        self._witnesses = True  # until the server says that the log has none
        self._most = BATCH_EVENTS  # in the next batch
        self._thread = threading.Thread(target=self._run, name="sealstream", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._api.interrupt()
        # It may hang in a connect. It is a daemon, and does the spool no harm once that is closed.
        self._thread.join(2.0)

    def _run(self) -> None:
        try:
            self._send_all()
        finally:
            self._api.close()

    def _send_all(self) -> None:
        pause, most = self.PAUSES
        while not self._stopping.is_set():
            try:
                events = self._spool.peek(self._most, 0.2)
                if events:
                    self._send(events)
                self.problem, pause = None, self.PAUSES[0]
            except Exception as error:  # the events are on disk, and the next try may succeed
                if self._stopping.is_set():
                    return
                self.problem = str(error) or type(error).__name__
                pending = self._spool.pending()[0]
                _logger.warning("sealstream: %d events wait: %s", pending, self.problem)
                least = error.retry_after if isinstance(error, Answer) else 0.0
                self._stopping.wait(max(least, pause * random.uniform(0.5, 1)))
                pause = min(2 * pause, most)

    def _send(self, events: Sequence[Numbered]) -> None:
        waiters = self._spool.waiters(events)
        waits = [waiter.wait for waiter in waiters.values()]
        wait = max(waits, key=WAITS.index, default="stored")
        if wait == "witnessed" and not self._witnesses:
            wait = "sealed"
        try:
            receipts = self._api.post_events([line for _, line in events], wait)
        except Answer as error:
            if error.status == 501 and wait == "witnessed":
                self._witnesses = False  # the log has none: the receipts say sealed
                return
            if len(events) > 1 and error.status in (400, 413, 422):
                self._most = len(events) // 2  # one event or the size is at fault: find where
                return
            if error.kind not in _FINAL:
                raise
            receipts = [{"status": "rejected", "error": {"reason": str(error)}}]
        for (number, line), receipt in zip(events, receipts):
            self._answer(waiters.get(number), line, receipt)
        self._spool.done(events)
        self._most = min(2 * self._most, BATCH_EVENTS)

    def _answer(self, waiter: Optional[Waiter], line: bytes, receipt: Mapping[str, Any]) -> None:
        outcome: Outcome
        if receipt["status"] == "rejected":
            fault = receipt.get("error") or {}
            reason = ": ".join(
                filter(None, (fault.get("field"), fault.get("reason", "no reason given")))
            )
            self._spool.reject(line, reason)
            self.rejected += 1
            _logger.error(
                "sealstream: an event was refused, and is in rejected.jsonl: %s", reason
            )
            outcome = Rejected(reason)
        else:
            outcome = Receipt(**{name: receipt[name] for name in FIELDS & receipt.keys()})
        if waiter:
            waiter.settle(outcome)
