"""The Python SDK of sealstream, in one file, with nothing but the standard library of Python >= 3.9.

    client = sealstream.Client("http://127.0.0.1:8420", spool="sealstream-spool")
    client.log("tool_invocation", "did:web:agent.example.com", action="allow", resource="/crm/contacts", data={"query": "acme"})

Where it stands in the flow:

    agent -- log --> spool on disk -- batches over HTTP --> ingest --> EVENTS --> sealer

An event is on disk, with its id and salt, before it is sent for the first time. What is sent again is the same to the byte, and the log
recognises it, so that neither a server that goes away nor an agent that is killed makes an event lost or doubled. AuditSink is the same for
Microsoft's agent-governance-toolkit. What the receipts say is the server's word: pkg/verifier checks the log without trusting it.
"""
import atexit
import collections
import contextlib
import dataclasses
import datetime
import fcntl
import hashlib
import http.client
import itertools
import json
import logging
import os
import pathlib
import random
import re
import secrets
import socket
import ssl
import threading
import time
import urllib.parse
import uuid

__all__ = ["AuditSink", "Client", "Receipt", "Rejected", "SpoolBusy", "SpoolFull"]

_logger = logging.getLogger("sealstream")

ACTIONS = frozenset(("allow", "deny", "audit", "quarantine", "warning"))
OUTCOMES = frozenset(("success", "failure", "denied", "error"))
WAITS = ("spooled", "stored", "sealed", "witnessed")  # how far an event has come, in order
_CLOUDEVENT_TYPES = {
    "tool_invocation": "tool.invoked", "tool_blocked": "tool.blocked", "policy_evaluation": "policy.evaluation",
    "policy_violation": "policy.violation", "trust_handshake": "trust.handshake", "trust_score_updated": "trust.score.updated",
    "agent_registered": "agent.registered", "agent_verified": "agent.verified", "audit_integrity": "audit.integrity.verified",
}
_ATTRIBUTES = frozenset((
    "specversion", "id", "source", "type", "time", "data", "subject", "action", "outcome", "policydecision", "traceid", "sessionid", "targetdid",
    "matchedrule", "argumentshash", "approverdid", "policyversion", "issuedat", "completedat", "datasalt"))
_BATCH_EVENTS, _BATCH_BYTES = 256, 800 << 10  # the server splits larger ones
_MAX_DATA, _MAX_EVENT = 256 << 10, 512 << 10  # bytes of an event's data, and of all of its JSON
_SEGMENT = 4 << 20                            # bytes of a spool file, after which another is begun
_MAX_ANSWER = 8 << 20


class Rejected(Exception):
    """The log refuses this event, and will each time; it is kept in rejected.jsonl of the spool."""


class SpoolFull(Exception):
    """The server has been away for so long that the spool has reached max_bytes. The event was not taken."""


class SpoolBusy(Exception):
    """Another client, of this process or another one, has the spool."""


@dataclasses.dataclass(frozen=True)
class Receipt:
    """What became of an event. index and entry_hash are there once it is sealed."""
    entry_id: str
    status: str = "spooled"  # spooled, stored, sealed, witnessed; duplicate: sealed before, index and hash are the original's
    agent_did: str = ""
    index: int = 0           # index 0 is the log's own first entry, never an event
    entry_hash: str = ""
    input_seq: int = 0
    position: int = 0
    durability: str = ""
    checkpoint: str = ""
    equivocation_of: int = 0  # an earlier entry with the same agent and id but other content; 0: none

    def reached(self, wait):
        """Whether the event has come as far as wait says."""
        status = "sealed" if self.status == "duplicate" else self.status
        return WAITS.index(status) >= WAITS.index(wait)


_RECEIPT_FIELDS = frozenset(field.name for field in dataclasses.fields(Receipt))


