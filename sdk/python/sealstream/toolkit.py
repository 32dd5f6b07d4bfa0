"""Entries of Microsoft's agent-governance-toolkit as events of the log."""
from __future__ import annotations

import contextlib
import hashlib
import re
from typing import Any, Dict, List, Mapping, Optional

from .events import ACTIONS, OUTCOMES, Event, make_event, to_json
from .plain import cut, plain_data, plain_text, plain_time

_ATTRIBUTES = {  # fields of the toolkit's AuditEntry, and the attributes they become
    "resource": "subject",
    "target_did": "targetdid",
    "policy_decision": "policydecision",
    "matched_rule": "matchedrule",
    "trace_id": "traceid",
    "session_id": "sessionid",
    "arguments_hash": "argumentshash",
    "approver_did": "approverdid",
    "policy_version": "policyversion",
    "issued_at": "issuedat",
    "completed_at": "completedat",
    "sandbox_id": "agtsandboxid",
    "environment": "agtenvironment",
    "compute_driver": "agtcomputedriver",
    "entry_hash": "agentmeshentryhash",
    "previous_hash": "agentmeshprevioushash",
}
_FIELDS = (*_ATTRIBUTES, "entry_id", "agent_did", "event_type", "action", "outcome", "timestamp")
# Bytes of all attributes, as JSON. Escaped and with the log's own members they fit into a leaf of
# 64 KiB.
_MAX_ATTRIBUTES = 28 << 10
_OWN_TYPE = re.compile(r"(ai\.agentmesh\.)?sealstream(\.|$)")  # the log's own entries have these


def toolkit_event(entry: Any) -> Event:
    """The event of an AuditEntry. Nothing in an entry makes it fail: the toolkit checks less than
    the log does.

    What the log would refuse is kept in another form, and the attribute agtaltered names the
    fields. The event is the same each time."""
    fields = _fields(entry)
    altered: List[str] = []
    values = {field: plain_text(fields.get(field), field, altered) for field in _FIELDS}
    attributes: Dict[str, Optional[str]] = {}
    for field, name in _ATTRIBUTES.items():
        attributes[name] = values[field]
    for name, known in (("action", ACTIONS), ("outcome", OUTCOMES)):  # free text in the toolkit
        attributes[name if values[name] in known else "agt" + name] = values[name]
    timestamp = plain_time(fields.get("timestamp"))
    if values["timestamp"] and not timestamp:
        altered.append("timestamp")
        attributes["agttimestamp"] = values["timestamp"]
    event_type = values["event_type"] or "unknown"
    if _OWN_TYPE.match(event_type):
        event_type = "agt." + event_type
        altered.append("event_type")
    data = plain_data(fields.get("data"), altered)
    altered += [name for name in ("entry_id", "agent_did") if not values[name]]
    if sum(len(to_json(value)) for value in values.values() if value) > _MAX_ATTRIBUTES:
        altered.append("attributes")
        attributes = {name: cut(value, 512) for name, value in attributes.items()}
    if altered:
        attributes["agtaltered"] = ",".join(dict.fromkeys(altered))
    source = values["agent_did"] or "urn:agt:unknown"
    event_id = values["entry_id"]
    if not event_id:
        content = to_json([source, event_type, timestamp, attributes, data])
        event_id = "agt-" + hashlib.sha256(content).hexdigest()
    return make_event(event_id, event_type, source, timestamp, attributes, data)


def _fields(entry: Any) -> Mapping[str, Any]:
    """The fields of a dict, a model of pydantic, or any object."""
    if isinstance(entry, dict):
        return entry
    if hasattr(entry, "model_dump"):
        with contextlib.suppress(Exception):  # a validator or serialiser of the caller's may fail
            dumped: Mapping[str, Any] = entry.model_dump()
            return dumped
    fields: Dict[str, Any] = {}
    for name in (*_FIELDS, "data"):
        with contextlib.suppress(Exception):  # it is not there, or a property fails
            fields[name] = getattr(entry, name)
    return fields
