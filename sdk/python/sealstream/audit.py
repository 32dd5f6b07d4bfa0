"""AuditLog, with the names, arguments and results of the agent-governance-toolkit's."""
from __future__ import annotations

import datetime
import threading
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Protocol, Sequence, Tuple

import sealstream_verify as sv

from .client import Client
from .details import Details, describe
from .entry import AuditEntry
from .errors import LogError, NoKeyError, NotFoundError, ProofError
from .events import Event, Moment, rfc3339
from .filters import Values
from .own import check_own_event
from .pages import PAGE
from .reader import Reader, newest
from .receipt import Receipt
from .settings import Path, key_or_default, log_or_default, open_client, server_or_default

if TYPE_CHECKING:
    from typing_extensions import Unpack

Verdict = Tuple[bool, Optional[str]]
DEFAULT_STATE = "sealstream-state.json"


class Sink(Protocol):
    """A sink of one's own: the toolkit's AuditSink protocol."""

    def write(self, entry: AuditEntry) -> None:
        """Writes one entry."""

    def write_batch(self, entries: List[AuditEntry]) -> None:
        """Writes entries in their order."""

    def verify_integrity(self) -> Verdict:
        """(True, None), or (False, what is wrong)."""

    def close(self) -> None:
        """Closes the sink."""


class AuditLog:
    """An audit log with the toolkit's methods, kept by a sealstream server instead of in memory.

    sink     receives every entry that this process logs, once it is sealed, such as FileAuditSink.
             A sink that must have the entries of all processes is a Follower's
    server   URL of the server; None: $SEALSTREAM_SERVER, or that of `sealstream up`
    key      the log's verifier key or the file of it; None: $SEALSTREAM_KEY
    state    file that keeps the keys and the newest checkpoint that was seen
    spool    folder of the events that are not stored yet; None: one in the working folder
    log      name of the log; None: $SEALSTREAM_LOG, or default
    trust_first_use  without a key or state, take the keys that the server names. Without it, log
             and every method that reads raise NoKeyError then
    timeout  seconds that log waits for an event to be sealed
    token    bearer token that the server wants
    options  further ones of Client, such as sync, max_bytes or headers

    What it returns was proven, and what it reads covers all that this process has logged. Entries
    that the log wrote itself are left out, unless own is true. May be used by any number of
    threads.
    """

    def __init__(
        self,
        sink: Optional[Sink] = None,
        *,
        server: Optional[str] = None,
        key: Optional[Path] = None,
        state: Optional[Path] = DEFAULT_STATE,
        spool: Optional[Path] = None,
        log: Optional[str] = None,
        trust_first_use: bool = False,
        timeout: float = 60.0,
        token: Optional[str] = None,
        headers: Optional[Mapping[str, str]] = None,
        context: Any = None,
        allow_http: bool = False,
        **options: Any,
    ) -> None:
        self._sink, self._timeout = sink, timeout
        self._server, self._log, self._spool = server_or_default(server), log_or_default(log), spool
        shared: Dict[str, Any] = dict(
            token=token, headers=headers, context=context, allow_http=allow_http
        )
        self._options = {**shared, **options}
        self._reader = Reader(
            self._server, key=key_or_default(key), state=state, log=self._log,
            trust_first_use=trust_first_use, **shared,
        )
        self._lock = threading.Lock()
        self._opened: Optional[Client] = None
        self._chain = MerkleAuditChain(self)

    @property
    def reader(self) -> Reader:
        """The reader that proves what this log returns. It can also follow, export and trace."""
        return self._reader

    @property
    def client(self) -> Client:
        """The client that logs. It is made with the first event, so that whoever only reads needs
        no spool."""
        with self._lock:
            if self._opened is None:
                self._opened = open_client(self._spool, self._server, self._log, **self._options)
            return self._opened

    def log(
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
        """Logs an event, waits until it is sealed, and returns its entry, proven. details are
        session_id, target_did, matched_rule and the others of sealstream.Details.

        Raises TimeoutError if it is not sealed in time; the event is on disk then, and goes on by
        itself. Raises Rejected, SpoolFull, and ValueError for what cannot be an event."""
        event = describe(
            event_type, agent_did, action, resource, data, outcome, policy_decision, trace_id,
            entry_id=None, timestamp=None, **details,
        )
        self._reader.check_key()
        receipt = self.client.send(event, wait="sealed", timeout=self._timeout)
        return self.sealed(event, receipt)

    def sealed(self, event: Event, receipt: Receipt) -> AuditEntry:
        """The proven entry of an event that was sent; the sink has received it then."""
        if not receipt.reached("sealed"):
            status = self.client.status()
            why = "event %s is not sealed after %g s; it goes on by itself: %s"
            raise TimeoutError(why % (event["id"], self._timeout, status["problem"] or status))
        entry = self._entry(receipt.index)
        if entry.entry_hash != receipt.entry_hash:
            raise ProofError("entry %d is not the one of the receipt" % receipt.index)
        check_own_event(entry, event)
        self._reader.wrote(entry.index)
        if self._sink is not None:
            self._sink.write(entry)
        return entry

    def _entry(self, index: int) -> AuditEntry:
        """An entry that was sealed just now: a query service may have to follow up to it."""
        return self._reader.await_entry(index, self._timeout)

    def query(
        self,
        agent_did: Values = None,
        event_type: Values = None,
        start_time: Moment = None,
        end_time: Moment = None,
        outcome: Values = None,
        limit: int = 100,
        *,
        action: Values = None,
        resource: Values = None,
        target_did: Values = None,
        matched_rule: Values = None,
        trace_id: Values = None,
        session_id: Values = None,
        own: bool = False,
    ) -> List[AuditEntry]:
        """The newest entries that fit all filters, at most limit, in the order of the log. Both
        times are included. 0 is none.

        Each entry is proven. That no other fits is the server's word."""
        if limit < 0:
            raise ValueError("limit %d is below 0" % limit)
        found = self._reader.entries(
            agent_did, event_type, action, outcome, resource, target_did, matched_rule, trace_id,
            session_id, start_time, end_time, newest_first=True, page=max(1, min(limit, PAGE)),
        )
        return newest(found, limit, own or event_type is not None)

    def get_entry(
        self, entry_id: str, *, agent_did: Optional[str] = None
    ) -> Optional[AuditEntry]:
        """The entry of an id; None if there is none, which is the server's word."""
        try:
            return self._reader.entry_by_id(entry_id, agent_did)
        except NotFoundError:
            return None

    def get_entries_for_agent(self, agent_did: str, limit: int = 100) -> List[AuditEntry]:
        """The newest entries of an agent."""
        return self.query(agent_did=agent_did, limit=limit)

    def get_entries_by_type(self, event_type: str, limit: int = 100) -> List[AuditEntry]:
        """The newest entries of an event type."""
        return self.query(event_type=event_type, limit=limit)

    def verify_integrity(self) -> Verdict:
        """(True, None), or (False, what is wrong).

        Audits the whole log here, not on the server's word: every leaf, hash, signature and piece
        of data, and that it continues all that was seen before. It reads everything."""
        try:
            self._reader.verify()
        except NoKeyError:
            raise
        except LogError as error:
            return False, str(error)
        return True, None

    def get_proof(self, entry_id: str) -> Optional[Dict[str, Any]]:
        """The proof that the entry of an id stands in the log; None if there is none.

        It has the toolkit's members entry, merkle_proof, merkle_root and verified, and besides
        leaf, leaf_index, tree_size and the signed checkpoint. As JSON it is a proof that
        `sealstream verify` and sealstream_verify.py accept."""
        try:
            proof = self._reader.prove_id(entry_id).json
        except NotFoundError:
            return None
        path = [(sibling, side) for sibling, side in proof["merkle_proof"]]
        return {**proof, "merkle_proof": path, "verified": True}

    def export(
        self, start_time: Moment = None, end_time: Moment = None, *, own: bool = False
    ) -> Dict[str, Any]:
        """The entries of a time, as dicts for JSON, and what they are proven under. There is no
        limit to how many."""
        kept = self._between(start_time, end_time, own)
        held = self._reader.held()
        root = held.root.hex() if held else sv.sha256().hex()
        metadata = {
            "origin": held.origin if held else None,
            "tree_size": held.size if held else 0,
            "checkpoint": held.note if held else None,
            "start_time": rfc3339(start_time),
            "end_time": rfc3339(end_time),
        }
        return {
            "exported_at": rfc3339(datetime.datetime.now(datetime.timezone.utc)),
            "merkle_root": root,
            "chain_root": root,
            "entry_count": len(kept),
            "entries": [entry.to_dict() for entry in kept],
            "metadata": metadata,
        }

    def export_cloudevents(
        self, start_time: Moment = None, end_time: Moment = None, *, own: bool = False
    ) -> List[Dict[str, Any]]:
        """The entries of a time as CloudEvents, in their JSON form."""
        return [entry.to_cloudevent() for entry in self._between(start_time, end_time, own)]

    def _between(self, start: Moment, end: Moment, own: bool) -> List[AuditEntry]:
        found = self._reader.entries(start_time=start, end_time=end)
        return [entry for entry in found if own or not entry.is_own]

    def close(self) -> None:
        """Closes the client and the sink."""
        with self._lock:
            client, self._opened = self._opened, None
        if client is not None:
            client.close()
        if self._sink is not None:
            self._sink.close()

    def __enter__(self) -> AuditLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MerkleAuditChain:
    """The chain and tree of a log. Whoever has only a root and a proof needs no object of it:
    verify_proof is a static method."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit

    @staticmethod
    def verify_proof(entry_hash: str, proof: Sequence[Sequence[str]], root_hash: str) -> bool:
        """Whether the path of (hash, side) leads from the entry's hash to the root (RFC 6962). The
        root must be known from elsewhere, such as a signed checkpoint."""
        try:
            path = [list(step) for step in proof]
            if not (sv.HASH(entry_hash) and sv.PATH(path) and sv.HASH(root_hash)):
                return False
            return bool(sv.climb(bytes.fromhex(entry_hash), path).hex() == root_hash)
        except TypeError:
            return False

    def get_root_hash(self) -> str:
        """The root of the newest checkpoint, checked."""
        return self._audit.reader.checkpoint().root.hex()

    def get_proof(self, entry_id: str) -> Optional[List[Tuple[str, str]]]:
        """The path of an entry: (hash, side), from leaf to root."""
        proof = self._audit.get_proof(entry_id)
        return proof["merkle_proof"] if proof else None

    def verify_chain(self) -> Verdict:
        """As AuditLog.verify_integrity."""
        return self._audit.verify_integrity()