class Client:
    """Logs events from any number of threads. Make it after a fork, not before.

    server     URL of `sealstream up` or of a service that has POST /v1/events
    spool      folder of the events that are not stored yet; one client at a time may use it
    log        name of the log
    max_bytes  of the spool; beyond, log raises SpoolFull: nothing is ever dropped
    sync       whether an event is on disk (fsync) when log returns. Without it, it survives the death of the agent, and not of the machine
    headers    of every request, such as Authorization
    timeout    seconds that one request may take
    context    ssl.SSLContext of https; None: the system's certificates
    """

    def __init__(self, server="http://127.0.0.1:8420", spool="sealstream-spool", *, log="default", max_bytes=256 << 20, sync=True,
                 headers=None, timeout=60.0, context=None):
        self._api = _Api(server, log, headers or {}, timeout, context)
        self._spool = _Spool(spool, max_bytes, sync)
        self._sender = _Sender(self._spool, self._api)
        self._pid, self._closed = os.getpid(), False
        atexit.register(self.close)

    def log(self, event_type, agent_did, action=None, resource=None, data=None, outcome=None, policy_decision=None, trace_id=None, *,
            session_id=None, target_did=None, matched_rule=None, arguments_hash=None, approver_did=None, policy_version=None,
            issued_at=None, completed_at=None, entry_id=None, timestamp=None, extensions=None, wait="spooled", timeout=None):
        """Logs an event, and returns its Receipt once it has come as far as wait says: spooled, stored, sealed or witnessed.

        After timeout seconds (None: never) it returns a receipt of how far the event is known to have come; the event goes on by itself.
        data is anything that json.dumps takes. With an entry_id of your own the event goes without a salt and, if you give none, without
        a time, so that logging it again, even from another process, is a repeat and no second entry.
        Raises ValueError for what cannot be an event, SpoolFull, and, if it waits, Rejected.
        """
        if action and action not in ACTIONS:
            raise ValueError("action %.80r is none of %s" % (action, ", ".join(sorted(ACTIONS))))
        if outcome and outcome not in OUTCOMES:
            raise ValueError("outcome %.80r is none of %s" % (outcome, ", ".join(sorted(OUTCOMES))))
        if extensions and not extensions.keys().isdisjoint(_ATTRIBUTES):
            raise ValueError("extensions name what has a parameter: %s" % ", ".join(sorted(_ATTRIBUTES & extensions.keys())))
        attributes = dict(
            extensions or {}, action=action, subject=resource, outcome=outcome, policydecision=policy_decision, traceid=trace_id,
            sessionid=session_id, targetdid=target_did, matchedrule=matched_rule, argumentshash=arguments_hash, approverdid=approver_did,
            policyversion=policy_version, issuedat=_rfc3339(issued_at), completedat=_rfc3339(completed_at))
        if entry_id is None:
            entry_id, timestamp = _uuid7(), timestamp or datetime.datetime.now(datetime.timezone.utc)
            if data is not None:
                attributes["datasalt"] = secrets.token_hex(32)
        return self.send(_event(entry_id, event_type, agent_did, timestamp, attributes, data), wait=wait, timeout=timeout)

    def send(self, event, *, wait="spooled", timeout=None):
        """Logs a CloudEvent, a dict in its JSON form, as it is. It is as log in all else."""
        return self.send_batch([event], wait=wait, timeout=timeout)[0]

    def send_batch(self, events, *, wait="spooled", timeout=None):
        """Logs CloudEvents in their order, all or, if the spool has no room, none; returns their receipts.

        Raises Rejected for the first of them that is refused; the others are logged all the same."""
        if self._closed or self._pid != os.getpid():
            raise ValueError("the client is closed" if self._closed else "the client was made before a fork")
        WAITS.index(wait)
        lines = [_line(event) for event in events]
        waiters = [_Waiter(wait) for _ in events] if wait != "spooled" else []
        self._spool.append(lines, waiters)
        receipts = [Receipt(entry_id=event["id"], agent_did=event["source"]) for event in events]
        if not waiters:
            return receipts
        until = None if timeout is None else time.monotonic() + timeout
        return [waiter.receipt(receipt, until) for waiter, receipt in zip(waiters, receipts)]

    def flush(self, timeout=None):
        """Waits until all that was logged is stored; False if it is not after timeout seconds (None: never)."""
        return self._spool.wait_empty(timeout)

    def status(self):
        """{pending, bytes, rejected, problem}: events not stored yet and their bytes, events refused, and what sending fails with now."""
        pending, size = self._spool.pending()
        return {"pending": pending, "bytes": size, "rejected": self._sender.rejected, "problem": self._sender.problem}

    def close(self, timeout=5.0):
        """Waits up to timeout seconds for what is not stored. What is left goes out with the next client of the spool."""
        if self._closed or self._pid != os.getpid():
            return
        self._closed = True
        self.flush(timeout)
        self._sender.stop()
        self._spool.close()
        atexit.unregister(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class AuditSink:
    """An AuditSink of the agent-governance-toolkit: AuditLog(sink=sealstream.AuditSink(sealstream.Client(...))).

    An entry keeps its id, so that writing it again is a repeat; what the log has no field for goes into attributes of the event.
    wait and timeout are as for Client.log: by default a write returns once the entry is on disk, whether the server is there or not.
    """

    def __init__(self, client, *, wait="spooled", timeout=None):
        self._client, self._wait, self._timeout = client, wait, timeout
        self._lock, self._newest = threading.Lock(), None

    def write(self, entry):
        """Writes one AuditEntry, or a dict with its fields."""
        self.write_batch([entry])

    def write_batch(self, entries):
        """Writes entries in their order; an empty list is nothing."""
        if not entries:
            return
        receipts = self._client.send_batch([_toolkit_event(entry) for entry in entries], wait=self._wait, timeout=self._timeout)
        with self._lock:
            self._newest = receipts[-1]

    def verify_integrity(self):
        """(True, None), or (False, what is wrong), of the whole log: what was written has arrived, none was refused, the log verifies,
        and the last entry written stands in it under the root. It asks the server; an auditor uses pkg/verifier."""
        try:
            return self._verify()
        except (_Answer, OSError, ValueError, KeyError, http.client.HTTPException) as error:
            return False, "the log does not answer: %s" % error

    def _verify(self):
        if not self._client.flush(self._timeout if self._timeout is not None else 60.0):
            return False, "%(pending)d entries are not stored yet: %(problem)s" % self._client.status()
        rejected = self._client.status()["rejected"]
        if rejected:
            return False, "the log refused %d entries: see rejected.jsonl" % rejected
        answer = self._client._api.get("/v1/verify")
        if not answer["valid"]:
            return False, "entry %s: %s" % (answer.get("first_bad_index"), answer.get("error"))
        with self._lock:
            newest = self._newest
        return (True, None) if newest is None else self._prove(newest)

    def _prove(self, receipt):
        path = "/v1/entries/id/%s/proof" % urllib.parse.quote(receipt.entry_id, safe="")
        until = time.monotonic() + 30  # stored is not sealed yet
        while True:
            try:
                proof = self._client._api.get(path, agent=receipt.agent_did)
                break
            except _Answer as error:
                if error.status != 404 or time.monotonic() > until:
                    return False, "entry %s is not in the log: %s" % (receipt.entry_id, error)
            time.sleep(0.05)
        leaf = json.loads(proof["leaf"])
        if (leaf["entry_id"], leaf["agent_did"]) != (receipt.entry_id, receipt.agent_did):
            return False, "entry %s: the proof is of another entry" % receipt.entry_id
        return (True, None) if _leads_to_root(proof) else (False, "entry %s: the proof does not lead to the root" % receipt.entry_id)

    def close(self):
        """Closes the client; what is not stored yet goes out with the next one."""
        self._client.close()


def _leads_to_root(proof):
    """Whether the leaf's hash and the Merkle path (RFC 6962) give the root."""
    node = hashlib.sha256(b"\x00" + proof["leaf"].encode()).digest()
    for sibling, side in proof["merkle_proof"]:
        pair = (bytes.fromhex(sibling), node) if side == "left" else (node, bytes.fromhex(sibling))
        node = hashlib.sha256(b"\x01" + b"".join(pair)).digest()
    return node.hex() == proof["merkle_root"]


# ---- Events.

def _event(entry_id, event_type, agent_did, timestamp, attributes, data):
    """A CloudEvent in its JSON form, without what is absent."""
    event = {"specversion": "1.0", "id": entry_id, "source": agent_did, "type": _cloudevent_type(event_type)}
    if timestamp:
        event["time"] = _rfc3339(timestamp)
    event.update((name, str(value)) for name, value in attributes.items() if value is not None and value != "")
    if data is not None:
        event["data"] = data
    return event


def _line(event):
    """The one line of the spool that an event is."""
    for name in ("id", "source", "type"):
        if not isinstance(event.get(name), str) or not event[name]:
            raise ValueError("an event needs a string as its %s" % name)
    try:
        line = _json(event) + b"\n"
    except (TypeError, RecursionError) as error:
        raise ValueError("the event is no JSON: %s" % error) from error
    if len(line) > _MAX_EVENT or len(line) > _MAX_DATA and len(_json(event.get("data"))) > _MAX_DATA:
        raise ValueError("the event has %d bytes; its data may have %d" % (len(line), _MAX_DATA))
    return line


def _json(value):
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _cloudevent_type(event_type):
    if "." in event_type or not event_type:
        return event_type  # a CloudEvents type stands as it is
    return "ai.agentmesh." + _CLOUDEVENT_TYPES.get(event_type, event_type)


def _rfc3339(moment):
    """A datetime, or text that goes as it is. A datetime without a zone is taken for UTC."""
    if not isinstance(moment, datetime.datetime):
        return moment
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return moment.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")


def _uuid7():
    """A UUID of RFC 9562, version 7: in the order of time, so that neighbours in the log are neighbours in indexes."""
    number = int(time.time() * 1000) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=number & ~(3 << 62) | 2 << 62))


_TOOLKIT_ATTRIBUTES = {  # fields of the toolkit's AuditEntry, and the attributes they become
    "resource": "subject", "target_did": "targetdid", "policy_decision": "policydecision", "matched_rule": "matchedrule",
    "trace_id": "traceid", "session_id": "sessionid", "arguments_hash": "argumentshash", "approver_did": "approverdid",
    "policy_version": "policyversion", "issued_at": "issuedat", "completed_at": "completedat", "sandbox_id": "agtsandboxid",
    "environment": "agtenvironment", "compute_driver": "agtcomputedriver", "entry_hash": "agentmeshentryhash",
    "previous_hash": "agentmeshprevioushash",
}


def _toolkit_event(entry):
    """The event of an AuditEntry. Nothing in an entry makes it fail: the toolkit checks less than the log does."""
    fields = entry if isinstance(entry, dict) else entry.model_dump() if hasattr(entry, "model_dump") else vars(entry)
    attributes = {name: _text(fields.get(field)) for field, name in _TOOLKIT_ATTRIBUTES.items()}
    for name, known in (("action", ACTIONS), ("outcome", OUTCOMES)):  # free text in the toolkit
        value = _text(fields.get(name))
        attributes[name if value in known else "agt" + name] = value
    timestamp = fields.get("timestamp") or None
    if not isinstance(timestamp, (datetime.datetime, type(None))):
        timestamp = re.sub(r"\+00:00Z?$", "Z", _text(timestamp))
    return _event(_text(fields["entry_id"]), _text(fields.get("event_type")) or "unknown", _text(fields["agent_did"]), timestamp,
                  attributes, _payload(fields.get("data")))


