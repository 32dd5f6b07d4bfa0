"""Filters: which entries are wanted. The client looks itself whether an entry fits them."""
from __future__ import annotations

import dataclasses
from typing import Dict, List, Optional, Tuple, Union

from .entry import AuditEntry
from .events import Moment
from .moments import order, time_text

Values = Union[str, List[str], Tuple[str, ...], None]
_MEMBERS = {  # parameters of the API, and the members of the entry that they are about
    "agent": "agent_did",
    "type": "event_type",
    "action": "action",
    "outcome": "outcome",
    "resource": "resource",
    "target": "target_did",
    "rule": "matched_rule",
    "trace": "trace_id",
    "session": "session_id",
}


@dataclasses.dataclass(frozen=True)
class Filter:
    """Wants the entries that have one of the values of every field that is filled, and whose
    timestamp lies from start_time to end_time, both included. An empty text fills nothing, as in
    the toolkit. A resource that ends in * is a prefix."""

    agent_did: Values = None
    event_type: Values = None
    action: Values = None
    outcome: Values = None
    resource: Values = None
    target_did: Values = None
    matched_rule: Values = None
    trace_id: Values = None
    session_id: Values = None
    start_time: Moment = None
    end_time: Moment = None

    def query(self) -> Dict[str, Union[str, List[str]]]:
        """The parameters of a request. None: all entries are wanted."""
        query: Dict[str, Union[str, List[str]]] = {}
        for name, member in _MEMBERS.items():
            values = self._values(member)
            if values:
                query[name] = values
        for name, moment in (("from", self.start_time), ("to", self.end_time)):
            text = time_text(moment)
            if text:
                query[name] = text
        return query

    def _values(self, member: str) -> List[str]:
        values: Values = getattr(self, member)
        if not values:
            return []
        return [values] if isinstance(values, str) else list(values)

    def is_empty(self) -> bool:
        """Whether no time can lie in it."""
        start, end = time_text(self.start_time), time_text(self.end_time)
        return bool(start and end) and order(start) > order(end)

    def wants(self, entry: AuditEntry) -> bool:
        """Whether an entry fits."""
        for member in _MEMBERS.values():
            values = self._values(member)
            text = getattr(entry, member)
            if values and not any(_picks(member, value, text) for value in values):
                return False
        start, end = time_text(self.start_time), time_text(self.end_time)
        if not start and not end:
            return True
        at = order(entry.leaf["timestamp"])
        return not (start and at < order(start)) and not (end and at > order(end))


def _picks(member: str, value: str, text: Optional[str]) -> bool:
    if member == "resource" and value.endswith("*"):
        if value.endswith("\\*"):
            return text == value[:-2] + "*"
        return bool(text) and str(text).startswith(value[:-1])
    return value == text
