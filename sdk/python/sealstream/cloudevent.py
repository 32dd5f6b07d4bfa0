"""Entries as CloudEvents, as the log's own export has them."""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Dict

import sealstream_verify as sv

from .events import cloudevent_type

if TYPE_CHECKING:
    from .entry import AuditEntry

_ATTRIBUTES = {  # members of the leaf, and the extensions that they become
    "action": "action",
    "outcome": "outcome",
    "policy_decision": "policydecision",
    "matched_rule": "matchedrule",
    "trace_id": "traceid",
    "session_id": "sessionid",
    "target_did": "targetdid",
    "agent_prev": "agentprev",
    "signature": "agentsignature",
    "timestamp": "time",
    **{member: attribute for member, (attribute, _) in sv.MOVED.items()},
}
_MAX_INTEGER = 2**31 - 1  # CloudEvents has integers of 32 bits


def to_cloudevent(entry: AuditEntry) -> Dict[str, Any]:
    """A CloudEvent with the event's attributes and data, and its seal as extensions. The log's own
    entries get a type that ingest refuses, so that none can be played back as an event."""
    leaf = entry.leaf
    event: Dict[str, Any] = {
        "specversion": "1.0",
        "id": entry.entry_id,
        "source": entry.agent_did,
        "type": cloudevent_type_of(entry),
    }
    if entry.resource:
        event["subject"] = entry.resource
    event.update(entry.extensions)
    for member, attribute in _ATTRIBUTES.items():
        if leaf.get(member):
            event[attribute] = leaf[member]
    if "agent_seq" in leaf:
        event["agentseq"] = integer(leaf["agent_seq"])
    event["sealhash"] = entry.entry_hash
    event["sealprevious"] = leaf["previous_hash"]
    event["sealindex"] = integer(leaf["index"])
    if "detail" in leaf:
        event["sealdetail"] = sv.canonical(leaf["detail"]).decode()
    _add_data(event, entry)
    return event


def cloudevent_type_of(entry: AuditEntry) -> str:
    """The type that the event had, or one for an entry of the log's own."""
    if entry.is_own:
        return "ai.agentmesh." + entry.event_type
    return str(entry.leaf.get("cloudevent_type") or cloudevent_type(entry.event_type))


def integer(number: int) -> Any:
    """A number, or, beyond what CloudEvents has, its text."""
    return number if number <= _MAX_INTEGER else str(number)


def _add_data(event: Dict[str, Any], entry: AuditEntry) -> None:
    record = entry.record
    if "dssematerial" in record:
        event["dssematerial"] = record["dssematerial"]
    if "data_base64" in record:
        event["data_base64"] = record["data_base64"]
    elif "data_raw" in record:
        event["data"] = json.loads(record["data_raw"]) if sv.is_json(entry.leaf) else record["data_raw"]