def _text(value):
    """A string that an attribute may be: without control characters or lone surrogates, of at most 4 KiB."""
    if value is None or value == "":
        return None
    text = _rfc3339(value)
    text = text if isinstance(text, str) else str(getattr(value, "value", value))
    text = re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", lambda match: ascii(match.group())[1:-1], text)
    return text.encode()[:4096].decode(errors="ignore")


def _payload(data):
    """Data as JSON would have it; what JSON cannot say is kept as Python shows it."""
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, default=str)
        text.encode()
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return ascii(data)


# ---- The spool.

class _Waiter:
    """Someone who waits for an event to come as far as wait."""

    def __init__(self, wait):
        self.wait, self._settled, self._outcome = wait, threading.Event(), None

    def settle(self, outcome):
        self._outcome = outcome
        self._settled.set()

    def receipt(self, spooled, until):
        """The receipt, or the one of a spooled event if none comes until then; raises what became of the event, if it is refused."""
        if not self._settled.wait(None if until is None else max(0.0, until - time.monotonic())):
            return spooled
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome or spooled  # nothing, if the client was closed


class _Spool:
    """Events on disk, one a line, in files named by the number of their first event; `cursor` says which are stored.

    Each start begins a new file, so that the line which a crash tore, of an event whose log call never returned, ends with its file.
    Any thread appends, one reads. Locks are taken in the order syncing, lock.
    """

    def __init__(self, folder, max_bytes, sync):
        self._folder, self._max, self._sync = pathlib.Path(folder), max_bytes, sync
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock, self._syncing = threading.Lock(), threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiters = {}  # by number of the event
        self._lock_file = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock_file)
            raise SpoolBusy("spool %s is in use; give each client one of its own" % folder) from error
        self._find()
        self._begin()
        self._forget()
        self._reading = _Reading(self._path(self._segments[0]), self._segments[0], self._sent - self._segments[0])

    def _find(self):
        """Finds what the client before has left: sent <= durable <= next are numbers of events."""
        self._cursor = os.open(self._folder / "cursor", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        digits = os.pread(self._cursor, 20, 0)
        self._sent = self._next = int(digits) if digits.isdigit() else 0
        self._segments = sorted(int(path.stem) for path in self._folder.glob("*.jsonl") if path.stem.isdigit())
        self._size = sum(self._path(first).stat().st_size for first in self._segments)
        if self._segments:
            self._sent = max(self._sent, self._segments[0])  # an older cursor: a power failure took the newer one
            with open(self._path(self._segments[-1]), "rb") as file:
                lines = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
            if self._sent > self._segments[-1] + lines:  # nobody has sent what was never written: it is damaged, and repeats do no harm
                self._sent = self._segments[0]
            self._next = self._segments[-1] + lines

    def _path(self, first):
        return self._folder / ("%020d.jsonl" % first)

    def _begin(self):
        """Begins a new file for the events from next on."""
        if self._segments and self._segments[-1] == self._next:  # the last one holds no whole line
            self._remove(self._segments.pop())
        self._file = os.open(self._path(self._next), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._segments.append(self._next)
        self._file_size = self._durable_size = 0
        self._durable = self._next
        folder = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
        os.fsync(folder)  # the name must outlast a power failure as its lines do
        os.close(folder)

    def append(self, lines, waiters):
        """Returns once the lines are on disk."""
        block = b"".join(lines)
        with self._lock:
            if self._file is None:
                raise ValueError("the client is closed")
            if self._size + len(block) > self._max:
                raise SpoolFull("the spool holds %d bytes of events that are not stored yet" % self._size)
            self._write(block)
            self._waiters.update(enumerate(waiters, self._next))
            self._file_size, self._size, self._next = self._file_size + len(block), self._size + len(block), self._next + len(lines)
            upto = self._next
        with self._syncing:  # one fsync serves all that was written before it began
            if self._durable < upto:
                self._make_durable()

    def _write(self, block):
        try:
            if os.fstat(self._file).st_size != self._file_size:
                os.ftruncate(self._file, self._file_size)  # Ctrl-C came between a write and its being counted
            written = 0
            while written < len(block):
                written += os.write(self._file, block[written:])
        except BaseException:
            os.ftruncate(self._file, self._file_size)  # the disk is full: the event is not taken, and the next line must not join it
            raise

    def _make_durable(self):
        with self._lock:
            if self._file is None:
                raise ValueError("the client was closed before the event was on disk")
            file, upto, size = self._file, self._next, self._file_size
        if self._sync:
            os.fsync(file)
        with self._lock:
            self._durable, self._durable_size = upto, size
            if self._file_size >= _SEGMENT:
                os.fsync(file)  # what was written meanwhile, and, without sync, so that only the last file can lack lines
                self._begin()
                os.close(file)
            self._changed.notify_all()

    def peek(self, most, timeout):
        """[(number, line)…] to send next, at most so many; none if nothing came within timeout seconds."""
        with self._lock:
            if self._sent == self._durable:
                self._changed.wait(timeout)
            want = min(self._durable - self._sent, most)
        ahead = self._reading.ahead
        while len(ahead) < want and self._read_on():
            pass
        size, events = 0, []
        for number, line in itertools.islice(ahead, want):
            size += len(line)
            if events and size > _BATCH_BYTES:
                break
            events.append((number, line))
        return events

    def _read_on(self):
        """Reads more lines, as far as they are on disk, or goes to the next file; False if there is nothing to read."""
        with self._lock:
            later = [first for first in self._segments if first > self._reading.first]
            end = None if later else self._durable_size
        if self._reading.lines(end):
            return True
        if not later:
            return False
        with self._lock:
            if not self._reading.ahead:
                self._sent = max(self._sent, later[0])  # the file before it may lack lines, if it was damaged
        self._reading.open(self._path(later[0]), later[0], 0)
        return True

    def waiters(self, events):
        """Who waits for the events, by number."""
        with self._lock:
            return {number: self._waiters[number] for number, _ in events if number in self._waiters}

    def done(self, events):
        """The events, the first that peek gave, are stored, or refused for good."""
        with self._lock:
            if self._file is None:
                return  # closed meanwhile: they go again with the next client, as repeats
            for number, _ in events:
                self._reading.ahead.popleft()
                self._waiters.pop(number, None)
            self._sent = events[-1][0] + 1
            os.pwrite(self._cursor, b"%020d" % self._sent, 0)  # lost with the machine's power, they go again, too
            self._forget()
            self._changed.notify_all()

    def _forget(self):
        """Removes the files all of whose events are stored."""
        while len(self._segments) > 1 and self._segments[1] <= self._sent:
            self._remove(self._segments.pop(0))

    def _remove(self, first):
        self._size -= self._path(first).stat().st_size
        os.unlink(self._path(first))

    def reject(self, line, reason):
        """Keeps a refused event for whoever looks after it."""
        text = json.dumps({"reason": reason, "event": line.decode(errors="backslashreplace")}) + "\n"
        with open(self._folder / "rejected.jsonl", "a", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def pending(self):
        with self._lock:
            return self._next - self._sent, self._size

    def wait_empty(self, timeout):
        with self._lock:
            upto = self._next
            return self._changed.wait_for(lambda: self._sent >= upto, timeout)

    def close(self):
        with self._syncing, self._lock:
            if self._sent == self._next:  # nothing is left: only the cursor stays
                self._remove(self._segments.pop())
            for file in (self._file, self._cursor, self._lock_file):
                os.close(file)
            self._file = None
            self._reading.close()
            for waiter in self._waiters.values():
                waiter.settle(None)


class _Reading:
    """Where in the spool its reader is: ahead are the lines that were read and are not stored yet, with their numbers."""

    def __init__(self, path, first, skip):
        self.ahead, self._file = collections.deque(), None
        self.open(path, first, skip)

    def open(self, path, first, skip):
        self.close()
        self._file, self.first, self._offset, self._number, self._skip = open(path, "rb", buffering=0), first, 0, first, skip

    def close(self):
        if self._file is not None:
            self._file.close()

    def lines(self, end):
        """Reads whole lines before the offset end (None: the file's end); False if there are none. No line is longer than a chunk."""
        self._file.seek(self._offset)
        chunk = self._file.read(1 << 20 if end is None else min(end - self._offset, 1 << 20))
        whole = chunk.rfind(b"\n") + 1
        self._offset += whole
        for line in chunk[:whole].split(b"\n")[:-1]:
            if self._number >= self.first + self._skip:
                self.ahead.append((self._number, line))
            self._number += 1
        return whole > 0


# ---- Sending.

class _Sender:
    """The thread that sends what the spool holds, in order, one batch at a time, until the server has it."""

    def __init__(self, spool, api):
        self._spool, self._api = spool, api
        self.problem, self.rejected = None, 0
        self._stopping = threading.Event()
        self._witnesses = True  # until the server says that the log has none
        self._most = _BATCH_EVENTS  # in the next batch
        self._thread = threading.Thread(target=self._run, name="sealstream", daemon=True)
        self._thread.start()

    def stop(self):
        self._stopping.set()
        self._api.interrupt()
        self._thread.join(2.0)  # it may hang in a connect; it is a daemon, and does the spool no harm once that is closed

    def _run(self):
        try:
            self._send_all()
        finally:
            self._api.close()

    def _send_all(self):
        pause = 0.05
        while not self._stopping.is_set():
            try:
                events = self._spool.peek(self._most, 0.2)
                if events:
                    self._send(events)
                self.problem, pause = None, 0.05
            except Exception as error:  # whatever it is, the events are on disk, and the next try may succeed
                if self._stopping.is_set():
                    return
                self.problem = str(error) or type(error).__name__
                _logger.warning("sealstream: %d events wait: %s", self._spool.pending()[0], self.problem)
                least = error.retry_after if isinstance(error, _Answer) else 0.0
                self._stopping.wait(max(least, pause * random.uniform(0.5, 1)))
                pause = min(2 * pause, 5.0)

    def _send(self, events):
        waiters = self._spool.waiters(events)
        wait = max((waiter.wait for waiter in waiters.values()), key=WAITS.index, default="stored")
        if wait == "witnessed" and not self._witnesses:
            wait = "sealed"
        try:
            receipts = self._api.post_events([line for _, line in events], wait)
        except _Answer as error:
            if error.status == 501 and wait == "witnessed":
                self._witnesses = False  # the log has none: the receipts say sealed
                return
            if error.status not in (400, 413, 422):
                raise
            if len(events) > 1:  # one of them is at fault, and each turn halves where it is
                self._most = len(events) // 2
                return
            receipts = [{"status": "rejected", "error": {"reason": str(error)}}]
        for (number, line), receipt in zip(events, receipts):
            self._answer(waiters.get(number), line, receipt)
        self._spool.done(events)
        self._most = _BATCH_EVENTS

    def _answer(self, waiter, line, receipt):
        if receipt["status"] == "rejected":
            fault = receipt.get("error") or {}
            reason = ": ".join(filter(None, (fault.get("field"), fault.get("reason", "no reason given"))))
            self._spool.reject(line, reason)
            self.rejected += 1
            _logger.error("sealstream: an event was refused, and is in rejected.jsonl: %s", reason)
            outcome = Rejected(reason)
        else:
            outcome = Receipt(**{name: receipt[name] for name in _RECEIPT_FIELDS & receipt.keys()})
        if waiter:
            waiter.settle(outcome)


class _Answer(Exception):
    """An answer other than 2xx."""

    def __init__(self, status, body, retry_after):
        try:
            problem = json.loads(body)
            text = problem.get("detail") or problem.get("title") or ""
        except (ValueError, AttributeError):
            text = ""
        super().__init__("status %d: %.1000s" % (status, text))
        self.status, self.retry_after = status, retry_after


class _Api:
    """Speaks HTTP to a server, over one connection that is kept."""

    def __init__(self, server, log, headers, timeout, context):
        url = urllib.parse.urlsplit(server)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("server %.200r is no http or https URL" % server)
        self._url, self._log, self._headers, self._timeout, self._context = url, log, headers, timeout, context
        self._connection = None  # the sender's

    def _connect(self):
        if self._url.scheme == "http":
            return http.client.HTTPConnection(self._url.hostname, self._url.port, timeout=self._timeout)
        context = self._context or ssl.create_default_context()
        return http.client.HTTPSConnection(self._url.hostname, self._url.port, timeout=self._timeout, context=context)

    def post_events(self, lines, wait):
        """Posts events, and returns a receipt for each, in their order."""
        connection = self._connection = self._connection or self._connect()
        body = b"[" + b",".join(lines) + b"]"
        headers = {"Content-Type": "application/cloudevents-batch+json"}
        try:
            answer = self._request(connection, "POST", "/v1/events", {"wait": wait}, body, headers)
        except BaseException:
            self._connection = None  # what may still come over it is the answer to this request, not to the next
            connection.close()
            raise
        receipts = answer["receipts"]
        if len(receipts) != len(lines):
            raise ValueError("%d receipts for %d events" % (len(receipts), len(lines)))
        return receipts

    def get(self, path, **query):
        """What a path says, over a connection of its own: any thread may ask."""
        connection = self._connect()
        try:
            return self._request(connection, "GET", path, query, None, {})
        finally:
            connection.close()

    def _request(self, connection, method, path, query, body, headers):
        target = "%s%s?%s" % (self._url.path.rstrip("/"), path, urllib.parse.urlencode(dict(query, log=self._log)))
        connection.request(method, target, body, dict(self._headers, **headers))
        response = connection.getresponse()
        answer = response.read(_MAX_ANSWER + 1)
        if len(answer) > _MAX_ANSWER:
            raise ValueError("an answer of more than %d bytes" % _MAX_ANSWER)
        if response.status // 100 != 2:
            after = response.headers.get("Retry-After", "")
            raise _Answer(response.status, answer, min(float(after), 10.0) if after.isdigit() else 0.0)
        return json.loads(answer)

    def interrupt(self):
        """Makes whoever waits for an answer to post_events get an error."""
        with contextlib.suppress(AttributeError, OSError):  # there is no connection, or it ends by itself just now
            self._connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        if self._connection is not None:
            self._connection.close()
