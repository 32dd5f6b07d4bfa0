"""What of an event has a parameter of its own, and the event that these describe."""
from __future__ import annotations

import datetime
import secrets
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, TypedDict

from .events import ACTIONS, ATTRIBUTES, OUTCOMES, Event, Moment, make_event, rfc3339, uuid7

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Details(TypedDict, total=False):
    """The parameters of log that are given by name alone, each of which may be absent or None.
    extensions are further attributes of the event, by their names."""

    session_id: Optional[str]
    target_did: Optional[str]
    matched_rule: Optional[str]
    arguments_hash: Optional[str]
    approver_did: Optional[str]
    policy_version: Optional[str]
    issued_at: Moment
    completed_at: Moment
    extensions: Optional[Mapping[str, Any]]


def describe(
    event_type: str,
    agent_did: str,
    action: Optional[str] = None,
    resource: Optional[str] = None,
    data: Any = None,
    outcome: Optional[str] = None,
    policy_decision: Optional[str] = None,
    trace_id: Optional[str] = None,
    *,
    entry_id: Optional[str] = None,
    timestamp: Moment = None,
    **details: Unpack[Details],
) -> Event:
    """The event that log logs. It has an id and, unless the id is the caller's, a salt."""
    if action and action not in ACTIONS:
        raise ValueError("action %.80r is none of %s" % (action, ", ".join(sorted(ACTIONS))))
    if outcome and outcome not in OUTCOMES:
        raise ValueError("outcome %.80r is none of %s" % (outcome, ", ".join(sorted(OUTCOMES))))
    attributes: Dict[str, Any] = dict(
        action=action, subject=resource, outcome=outcome, policydecision=policy_decision,
        traceid=trace_id, **_attributes(details),
    )
    if entry_id is None:
        entry_id = uuid7()
        timestamp = timestamp or datetime.datetime.now(datetime.timezone.utc)
        if data is not None:
            attributes["datasalt"] = secrets.token_hex(32)
    return make_event(entry_id, event_type, agent_did, timestamp, attributes, data)


def _attributes(details: Details) -> Dict[str, Any]:
    """The attributes of the event that details are, which are named as they are without _."""
    unknown = details.keys() - Details.__annotations__.keys()
    if unknown:
        raise TypeError("log has no parameter %s" % ", ".join(sorted(unknown)))
    extensions = details.get("extensions") or {}
    named = ", ".join(sorted(ATTRIBUTES & extensions.keys()))
    if named:
        raise ValueError("extensions name what has a parameter: %s" % named)
    found: Dict[str, Any] = {}
    for name, value in details.items():
        moment = name in ("issued_at", "completed_at")
        found[name.replace("_", "")] = rfc3339(value) if moment else value  # type: ignore[arg-type]
    found.pop("extensions", None)
    return {**extensions, **found}
