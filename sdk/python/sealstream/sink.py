"""AuditSink, by which the agent-governance-toolkit writes to a log."""
from __future__ import annotations

import hashlib
import http.client
import json
import threading
import time
from typing import Any, List, Mapping, Optional, Sequence, Tuple

from .api import Answer, path_segment
from .client import Client
from .entry import AuditEntry
from .reader import Reader
from .receipt import Receipt
from .settings import Path, key_or_default
from .toolkit import toolkit_event

Verdict = Tuple[bool, Optional[str]]  # whether it holds, and if not, why


class _AnySink(type):
    """Makes isinstance tell whether an object has the four methods, as the toolkit's protocol does:
    isinstance(my_sink, AuditSink) is the check that its users know."""

    def __instancecheck__(cls, instance: Any) -> bool:
        methods = ("write", "write_batch", "verify_integrity", "close")
        return all(callable(getattr(instance, name, None)) for name in methods)


class AuditSink(metaclass=_AnySink):
    """An AuditSink of the agent-governance-toolkit:
    AuditLog(sink=sealstream.AuditSink(sealstream.Client(...))).

    An entry keeps its id, so that writing it again is a repeat; what the log has no field for goes
    into attributes of the event. wait and timeout are as for Client.log: by default a write returns
    once the entry is on disk, whether the server is there or not.
    """

    def __init__(
        self, client: Client, *, wait: str = "spooled", timeout: Optional[float] = None
    ) -> None:
        self._client, self._wait, self._timeout = client, wait, timeout
        self._lock = threading.Lock()
        self._newest: Optional[Receipt] = None

    def write(self, entry: Any) -> None:
        """Writes one AuditEntry, or a dict with its fields."""
        self.write_batch([entry])

    def write_batch(self, entries: Sequence[Any]) -> None:
        """Writes entries in their order; an empty list is nothing."""
        if not entries:
            return
        events = [toolkit_event(entry) for entry in entries]
        receipts = self._client.send_batch(events, wait=self._wait, timeout=self._timeout)
        with self._lock:
            self._newest = receipts[-1]

    def verify_integrity(self) -> Verdict:
        """(True, None), or (False, what is wrong), of the whole log: what was written has arrived,
        none was refused, the log verifies, and the last entry written stands in it under the root.
        It asks the server; an auditor uses AuditLog.verify_integrity or sealstream_verify.py."""
        try:
            return self._verify()
        except (Answer, OSError, ValueError, KeyError, http.client.HTTPException) as error:
            return False, "the log does not answer: %s" % error

    def _verify(self) -> Verdict:
        client = self._client
        if not client.flush(self._timeout if self._timeout is not None else 60.0):
            return False, "%(pending)d entries are not stored yet: %(problem)s" % client.status()
        rejected = client.status()["rejected"]
        if rejected:
            return False, "the log refused %d entries: see rejected.jsonl" % rejected
        answer = client._api.get("/v1/verify")
        if not answer["valid"]:
            return False, "entry %s: %s" % (answer.get("first_bad_index"), answer.get("error"))
        with self._lock:
            newest = self._newest
        return (True, None) if newest is None else self._prove(newest)

    def _prove(self, receipt: Receipt) -> Verdict:
        path = "/v1/entries/id/%s/proof" % path_segment(receipt.entry_id)
        until = time.monotonic() + 30  # stored is not sealed yet
        while True:
            try:
                proof = self._client._api.get(path, agent=receipt.agent_did)
                break
            except Answer as error:
                if error.status != 404 or time.monotonic() > until:
                    return False, "entry %s is not in the log: %s" % (receipt.entry_id, error)
            time.sleep(0.05)
        leaf = json.loads(proof["leaf"])
        if (leaf["entry_id"], leaf["agent_did"]) != (receipt.entry_id, receipt.agent_did):
            return False, "entry %s: the proof is of another entry" % receipt.entry_id
        if _leads_to_root(proof):
            return True, None
        return False, "entry %s: the proof does not lead to the root" % receipt.entry_id

    def read_entries(self, key: Optional[Path] = None, **options: Any) -> List[AuditEntry]:
        """The entries of the log, but for the log's own, each proven. key and options, such as
        state and trust_first_use, are those of Reader. It waits until all that was written is
        sealed."""
        reader = Reader.beside(self._client, key=key_or_default(key), **options)
        with self._lock:
            newest = self._newest
        if newest is not None:
            self._client.flush(self._timeout)
            reader.await_id(newest.entry_id, newest.agent_did)
        return [entry for entry in reader.entries() if not entry.is_own]

    def close(self) -> None:
        """Closes the client; what is not stored yet goes out with the next one."""
        self._client.close()


def _leads_to_root(proof: Mapping[str, Any]) -> bool:
    """Whether the leaf's hash and the Merkle path (RFC 6962) give the root."""
    node = hashlib.sha256(b"\x00" + proof["leaf"].encode()).digest()
    for sibling, side in proof["merkle_proof"]:
        other = bytes.fromhex(sibling)
        pair = (other, node) if side == "left" else (node, other)
        node = hashlib.sha256(b"\x01" + b"".join(pair)).digest()
    return bool(node.hex() == proof["merkle_root"])
