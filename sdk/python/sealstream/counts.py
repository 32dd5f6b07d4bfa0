"""Counts: what the server claims, and counting again over the whole log."""
from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Mapping, Optional, Set

import sealstream_verify as sv

from .entry import AuditEntry
from .errors import CountsError
from .filters import Filter

_BY_VALUE = {"event_types": "event_type", "actions": "action", "outcomes": "outcome"}


class ClaimedCounts(Dict[str, Any]):
    """How many of the first tree_size entries fit a filter, and what they are, on the server's
    word. Reader.verify counts again; it does not look at top_agents."""

    def __init__(self, answer: Mapping[str, Any], wanted: Filter) -> None:
        super().__init__(answer)
        self.wanted = wanted


class Recount:
    """Counts the lines of an export, as a claim says that they are."""

    def __init__(self, claim: ClaimedCounts) -> None:
        self._claim = claim
        self._size = claim.get("tree_size")
        self._agents: Set[str] = set()
        self._have: Dict[str, Any] = {"matches": 0, "first": None, "last": None}
        self._have.update({name: {} for name in _BY_VALUE})

    def add(self, entry: AuditEntry) -> None:
        """Counts an entry, if it fits."""
        beyond = isinstance(self._size, int) and entry.index >= self._size
        if beyond or not self._claim.wanted.wants(entry):
            return
        have = self._have
        have["matches"] += 1
        have["first"] = entry.index if have["first"] is None else have["first"]
        have["last"] = entry.index
        self._agents.add(entry.agent_did)
        for name, member in _BY_VALUE.items():
            value = getattr(entry, member)
            if value:
                have[name][value] = have[name].get(value, 0) + 1

    def check(self, size: int) -> None:
        """Raises CountsError unless the claim is what was counted in a log of so many entries."""
        if not isinstance(self._size, int) or not 0 < self._size <= size:
            why = "the counts are of %.40r entries, the log has %d"
            raise CountsError(why % (self._size, size))
        have = dict(self._have, agents=len(self._agents))
        for name, value in have.items():
            said = self._claim.get(name)
            if said != value:
                raise CountsError("%s is %.200r, and counted %.200r" % (name, said, value))


def counting(lines: Iterator[bytes], recounts: List[Recount]) -> Iterator[bytes]:
    """The lines of an export, whose entries are counted on their way. What is wrong with a line,
    who verifies it says."""
    for line in lines:
        entry = _entry(line) if recounts else None
        if entry is not None:
            for recount in recounts:
                recount.add(entry)
        yield line


def _entry(line: bytes) -> Optional[AuditEntry]:
    try:
        record = json.loads(line)
        return AuditEntry.of(sv.show(json.loads(record["leaf"])), record, "")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
