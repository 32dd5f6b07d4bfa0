"""Client, which logs events."""
from __future__ import annotations

import atexit
import os
import pathlib
import ssl
import time
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

try:
    import sealstream_redact
except ImportError:  # Client says so, unless it is not to redact
    sealstream_redact = None  # type: ignore[assignment]

from .api import Api, with_token
from .details import Details, describe
from .events import Event, Moment, to_line
from .receipt import WAITS, Receipt
from .sender import Sender
from .spool import Spool
from .waiter import Waiter

if TYPE_CHECKING:
    from typing_extensions import Unpack

DEFAULT_SERVER = "http://127.0.0.1:8420"


class Client:
    """Logs events from any number of threads. Make it after a fork, not before.

    server     URL of `sealstream up` or of a service that has POST /v1/events
    spool      folder of the events that are not stored yet; one client at a time may use it
    log        name of the log
    max_bytes  of the spool; beyond, log raises SpoolFull: nothing is ever dropped
    sync       whether an event is on disk (fsync) when log returns. Without it, it survives the
               death of the agent, and not of the machine
    token      bearer token that the server wants, such as `sealstream token create` makes
    headers    of every request, such as Authorization; credentials go over https alone, or over
               http to the loopback
    timeout    seconds that one request may take
    context    ssl.SSLContext of https; None: the system's certificates
    allow_http send headers with credentials over http beyond the loopback, where everyone on the
               way reads them
    redaction  whether secrets are taken out of events before they are written to the spool. It
               needs the module sealstream_redact. With False events go as they are, and the log
               redacts them by its own rules before it stores them
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        spool: Union[str, pathlib.Path] = "sealstream-spool",
        *,
        log: str = "default",
        max_bytes: int = 256 << 20,
        sync: bool = True,
        token: Optional[str] = None,
        headers: Optional[Mapping[str, str]] = None,
        timeout: Optional[float] = 60.0,
        context: Optional[ssl.SSLContext] = None,
        allow_http: bool = False,
        redaction: bool = True,
    ) -> None:
        if redaction and sealstream_redact is None:
            raise ImportError("the module sealstream_redact is missing: give redaction=False")
        self._redaction = redaction
        self._api = Api(server, log, with_token(headers, token), timeout, context, allow_http)
        self._spool = Spool(spool, max_bytes, sync)
        self._sender = Sender(self._spool, self._api)
        self._pid, self._closed = os.getpid(), False
        atexit.register(self.close)

    @property
    def api(self) -> Api:
        """HTTP to the server, with this client's settings."""
        return self._api

    def log(
        self,
        event_type: str,
        agent_did: str,
        action: Optional[str] = None,
        resource: Optional[str] = None,
        data: Any = None,
        outcome: Optional[str] = None,
        policy_decision: Optional[str] = None,
        trace_id: Optional[str] = None,
        *,
        entry_id: Optional[str] = None,
        timestamp: Moment = None,
        wait: str = "spooled",
        timeout: Optional[float] = None,
        **details: Unpack[Details],
    ) -> Receipt:
        """Logs an event, and returns its Receipt once it has come as far as wait says: spooled,
        stored, sealed or witnessed.

        After timeout seconds (None: never) it returns a receipt of how far the event is known to
        have come; the event goes on by itself. data is anything that json.dumps takes. details are
        session_id, target_did, matched_rule and the others of sealstream.Details. With an
        entry_id of your own the event goes without a salt and, if you give none, without a time, so
        that logging it again, even from another process, is a repeat and no second entry.
        Raises ValueError for what cannot be an event, SpoolFull, and, if it waits, Rejected.
        """
        event = describe(
            event_type, agent_did, action, resource, data, outcome, policy_decision, trace_id,
            entry_id=entry_id, timestamp=timestamp, **details,
        )
        return self.send(event, wait=wait, timeout=timeout)

    def send(
        self, event: Event, *, wait: str = "spooled", timeout: Optional[float] = None
    ) -> Receipt:
        """Logs a CloudEvent, a dict in its JSON form, as it is. It is as log in all else."""
        return self.send_batch([event], wait=wait, timeout=timeout)[0]

    def send_batch(
        self, events: Sequence[Event], *, wait: str = "spooled", timeout: Optional[float] = None
    ) -> List[Receipt]:
        """Logs CloudEvents in their order, all or, if the spool has no room, none; returns their
        receipts.

        Raises Rejected for the first of them that is refused; the others are logged all the same.
        """
        receipts, waiters = self.submit(events, wait)
        if not waiters:
            return receipts
        until = None if timeout is None else time.monotonic() + timeout
        return [waiter.receipt(receipt, until) for waiter, receipt in zip(waiters, receipts)]

    def submit(self, events: Sequence[Event], wait: str) -> Tuple[List[Receipt], List[Waiter]]:
        """Puts events into the spool. Returns receipts that say so, and, unless wait is spooled,
        who waits for more."""
        if self._closed or self._pid != os.getpid():
            raise ValueError(
                "the client is closed" if self._closed else "the client was made before a fork"
            )
        WAITS.index(wait)
        if self._redaction:
            events = [sealstream_redact.redact_event(event) for event in events]
        lines = [to_line(event) for event in events]
        waiters = [Waiter(wait) for _ in events] if wait != "spooled" else []
        self._spool.append(lines, waiters)
        receipts = [Receipt(entry_id=one["id"], agent_did=one["source"]) for one in events]
        return receipts, waiters

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Waits until all that was logged is stored; False if it is not after timeout seconds
        (None: never)."""
        return self._spool.wait_empty(timeout)

    def status(self) -> Dict[str, Any]:
        """{pending, bytes, rejected, problem}: events not stored yet and their bytes, events
        refused, and what sending fails with now."""
        pending, size = self._spool.pending()
        sender = self._sender
        return {
            "pending": pending,
            "bytes": size,
            "rejected": sender.rejected,
            "problem": sender.problem,
        }

    def close(self, timeout: Optional[float] = 5.0) -> None:
        """Waits up to timeout seconds for what is not stored. What is left goes out with the next
        client of the spool."""
        if self._closed or self._pid != os.getpid():
            return
        self._closed = True
        self.flush(timeout)
        self._sender.stop()
        self._spool.close()
        atexit.unregister(self.close)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
