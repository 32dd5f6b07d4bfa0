"""AuditLog for asyncio, with one thread behind it."""
from __future__ import annotations

import asyncio
import concurrent.futures
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Dict, Iterator, List, Optional, Set, TypeVar

from .audit import AuditLog, Verdict
from .details import Details, describe
from .entry import AuditEntry
from .events import Event
from .follow import Stream
from .receipt import Receipt
from .waiter import Waiter

if TYPE_CHECKING:
    from typing_extensions import Unpack

Value = TypeVar("Value")


class AsyncAuditLog:
    """AuditLog whose methods are coroutines. Its arguments are those of AuditLog.

    One thread does what would block. While events wait to be sealed, it is free. Each iterator of
    follow has a thread of its own, until it ends. Cancelling an await withdraws nothing: an event
    that was logged is on disk, or about to be, and goes on."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._audit = AuditLog(*args, **options)
        self._worker = concurrent.futures.ThreadPoolExecutor(1, "sealstream-asyncio")
        self._streams: Set[Stream] = set()
        self._closed = False

    async def log(
        self,
        event_type: str,
        agent_did: str,
        action: str,
        resource: Optional[str] = None,
        data: Any = None,
        outcome: Optional[str] = "success",
        policy_decision: Optional[str] = None,
        trace_id: Optional[str] = None,
        **details: Unpack[Details],
    ) -> AuditEntry:
        """As AuditLog.log. It waits without limit: use asyncio.wait_for."""
        event = describe(
            event_type, agent_did, action, resource, data, outcome, policy_decision, trace_id,
            entry_id=None, timestamp=None, **details,
        )
        return await asyncio.shield(asyncio.wrap_future(self._start(event)))

    def _start(self, event: Event) -> concurrent.futures.Future[AuditEntry]:
        """Logs an event in the thread, which also proves its entry once it is sealed."""
        done: concurrent.futures.Future[AuditEntry] = concurrent.futures.Future()

        def fail_or(function: Callable[..., object], *args: object) -> None:
            try:
                function(*args)
            except BaseException as error:
                done.set_exception(error)

        def spool() -> None:
            self._audit.reader.check_key()
            (receipt,), (waiter,) = self._audit.client.submit([event], "sealed")
            waiter.when_settled(lambda: self._worker.submit(fail_or, finish, receipt, waiter))

        def finish(receipt: Receipt, waiter: Waiter) -> None:
            done.set_result(self._audit.sealed(event, waiter.receipt(receipt, None)))

        self._worker.submit(fail_or, spool)
        return done

    async def _run(self, function: Callable[..., Value], *args: Any, **options: Any) -> Value:
        future = self._worker.submit(function, *args, **options)
        return await asyncio.shield(asyncio.wrap_future(future))

    async def query(self, *args: Any, **filters: Any) -> List[AuditEntry]:
        """As AuditLog.query."""
        return await self._run(self._audit.query, *args, **filters)

    async def get_entry(
        self, entry_id: str, *, agent_did: Optional[str] = None
    ) -> Optional[AuditEntry]:
        """As AuditLog.get_entry."""
        return await self._run(self._audit.get_entry, entry_id, agent_did=agent_did)

    async def get_entries_for_agent(self, agent_did: str, limit: int = 100) -> List[AuditEntry]:
        """As AuditLog.get_entries_for_agent."""
        return await self._run(self._audit.get_entries_for_agent, agent_did, limit)

    async def get_entries_by_type(self, event_type: str, limit: int = 100) -> List[AuditEntry]:
        """As AuditLog.get_entries_by_type."""
        return await self._run(self._audit.get_entries_by_type, event_type, limit)

    async def verify_integrity(self) -> Verdict:
        """As AuditLog.verify_integrity."""
        return await self._run(self._audit.verify_integrity)

    async def get_proof(self, entry_id: str) -> Optional[Dict[str, Any]]:
        """As AuditLog.get_proof."""
        return await self._run(self._audit.get_proof, entry_id)

    async def export(self, *args: Any, **options: Any) -> Dict[str, Any]:
        """As AuditLog.export."""
        return await self._run(self._audit.export, *args, **options)

    async def export_cloudevents(self, *args: Any, **options: Any) -> List[Dict[str, Any]]:
        """As AuditLog.export_cloudevents."""
        return await self._run(self._audit.export_cloudevents, *args, **options)

    async def follow(
        self, start: Optional[int] = None, **filters: Any
    ) -> AsyncIterator[AuditEntry]:
        """The entries from an index on, and those to come, as Reader.follow has them: each once, in
        order and proven, over broken connections. None: those to come alone.

        It ends when it is closed or cancelled, or when this log is closed."""
        if self._closed:
            raise ValueError("the log is closed")
        stream = self._audit.reader.follow(start, **filters)
        batches = stream.batches()
        worker = concurrent.futures.ThreadPoolExecutor(1, "sealstream-follow")
        self._streams.add(stream)
        try:
            while True:
                batch = await asyncio.wrap_future(worker.submit(_next, batches))
                if batch is None:
                    return
                for entry in batch:
                    yield entry
        finally:
            self._streams.discard(stream)
            stream.close()
            worker.shutdown(wait=False)

    async def close(self) -> None:
        """As AuditLog.close. It waits for what the thread has to do, and ends all that follow."""
        if self._closed:
            return
        self._closed = True
        for stream in list(self._streams):
            stream.close()
        await self._run(self._audit.close)
        self._worker.shutdown(wait=False)

    async def __aenter__(self) -> AsyncAuditLog:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _next(batches: Iterator[List[AuditEntry]]) -> Optional[List[AuditEntry]]:
    """The next of the batches; None: there is none any more."""
    return next(batches, None)
