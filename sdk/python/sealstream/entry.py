"""AuditEntry, an entry of the log that was proven."""
from __future__ import annotations

import base64
import dataclasses
import datetime
import json
from typing import Any, Dict, Mapping, Optional

import sealstream_verify as sv

from .cloudevent import to_cloudevent
from .events import rfc3339, to_json
from .moments import parse_time

Json = Dict[str, Any]

_IN_LEAF = (  # the fields that stand in the leaf under their own name
    "entry_id",
    "event_type",
    "agent_did",
    "action",
    "resource",
    "target_did",
    "outcome",
    "policy_decision",
    "matched_rule",
    "previous_hash",
    "trace_id",
    "session_id",
)
_IN_RECORD = tuple(sv.RECORD)
_IN_EXTENSIONS = {  # fields of the toolkit that are attributes of the event here
    "arguments_hash": "argumentshash",
    "approver_did": "approverdid",
    "policy_version": "policyversion",
    "issued_at": "issuedat",
    "completed_at": "completedat",
}


@dataclasses.dataclass
class AuditEntry:
    """An entry of the log. Every one that this package returns was proven under a checkpoint that
    the log's key has signed.

    The fields have the names and meanings of the toolkit's AuditEntry. An entry is a copy: changing
    it changes nothing in the log, and verify_hash is False then.

    entry_hash     hex of the leaf hash (RFC 6962): SHA-256 of 0x00 and the leaf's bytes. It is
                   another one than the toolkit's, which covers nine fields; this one covers all of
                   them, and data by its salted hash
    previous_hash  entry_hash of the entry before; zeros at index 0
    data           the value of JSON data, the text of other text, or bytes. {} if the event has no
                   data, None if it has data that the server does not show: see withheld
    action, outcome, ...  None where the event does not say
    """

    entry_id: str
    timestamp: datetime.datetime
    event_type: str
    agent_did: str
    action: Optional[str] = None
    resource: Optional[str] = None
    target_did: Optional[str] = None
    data: Any = dataclasses.field(default_factory=dict)
    outcome: Optional[str] = None
    policy_decision: Optional[str] = None
    matched_rule: Optional[str] = None
    previous_hash: str = ""
    entry_hash: str = ""
    trace_id: Optional[str] = None
    session_id: Optional[str] = None
    index: int = -1
    received_at: Optional[datetime.datetime] = None
    leaf: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    record: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, shown: Json, line: Mapping[str, Any], entry_hash: str) -> AuditEntry:
        """The entry of what the verifier shows of a leaf, which stands in the line with its data.
        All were checked. leaf, record and data are read out of the line once somebody asks for
        them: most readers ask for few."""
        shown["timestamp"] = parse_time(shown["timestamp"])
        shown["received_at"] = parse_time(shown["received_at"])
        shown["entry_hash"] = entry_hash
        shown["_line"] = line
        shown["_plain_json"] = shown["extensions"] is None and "data_raw" in line
        del shown["log"], shown["data_hash"], shown["record_hash"], shown["extensions"]
        entry = cls.__new__(cls)
        entry.__dict__ = shown
        return entry

    def __getattr__(self, name: str) -> Any:
        line = self.__dict__.get("_line")
        if line is None or name not in ("leaf", "record", "data"):
            raise AttributeError(name)
        if name == "leaf":
            value: Any = json.loads(line["leaf"])
        elif name == "record":
            value = {one: line[one] for one in _IN_RECORD if one in line}
        else:
            value = self._sealed_data()
        self.__dict__[name] = value
        return value

    def _sealed_data(self) -> Any:
        """The data as it was sealed."""
        if self.__dict__.get("_plain_json"):
            return _parsed(self.record["data_raw"])
        return _shown(self.leaf, self.record)

    @property
    def is_own(self) -> bool:
        """Whether the log wrote it itself: its type begins with sealstream."""
        return self.event_type.startswith("sealstream.")

    @property
    def withheld(self) -> bool:
        """Whether the event has data that the server does not show. Then the data was erased, or
        cannot be read (data_error), or the server withholds it: Reader.erasure tells which."""
        return "data_hash" in self.leaf and not self.record

    @property
    def data_error(self) -> str:
        """Why the server could not read the data, on its word. Empty: it says nothing."""
        return str((self.__dict__.get("_line") or {}).get("data_error", ""))

    @property
    def extensions(self) -> Dict[str, str]:
        """The further attributes of the event."""
        return dict(self.leaf.get("extensions", {}))

    @property
    def content_hash(self) -> str:
        """entry_hash, under the name that the toolkit's signed entries have for theirs."""
        return self.entry_hash

    @property
    def signature(self) -> str:
        """The agent's own signature, if the event has one, or an empty text. The log's signature is
        that of the checkpoint."""
        return str(self.leaf.get("signature", ""))

    def compute_hash(self) -> str:
        """The leaf hash of what the fields say now. It is not the hash that the toolkit computes."""
        if not self.leaf:
            raise ValueError("the entry was never sealed, so it has no leaf")
        members = dict(self.leaf)
        for name in _IN_LEAF:
            members.pop(name, None)
            value = getattr(self, name)
            if value is not None:
                members[name] = value
        if self.timestamp != parse_time(self.leaf["timestamp"]):
            members["timestamp"] = rfc3339(self.timestamp)
        if self.data != self._sealed_data():
            salt = bytes.fromhex(self.record.get("salt", ""))
            members["data_hash"] = sv.sha256(b"\x02", salt, to_json(self.data)).hex()
        return sv.leaf_hash(sv.canonical(members)).hex()

    def verify_hash(self) -> bool:
        """Whether entry_hash is that of what the fields say. That the entry stands in the log was
        proven when it was read."""
        return bool(self.leaf) and self.compute_hash() == self.entry_hash

    def to_cloudevent(self) -> Json:
        """The CloudEvent that it was sealed from, in its JSON form. Its seal stands in the
        extensions sealindex, sealhash and sealprevious."""
        return to_cloudevent(self)

    def model_dump(self) -> Json:
        """The fields as a dict, with Python's times: what AuditSink and the toolkit's sinks take."""
        names = [one.name for one in dataclasses.fields(self)][:15]
        fields = {name: getattr(self, name) for name in names}
        extensions = self.extensions
        for name, attribute in _IN_EXTENSIONS.items():
            fields[name] = self.leaf.get(name, extensions.get(attribute))
        return fields

    def to_dict(self) -> Json:
        """The fields as a dict for JSON, with times as RFC 3339 texts, and index and received_at."""
        fields = self.model_dump()
        fields["timestamp"] = self.leaf.get("timestamp", rfc3339(self.timestamp))
        if isinstance(self.data, bytes):
            fields["data"] = base64.b64encode(self.data).decode()
        fields.update(index=self.index, received_at=self.leaf.get("received_at"))
        return fields


def _shown(leaf: Mapping[str, Any], record: Mapping[str, str]) -> Any:
    """The data of a record."""
    if "data_hash" not in leaf:
        return {}
    if "data_base64" in record:
        return base64.b64decode(record["data_base64"])
    if "data_raw" not in record:
        return None
    return _parsed(record["data_raw"]) if sv.is_json(leaf) else record["data_raw"]


def _parsed(raw: str) -> Any:
    """The value of JSON, or its text where it is none."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw
