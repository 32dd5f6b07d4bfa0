"""Reader, which reads a log and believes nothing."""
from __future__ import annotations

import os
import ssl
import time
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Union

from . import whole
from .api import Answer, Api, path_segment, with_token
from .client import DEFAULT_SERVER, Client
from .counts import ClaimedCounts
from .entry import AuditEntry
from .errors import AmbiguousError, NotFoundError, ProofError
from .events import Moment
from .filters import Filter, Values
from .follow import Stream
from .head import Behind, Head, patiently
from .pages import PAGE, Walk
from .request import Requests
from .unverified import UnverifiedReader
from .verifier import Checkpoint, Verified, open_proof


class Proof(NamedTuple):
    """A proof that was checked: the entry, the checkpoint, and the JSON proof (SPEC 8), which
    sealstream_verify.py and `sealstream verify` accept as a file."""

    entry: AuditEntry
    checkpoint: Checkpoint
    json: Dict[str, Any]


class Reader:
    """Reads entries, each proven under a checkpoint that this client holds and that is consistent
    with all that it saw before. May be used by any number of threads.

    server           URL of `sealstream up` or of a query service
    key              the log's verifier key, or the path of its file, log.pub. Have it from someone
                     other than the log's operator
    state            path of a file that keeps keys and the newest checkpoint. It has the form of
                     the Go client's. None: nothing outlives this reader
    trust_first_use  where there is neither key nor state, take the keys that the server names.
                     Without it, reading raises NoKeyError then
    patience         seconds for which a question is asked again while the server is away
    The others are as for Client.

    That a filter's answer leaves no entry out is the server's word. What is read without a filter
    is refused if an entry is missing. unverified() gives a reader of another type, which proves
    nothing.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        key: Union[str, "os.PathLike[str]", None] = None,
        state: Union[str, "os.PathLike[str]", None] = None,
        trust_first_use: bool = False,
        log: str = "default",
        token: Optional[str] = None,
        headers: Optional[Mapping[str, str]] = None,
        timeout: Optional[float] = 60.0,
        patience: float = 30.0,
        context: Optional[ssl.SSLContext] = None,
        allow_http: bool = False,
    ) -> None:
        self._api = Api(server, log, with_token(headers, token), timeout, context, allow_http)
        self._requests = Requests(self._api, patience)
        self._head = Head(self._requests, key, state, trust_first_use)
        self._written = 0  # entries that the log had at least when this process wrote to it

    def unverified(self) -> UnverifiedReader:
        """A reader of what the server says. Its entries are of another type."""
        return UnverifiedReader(self._requests, self._head)

    def check_key(self) -> None:
        """Raises NoKeyError if nothing could be proven."""
        self._head.keys()

    def wrote(self, index: int) -> None:
        """Says that there is an entry with this index: what is read from now on covers it."""
        self._written = max(self._written, index + 1)

    def entries(
        self,
        agent_did: Values = None,
        event_type: Values = None,
        action: Values = None,
        outcome: Values = None,
        resource: Values = None,
        target_did: Values = None,
        matched_rule: Values = None,
        trace_id: Values = None,
        session_id: Values = None,
        start_time: Moment = None,
        end_time: Moment = None,
        *,
        start: int = 0,
        newest_first: bool = False,
        page: int = PAGE,
    ) -> Iterator[AuditEntry]:
        """The entries that fit all filters, those of the log's own among them, in the order of the
        log, or newest first.

        All are of the log as it was at the first page. A filter may be a list of values, one of
        which must fit. start is the index to begin at, in the order of the log. Without filters
        this raises IncompleteError if an entry is missing; with filters, a server can still hide
        entries that fit."""
        wanted = Filter(
            agent_did, event_type, action, outcome, resource, target_did, matched_rule, trace_id,
            session_id, start_time, end_time,
        )
        walk = Walk(self._requests, self._head, wanted, newest_first)
        for entries in walk.pages(start, self._written, page):
            yield from reversed(entries) if newest_first else entries

    def entry(self, index: int) -> AuditEntry:
        """The entry at an index. Raises NotFoundError if the log has none yet."""
        return self.prove(index).entry

    @classmethod
    def beside(
        cls,
        client: Client,
        *,
        key: Union[str, "os.PathLike[str]", None] = None,
        state: Union[str, "os.PathLike[str]", None] = None,
        trust_first_use: bool = False,
    ) -> Reader:
        """A reader of the log to which a client writes, over the same HTTP settings."""
        reader = cls(key=key, state=state, trust_first_use=trust_first_use)
        reader._api = reader._requests.api = client.api
        return reader

    def await_id(self, entry_id: str, agent_did: str, timeout: float = 60.0) -> AuditEntry:
        """The entry of an id, once the server shows it; what is read from now on covers it."""
        entry = self._await(lambda: self.entry_by_id(entry_id, agent_did), timeout)
        self.wrote(entry.index)
        return entry

    def await_entry(self, index: int, timeout: float) -> AuditEntry:
        """The entry at an index, once the server shows it."""
        return self._await(lambda: self.entry(index), timeout)

    @staticmethod
    def _await(ask: Callable[[], AuditEntry], timeout: float) -> AuditEntry:
        until = time.monotonic() + timeout
        while True:
            try:
                return ask()
            except NotFoundError:
                if time.monotonic() > until:
                    raise
            time.sleep(0.01)

    def entry_by_id(self, entry_id: str, agent_did: Optional[str] = None) -> AuditEntry:
        """The entry of an id. Raises NotFoundError if there is none, which is the server's word,
        and AmbiguousError if several agents have used the id."""
        return self.prove_id(entry_id, agent_did).entry

    def erasure(self, index: int) -> Optional[AuditEntry]:
        """The entry by which the log erased the data of the entry at an index, proven. None if the
        server shows none: data that is not shown is then withheld."""
        for entry in self.entries(event_type="sealstream.erasure", start=index + 1):
            if index in entry.leaf["detail"]["indexes"]:
                return entry
        return None

    def for_agent(self, agent_did: str) -> Iterator[AuditEntry]:
        """The entries of an agent."""
        return self.entries(agent_did=agent_did)

    def by_type(self, event_type: str) -> Iterator[AuditEntry]:
        """The entries of an event type."""
        return self.entries(event_type=event_type)

    def trace(self, trace_id: str) -> Iterator[AuditEntry]:
        """The entries of a trace, of all agents."""
        return self.entries(trace_id=trace_id)

    def session(self, session_id: str) -> Iterator[AuditEntry]:
        """The entries of a session, of all agents."""
        return self.entries(session_id=session_id)

    def prove(self, index: int) -> Proof:
        """The proof that an entry stands at an index."""
        proof = patiently(lambda: self._prove_index(index))
        if proof.entry.index != index:
            raise ProofError("the proof is of entry %d, not of %d" % (proof.entry.index, index))
        return proof

    def _prove_index(self, index: int) -> Proof:
        """The proof of an index. An entry that was seen cannot be missing."""
        known = 0 <= index < self._head.least()
        try:
            return self._prove("/v1/entries/%d/proof" % index, {})
        except NotFoundError as error:
            if known:
                raise Behind("entry %d was there: %s" % (index, error)) from error
            raise
        except Answer as error:
            if known and error.status == 400:
                raise Behind("entry %d was there: %s" % (index, error)) from error
            raise

    def prove_id(self, entry_id: str, agent_did: Optional[str] = None) -> Proof:
        """The proof of the entry of an id."""
        path = "/v1/entries/id/%s/proof" % path_segment(entry_id)
        proof = self._prove(path, {"agent": agent_did} if agent_did else {})
        entry = proof.entry
        if entry.entry_id != entry_id or agent_did not in (None, "", entry.agent_did):
            named = "entry %d, %.80r of %.80r" % (entry.index, entry.entry_id, entry.agent_did)
            raise ProofError("the proof is of another entry: " + named)
        return proof

    def _prove(self, path: str, query: Dict[str, str]) -> Proof:
        keys = self._head.keys()
        try:
            raw = self._requests.raw(path, raw=1, **query)
        except Answer as error:
            if error.status == 404:
                raise NotFoundError(str(error)) from error
            if error.status == 409:
                raise AmbiguousError(str(error)) from error
            raise
        proof, entry, checkpoint = open_proof(raw, keys)
        self._head.see(checkpoint)
        return Proof(entry, checkpoint, proof)

    def checkpoint(self, least: int = 0) -> Checkpoint:
        """The newest checkpoint that the server shows, once it is checked. A server that shows an
        older one than was seen, or one of fewer entries than least, is asked again for a while;
        then this raises ForkError."""
        return self._head.ask(least)

    def held(self) -> Optional[Checkpoint]:
        """The newest checkpoint that this client has verified; None if there is none yet."""
        return self._head.newest

    def follow(
        self, start: Optional[int] = None, **filters: Any
    ) -> Stream:
        """An iterator of the entries from an index on, and of those to come, which does not end.
        None: those to come alone. filters are those of entries.

        It resumes after a broken connection, with every entry once. Without filters it raises
        IncompleteError if an entry is missing."""
        return Stream(self._requests, self._head, Filter(**filters), start)

    def verify(self, *claims: ClaimedCounts) -> Verified:
        """Audits the whole log here: every leaf, hash, signature and piece of data, and that it
        continues what was seen before. Raises ProofError with what is wrong. A server that is
        behind is asked again for a while; then this raises ForkError. It also counts again what the
        claims say, and raises CountsError if one is wrong.

        It reads everything, at about 7,000 to 20,000 entries a second."""
        return whole.verify(self._requests, self._head, self._written, claims=claims)

    def export(self, path: Union[str, "os.PathLike[str]"]) -> Verified:
        """Writes the whole log to a file that can be verified offline, and verifies it meanwhile.
        If it does not verify, the file is not there."""
        return whole.export(self._requests, self._head, self._written, path)


def newest(entries: Iterator[AuditEntry], limit: int, own: bool) -> List[AuditEntry]:
    """So many entries of those that come newest first, in the order of the log."""
    found: List[AuditEntry] = []
    if limit > 0:
        for entry in entries:
            if own or not entry.is_own:
                found.append(entry)
            if len(found) == limit:
                break
    return found[::-1]
