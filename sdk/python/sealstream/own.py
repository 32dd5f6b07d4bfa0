"""Whether an entry is the very event that this process sent."""
from __future__ import annotations

import json

from .entry import AuditEntry
from .errors import ProofError
from .events import Event, to_json

_MEMBERS = {  # attributes of the event, and the members of the leaf that they become
    "type": "cloudevent_type",
    "action": "action",
    "subject": "resource",
    "outcome": "outcome",
    "policydecision": "policy_decision",
    "matchedrule": "matched_rule",
    "traceid": "trace_id",
    "sessionid": "session_id",
    "targetdid": "target_did",
}


def check_own_event(entry: AuditEntry, event: Event) -> None:
    """Raises ProofError if a proven entry is another event than the one that was sent. An event
    whose secrets were taken out may differ in what was redacted, and says so."""
    leaf = entry.leaf
    if (entry.entry_id, entry.agent_did) != (event["id"], event["source"]):
        _refuse(entry, "id")
    if "redactions" in leaf:
        return
    for attribute, member in _MEMBERS.items():
        if event.get(attribute) != leaf.get(member):
            _refuse(entry, attribute)
    if "datasalt" in event and entry.record.get("salt") not in (None, event["datasalt"]):
        _refuse(entry, "datasalt")
    if "data" in event and entry.data != json.loads(to_json(event["data"])):
        _refuse(entry, "data")


def _refuse(entry: AuditEntry, attribute: str) -> None:
    raise ProofError("entry %d is not the event that was sent: %s" % (entry.index, attribute))
