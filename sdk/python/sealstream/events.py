"""CloudEvents as the client sends them: how one is made, and the line of the spool that it is."""
from __future__ import annotations

import datetime
import json
import secrets
import time
import uuid
from typing import Any, Dict, Mapping, Optional, Union

Event = Dict[str, Any]  # a CloudEvent in its JSON form
Moment = Union[datetime.datetime, str, None]

ACTIONS = frozenset(("allow", "deny", "audit", "quarantine", "warning"))
OUTCOMES = frozenset(("success", "failure", "denied", "error"))
MAX_DATA = 256 << 10  # bytes of an event's data
MAX_EVENT = 512 << 10  # bytes of all of its JSON

TYPES = {  # event types that have a CloudEvents type of another name, without ai.agentmesh.
    "tool_invocation": "tool.invoked",
    "tool_blocked": "tool.blocked",
    "policy_evaluation": "policy.evaluation",
    "policy_violation": "policy.violation",
    "trust_handshake": "trust.handshake",
    "trust_score_updated": "trust.score.updated",
    "agent_registered": "agent.registered",
    "agent_verified": "agent.verified",
    "audit_integrity": "audit.integrity.verified",
}
ATTRIBUTES = frozenset(  # that have a parameter of log
    "specversion id source type time data subject action outcome policydecision traceid sessionid"
    " targetdid matchedrule argumentshash approverdid policyversion issuedat completedat"
    " datasalt".split()
)


def make_event(
    entry_id: str,
    event_type: str,
    agent_did: str,
    timestamp: Moment,
    attributes: Mapping[str, object],
    data: Any,
) -> Event:
    """A CloudEvent in its JSON form, without what is absent."""
    event: Event = {
        "specversion": "1.0",
        "id": entry_id,
        "source": agent_did,
        "type": cloudevent_type(event_type),
    }
    if timestamp:
        event["time"] = rfc3339(timestamp)
    for name, value in attributes.items():
        if value is not None and value != "":
            event[name] = str(value)
    if data is not None:
        event["data"] = data
    return event


def to_line(event: Event) -> bytes:
    """The one line of the spool that an event is. Raises ValueError for what cannot be an event."""
    for name in ("id", "source", "type"):
        if not isinstance(event.get(name), str) or not event[name]:
            raise ValueError("an event needs a string as its %s" % name)
    try:
        line = to_json(event) + b"\n"
    except (TypeError, RecursionError) as error:
        raise ValueError("the event is no JSON: %s" % error) from error
    too_long = len(line) > MAX_EVENT
    if too_long or len(line) > MAX_DATA and len(to_json(event.get("data"))) > MAX_DATA:
        raise ValueError("the event has %d bytes; its data may have %d" % (len(line), MAX_DATA))
    return line


def to_json(value: object) -> bytes:
    """Compact JSON, in UTF-8."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


def cloudevent_type(event_type: str) -> str:
    """The CloudEvents type of an event type. A CloudEvents type stands as it is."""
    if "." in event_type or not event_type:
        return event_type
    return "ai.agentmesh." + TYPES.get(event_type, event_type)


def rfc3339(moment: Moment) -> Optional[str]:
    """A datetime as text. Text goes as it is. A datetime without a zone is taken for UTC."""
    if not isinstance(moment, datetime.datetime):
        return moment
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return moment.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")


def uuid7() -> str:
    """A UUID of RFC 9562, version 7. They ascend with time, so that neighbours in the log are
    neighbours in indexes."""
    number = int(time.time() * 1000) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=number & ~(3 << 62) | 2 << 62))
