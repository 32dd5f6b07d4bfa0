"""FileAuditSink: signed JSON lines in a file, as the agent-governance-toolkit writes them."""
from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import threading
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Union

from .entry import AuditEntry

_HASHED = (
    "entry_id timestamp event_type agent_did action resource target_did data outcome"
    " policy_decision matched_rule trace_id session_id".split()
)
_UNSIGNED = ("sandbox_id", "environment", "compute_driver")  # members that the toolkit has, too


@dataclasses.dataclass(frozen=True)
class SignedAuditEntry:
    """A line of the file. content_hash and signature are the file's, not the log's."""

    members: Dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.members[name]
        except KeyError:
            raise AttributeError(name) from None


class FileAuditSink:
    """Writes a line per entry, chained by hashes and signed with HMAC-SHA256.

    path           of the file
    secret_key     whoever has it can verify, and forge: unlike the log's key, it is no secret of
                   the writer's alone
    max_file_size  bytes, from which on the file is renamed and another begun; 0: never

    The lines are those of the toolkit, whose verifier accepts them. A line is on disk (fsync) when
    write returns. The line that a crash tore is cut off when the file is opened again."""

    def __init__(
        self,
        path: Union[str, "os.PathLike[str]"],
        secret_key: bytes,
        max_file_size: int = 0,
    ) -> None:
        self._path, self._key, self._most = pathlib.Path(path), secret_key, max_file_size
        self._lock = threading.Lock()
        self._closed = False
        self._previous = self._resume()

    def _resume(self) -> str:
        """The hash of the last line, after a torn one is cut off."""
        if not self._path.exists():
            return ""
        raw = self._path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if len(whole) < len(raw):
            os.truncate(self._path, len(whole))
        lines = whole.splitlines()
        return str(json.loads(lines[-1])["content_hash"]) if lines else ""

    def write(self, entry: AuditEntry) -> None:
        """Writes one entry."""
        self.write_batch([entry])

    def write_batch(self, entries: Sequence[AuditEntry]) -> None:
        """Writes entries in their order."""
        if not entries:
            return
        with self._lock:
            if self._closed:
                raise ValueError("the sink is closed")
            self._rotate()
            lines = []
            previous = self._previous
            for entry in entries:
                line = self._sign(entry.model_dump(), previous)
                previous = line["content_hash"]
                lines.append(json.dumps(line, sort_keys=True, default=str) + "\n")
            with open(self._path, "ab") as file:
                file.write("".join(lines).encode())
                file.flush()
                os.fsync(file.fileno())
            self._previous = previous

    def _sign(self, fields: Dict[str, Any], previous: str) -> Dict[str, Any]:
        line: Dict[str, Any] = {name: fields.get(name) for name in (*_HASHED, *_UNSIGNED)}
        line["timestamp"] = _iso(fields["timestamp"])
        line["previous_hash"] = previous
        line["content_hash"] = _content_hash(line)
        line["signature"] = self._hmac(line["content_hash"])
        return line

    def _hmac(self, content_hash: str) -> str:
        return hmac.new(self._key, content_hash.encode(), hashlib.sha256).hexdigest()

    def _rotate(self) -> None:
        """Renames a file that is long enough. No earlier file is overwritten."""
        if not self._most or not self._path.exists() or self._path.stat().st_size < self._most:
            return
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d%H%M%S")
        number = 0
        while True:
            name = "%s.%s%s.jsonl" % (self._path.stem, now, "-%d" % number if number else "")
            other = self._path.with_name(name)
            if not other.exists():
                break
            number += 1
        os.rename(self._path, other)
        self._previous = ""

    def read_entries(self) -> List[SignedAuditEntry]:
        """The lines of the file."""
        return [SignedAuditEntry(line) for _, line in self._lines()]

    def _lines(self) -> Iterator[Tuple[int, Dict[str, Any]]]:
        with open(self._path, encoding="utf-8") as file:
            for number, text in enumerate(file):
                yield number, json.loads(text)

    def verify_integrity(self) -> Tuple[bool, Optional[str]]:
        """(True, None), or (False, what is wrong): hashes, chain and signatures of the file. That
        lines at its end or whole files are missing, it cannot see: the log can."""
        if not self._path.exists():
            return False, "File does not exist"
        errors: List[str] = []
        previous = ""
        try:
            for number, line in self._lines():
                errors += self._faults(number, line, previous)
                previous = line.get("content_hash", "")
        except (ValueError, AttributeError) as error:
            errors.append("parse error: %s" % error)
        return not errors, "; ".join(errors) or None

    def _faults(self, number: int, line: Dict[str, Any], previous: str) -> Iterator[str]:
        where = "Entry %d (%s): " % (number, line.get("entry_id"))
        if line.get("previous_hash") != previous:
            yield where + "chain break"
        content = str(line.get("content_hash"))
        if _content_hash(line) != content:
            yield where + "content hash mismatch"
        if not hmac.compare_digest(self._hmac(content), str(line.get("signature"))):
            yield where + "HMAC signature invalid"

    def close(self) -> None:
        """Closes the sink: a write raises ValueError from then on."""
        self._closed = True


def _content_hash(line: Dict[str, Any]) -> str:
    hashed = {name: line.get(name) for name in (*_HASHED, "previous_hash")}
    text = json.dumps(hashed, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _iso(moment: Any) -> str:
    return moment.isoformat() if isinstance(moment, datetime.datetime) else str(moment)
