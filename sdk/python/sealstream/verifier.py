"""The second verifier as the rest of the package uses it: what it refuses is a ProofError here."""
from __future__ import annotations

import collections
import contextlib
import os
import pathlib
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import sealstream_verify as sv

from .entry import AuditEntry
from .errors import ForkError, ProofError

Key = sv.Key


class Checkpoint(NamedTuple):
    """A checkpoint whose signature was checked: so many entries of a log have this root."""

    origin: str
    size: int
    root: bytes
    note: str


@contextlib.contextmanager
def refused(what: str, result: Dict[str, Any]) -> Iterator[None]:
    """Makes a ProofError of whatever the verifier refuses."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as bad:
        kind = getattr(bad, "kind", None) or result.get("kind")
        raise ProofError("%s: %s%s" % (what, kind + ": " if kind else "", bad)) from bad


def new_result() -> Dict[str, Any]:
    """Where the verifier puts what it has found."""
    return {"checked": collections.Counter(), "first_bad_index": None}


def read_keys(key: Union[str, "os.PathLike[str]"]) -> List[str]:
    """The verifier keys of a text, one a line, or of the file that it names."""
    text = str(key) if isinstance(key, str) and "+" in key and not os.path.exists(key) else None
    if text is None:
        text = pathlib.Path(key).read_text(encoding="utf-8")
    keys = text.split()
    for one in keys:
        sv.read_key(one)
    if not keys:
        raise ValueError("no key")
    return keys


def parse_keys(vkeys: Sequence[str]) -> List[Key]:
    """Verifier keys as the verifier takes them."""
    return [sv.read_key(one) for one in vkeys]


def open_checkpoint(note: Union[str, bytes], keys: Sequence[Key]) -> Checkpoint:
    """The checkpoint of a note that one of the keys has signed."""
    result = new_result()
    with refused("checkpoint", result):
        text = note.decode() if isinstance(note, bytes) else note
        return Checkpoint(*sv.read_checkpoint(text.encode(), keys, result), text)


def open_page(
    lines: List[Any], proof: Any, keys: Sequence[Key]
) -> Tuple[List[AuditEntry], Checkpoint]:
    """The entries of the lines of a page, and the checkpoint under which the proof proves them."""
    result = new_result()
    with refused("page", result):
        found = sv.check_page(lines, proof, keys, result)
        checkpoint = open_checkpoint(proof["checkpoint"], keys)
    entries = [AuditEntry.of(shown, line, proven) for (shown, proven), line in zip(found, lines)]
    return entries, checkpoint


def open_proof(raw: bytes, keys: Sequence[Key]) -> Tuple[Dict[str, Any], AuditEntry, Checkpoint]:
    """A JSON proof that holds, its entry, and its checkpoint."""
    result = new_result()
    with refused("proof", result):
        sv.check_proof(raw, keys, result)
        proof = sv.parse(raw)
        shown, line = sv.show(sv.parse(proof["leaf"].encode())), proof["entry"]
        line = {**line, "leaf": proof["leaf"]}
        entry = AuditEntry.of(shown, line, line["entry_hash"])
        return proof, entry, open_checkpoint(proof["checkpoint"], keys)


def check_entries(proofs: List[Dict[str, Any]], checkpoint: Checkpoint) -> None:
    """Checks that each leaf that is cited stands at its index under the checkpoint."""
    head = checkpoint.origin, checkpoint.size, checkpoint.root
    kinds = {"leaf": sv.STRING, "leaf_index": sv.INT, "merkle_proof": sv.PATH}
    for one in proofs:
        raw = sv.need("a proof", one, kinds)["leaf"].encode()
        sv.check_entry(raw, one["leaf_index"], one["merkle_proof"], head, new_result())


def check_consistent(old: Checkpoint, new: Checkpoint, hashes: Sequence[Any]) -> None:
    """Raises ForkError unless the hashes prove that the log of old is a prefix of that of new."""
    try:
        raw = [bytes.fromhex(one) for one in hashes]
        sv.check_consistency(old.size, new.size, old.root, new.root, raw)
    except (ValueError, TypeError, AttributeError) as bad:
        sizes = "the checkpoints of %d and %d entries" % (old.size, new.size)
        raise ForkError("%s are not of one log: %s" % (sizes, bad)) from bad


class _Held:
    """A checkpoint in memory, where the verifier takes a file of one."""

    def __init__(self, note: str) -> None:
        self._note = note.encode()

    def read_bytes(self) -> bytes:
        return self._note

    def __str__(self) -> str:
        return "the checkpoint that was seen before"


class _Arguments(NamedTuple):
    keys: Sequence[Key]
    checkpoint: Sequence[_Held]


class Verified(NamedTuple):
    """A whole log that verifies. checked counts what was looked at."""

    checkpoint: Checkpoint
    checked: Dict[str, int]
    said: str


def check_export(
    lines: Iterator[bytes], keys: Sequence[Key], held: Optional[Checkpoint]
) -> Verified:
    """Checks the lines of an export, and, if the log is whole, that it continues what is held."""
    result = new_result()
    with refused("log", result):
        known = [_Held(held.note)] if held else []
        said = sv.verify_lines(lines, _Arguments(keys, known), result)
        checkpoint = open_checkpoint(result["note"].decode(), keys)
        return Verified(checkpoint, dict(result["checked"]), said)
