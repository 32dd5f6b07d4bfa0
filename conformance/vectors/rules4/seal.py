"""A small sealer by docs/SPEC.md and docs/SPEC-rules4.md, for the vectors. It reads structured events alone, and lets each
message be a batch. Section numbers are those of SPEC-rules4; SPEC n is docs/SPEC.md."""
import base64
import json
import re
import uuid

import ed25519
import forms
import rules
from forms import Refused
from redaction import SIGNED, Redaction, claimed, shorten

NAMESPACE = uuid.UUID("6f8f8e0e-6f0c-5c0e-9d0a-7365616c7374")
LIMITS = {"attribute_bytes": 4096, "data_bytes": 262144, "data_depth": 32, "leaf_bytes": 65535, "message_bytes": 921600,
          "message_events": 256, "window": 1048576}
TYPES = {"ai.agentmesh.tool.invoked": "tool_invocation"}  # of SPEC 3.3, what occurs in the vectors


class Raw(str):
    """JSON text that stands in a body as it is."""


class Binary(Raw):
    """An event in binary mode, whose values need no escape. The text is the whole of SPEC 5.2."""

    def __new__(cls, data=None, **attributes):
        names = {"ce-" + name if name != "datacontenttype" else "content-type": value for name, value in attributes.items()}
        lines = "".join("%s: %s\n" % header for header in sorted(names.items()))
        self = super().__new__(cls, "%s\n%s" % (lines, data or ""))
        self.headers, self.data = sorted(map(list, names.items())), data or ""
        self.event = {**attributes, **({"data": Raw(data)} if data else {})}
        return self


def compact(value):
    """JSON without white space, members in their order. It is how the vectors write events and data."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{%s}" % ",".join("%s:%s" % (compact(name), compact(part)) for name, part in value.items())
    if isinstance(value, list):
        return "[%s]" % ",".join(map(compact, value))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def token(source):
    return base64.b32encode(rules.sha256(source.encode())).decode().lower()[:26]


class Event:
    """A structured event read and redacted by the rules of a number: the members of its leaf, and what goes beside it."""

    def __init__(self, raw, number, redaction=None):
        self.salt = self.data = None
        self.beside, self.leaf = {}, {}
        self.redacts = Redaction(redaction)
        attributes = {name: value for name, value in raw.items() if name not in ("specversion", "data", "data_base64")}
        if "data" in raw:
            self.data = compact(raw["data"]).encode()
        self.signed = bool(attributes.get("agentsignature") or attributes.get("dssematerial"))
        told = claimed(attributes.get("redactions", ""))
        if told and (number >= 4 or redaction is not None):
            del attributes["redactions"]
            self.leaf["redactions"] = told
        if self.data is None:
            attributes.pop("datasalt", None)  # before private fields become data (SPEC 3.1)
        found = []
        if redaction is not None:
            attributes, self.data, found = self.redacts.event(attributes, self.data, number)
        if found:
            self.leaf["redactions"] = shorten((told or []) + found)
        self.members(attributes, number)
        if found and number >= 4:
            self.leaf["altered"] = True
            self.leaf.pop("signature", None)
            self.beside = {}
            for name in rules.LEAVING:  # empty ones
                self.leaf.get("extensions", {}).pop(name, None)
            if not self.leaf.get("extensions", True):
                del self.leaf["extensions"]
        kind = self.leaf["cloudevent_type"]
        self.leaf["event_type"] = TYPES.get(kind) or re.sub(r"^ai\.agentmesh\.(?=.)", "", kind)
        if (self.leaf["event_type"] + ".").startswith("sealstream."):
            raise Refused("reserved for the log itself", "type")

    def members(self, attributes, number):
        """Each attribute becomes a member, stays an extension, or leaves the leaf (4.1)."""
        other, names = {}, {attribute: member for member, attribute in rules.OLDER.items()}
        if number >= 4:
            names.update({attribute: member for member, (attribute, _) in rules.MOVED.items()})
        for name, value in attributes.items():
            if not rules.has_form("[a-z0-9]{1,64}", name):
                raise Refused("not the name of an attribute", name)
            if name == "time":
                self.leaf["timestamp"] = value
            elif name == "datasalt":
                self.salt = bytes.fromhex(value)
            elif number >= 4 and name in rules.LEAVING and value:
                self.beside[rules.LEAVING[name]] = value
            elif name in names and rules.has_form(rules.MOVED.get(names[name], (0, rules.STRING))[1], value):
                self.leaf[names[name]] = int(value) if name == "agentseq" else value
            else:
                other[name] = value
        for name in ("entry_id", "agent_did", "cloudevent_type"):
            if name not in self.leaf:
                raise Refused("required", rules.OLDER[name])
        if other:
            self.leaf["extensions"] = other

    def finish(self, secret, received, publisher):
        """Adds what the place in EVENTS gives, and makes the record (4.3)."""
        leaf, self.record = self.leaf, None
        leaf.setdefault("timestamp", received)
        leaf["received_at"] = received
        if publisher:
            leaf["publisher"] = publisher
        if self.data is None and not self.beside:
            return
        if self.data is None:
            self.salt = rules.beside_salt(secret, leaf["agent_did"], leaf["entry_id"], self.beside)
        elif self.salt is None:  # SPEC 1
            self.salt = rules.mac(secret, rules.lp(leaf["agent_did"]), rules.lp(leaf["entry_id"]), rules.lp(rules.sha256(self.data)))
        self.record = {**self.beside, "salt": self.salt.hex()}
        if self.data is not None:
            leaf["data_hash"] = rules.data_hash(self.salt, self.data)
            self.record.update(rules.record_data(self.data))
        commitment = rules.record_hash(self.record)
        if commitment:
            leaf["record_hash"] = commitment

    def fit(self):
        """4.5"""
        if self.leaf.get("altered") and measure(self.leaf) > 65535:
            self.leaf["redactions"] = [{"kind": "more", "path": ""}]
        if measure(self.leaf) > 65535:
            raise Refused("the attributes make a leaf that is too long")


def measure(leaf):
    """The widest leaf of an event (4.5)."""
    wide, leaf = 10**15, {name: value for name, value in leaf.items() if name not in rules.ADDED}
    given = leaf["timestamp"] if leaf["timestamp"] != leaf.get("received_at") else "2006-01-02T15:04:05.000000000Z"
    leaf.update(v=1, log="x" * 32, publisher="x" * 256, index=wide, input_epoch=wide, input_seq=wide, position=wide,
                previous_hash="0" * 64, received_at="2006-01-02T15:04:05.000000000Z", timestamp=given,
                detail={"entry_id": leaf["entry_id"], "event_type": leaf["event_type"], "original": wide})
    leaf.update(event_type="sealstream.equivocation", entry_id="x" * 36)
    return len(rules.canonical(leaf).encode()) + 305


class Log:
    """A log and its only sealer, which judges nothing."""

    details, roles = forms.DETAILS, forms.ROLES

    def __init__(self, name="default", secret=bytes(range(32)), seed=bytes([7] * 32)):
        self.name, self.secret = name, secret
        public = ed25519.public_key(seed)
        self.origin = "log.example/%s/%s" % (name, rules.sha256(public).hex()[:8])
        raw = b"\1" + public
        ident = rules.sha256(self.origin.encode() + b"\n" + raw)[:4].hex()
        self.vkey = "%s+%s+%s" % (self.origin, ident, base64.b64encode(raw).decode())
        self.messages, self.leaves, self.records = [], [], {}
        self.window = {}  # (source, id): [(index, fingerprint, whether the entry is under rules 4)]
        self.access = {}  # role: index of the newest entry
        self.config, self.config_index = None, 0
        self.seq = 0

    # ---- what is published

    def time(self, seq):
        return "2026-12-01T08:%02d:%02d.%09dZ" % (seq // 60 % 60, seq % 60, seq)

    def publish(self, subject, body, missing=0):
        """Seals one message, before which some are missing. Returns the indexes of its entries."""
        first, text, binary = len(self.leaves), compact(body), isinstance(body, Binary)
        self.seq += 1 + missing
        seq = self.seq
        self.messages.append({"subject": "audit.%s.%s" % (self.name, subject), "headers": body.headers if binary else [],
                              "body": body.data if binary else text, "seq": seq, "time": self.time(seq)})
        if missing:
            self.own("gap", seq - 1, 0, {"from": seq - missing, "to": seq - 1}, received=self.time(seq))
        kind, _, last = subject.partition(".")
        if kind == "control":
            self.one(seq, 0, text, None, lambda: self.control(seq, body))
        elif subject == "events.open" and not self.config["events_open"]:
            self.rejected(seq, 0, text, None, Refused("events.open is not accepted"))
        elif kind == "events":
            publisher = "subject:" + last if self.rules() >= 4 and last != "open" else None
            self.events(seq, [(event, publisher) for event in (body if isinstance(body, list) else [body])], last)
        elif kind == "batch":
            self.events(seq, [self.record(record) for record in body], None)
        elif kind == "service" and self.rules() >= 4 and last in ("ingest", "query", "alert"):
            for position, record in enumerate(self.array(seq, text, body)):
                event, publisher = self.record(record)
                self.one(seq, position, compact(event), publisher, lambda: self.service(seq, position, last, event, publisher))
        else:
            self.rejected(seq, 0, text, None, Refused("not a subject of this log's EVENTS"))
        return list(range(first, len(self.leaves)))

    def array(self, seq, text, body):
        """The elements of an array that is strict JSON. Another one becomes a rejected entry as a whole (SPEC 4)."""
        try:
            forms.strict(text, 10000)
        except ValueError as wrong:
            self.rejected(seq, 0, text, None, Refused("the array cannot be parsed: %s" % wrong))
            return []
        return body

    def record(self, record):
        """The event and the publisher of a record. A record that is refused stands in place of its event (4.6)."""
        publisher = record.get("publisher")
        if self.rules() >= 4 and publisher and publisher.startswith("subject:"):
            return Whole(compact(record)), None
        return record["event"], publisher

    def send(self, *events, publisher="ci"):
        return self.publish("batch.i1", [{"event": event, "publisher": publisher} for event in events])

    def configure(self, number, **more):
        detail = {"origin": self.origin, "keys": [self.vkey], "events_created": "2026-12-01T08:00:00.000000000Z",
                  "events_open": False, "epoch": 1, "rules": number, "limits": LIMITS,
                  "secret_fingerprint": rules.mac(self.secret, b"sealstream/v1/secret")[:16].hex(), **more}
        if self.config:
            detail["previous"] = self.config_index
        return self.tell("config", detail)

    def tell(self, kind, detail):
        """A control event."""
        return self.publish("control", {"specversion": "1.0", "id": "c", "source": "admin", "type": "sealstream." + kind,
                                        "data": detail})[0]

    def erase(self, *indexes):
        return self.tell("erasure", {"indexes": list(indexes), "reason": "r", "authority": "a"})

    def serve(self, role, kind, detail, text=None, publisher=None, **attributes):
        """A service event."""
        data = {"detail": detail} if text is None else {"detail": detail, "text": text}
        event = {"specversion": "1.0", "id": "s", "source": "service", "type": "sealstream." + kind, "data": data, **attributes}
        return self.publish("service." + role, [{"event": event, "publisher": publisher} if publisher else {"event": event}])[0]

    def hash(self, index):
        return rules.sha256(b"\0" + self.leaves[index].encode()).hex()

    def leaf(self, index):
        return json.loads(self.leaves[index])

    # ---- sealing

    def rules(self):
        return self.config["rules"] if self.config else 1

    def one(self, seq, position, whole, publisher, make):
        try:
            make()
        except Refused as refused:
            self.rejected(seq, position, whole, publisher, refused)

    def seal(self, leaf, seq, position, record=None):
        """Appends a leaf that lacks its place."""
        leaf = {"v": 1, "log": self.name, "index": len(self.leaves), "received_at": self.time(seq), "input_epoch": 1,
                "input_seq": seq, "position": position, **leaf,
                "previous_hash": self.hash(len(self.leaves) - 1) if self.leaves else "0" * 64}
        if len(rules.canonical(leaf)) > 65535 - 43 and self.rules() >= 4 and "detail" in leaf:  # 43 of blind, see 4.5
            raise Refused("the leaf would be too long", "data")
        if self.rules() >= 4:
            kind = leaf["event_type"][len("sealstream."):] if leaf["event_type"].startswith("sealstream.") else "event"
            leaf["blind"] = rules.blind(self.secret, 1, seq, position, kind)
        self.leaves.append(rules.canonical(leaf))
        if record:
            self.records[leaf["index"]] = rules.canonical({**record, "index": leaf["index"]})
        self.note(leaf, self.hash(leaf["index"]))

    def note(self, leaf, entry_hash):
        """What an entry changes for those after it."""
        if leaf["event_type"] == "sealstream.access":
            self.access[leaf["detail"]["role"]] = leaf["index"]

    def own(self, kind, seq, position, detail, data=None, publisher=None, redactions=None, received=None):
        """Seals an entry of the log's own. data gives its data, of entry_id. A rejected entry keeps what detail names kept."""
        name = "%s/1/%d/%d/%s" % (self.name, seq, position, kind)
        leaf = {"event_type": "sealstream." + kind, "entry_id": str(uuid.uuid5(NAMESPACE, name)), "agent_did": self.origin,
                "timestamp": received or self.time(seq), "detail": detail}
        if received:
            leaf["received_at"] = received
        if publisher:
            leaf["publisher"] = publisher
        if redactions:
            leaf["redactions"] = redactions
        if data is None:
            return self.seal(leaf, seq, position)
        salt, kept = self.salt(kind, leaf["entry_id"], data), data
        if kind == "rejected":
            kept = detail.pop("kept")
            hidden = redactions or self.rules() >= 4 and "redaction" in self.config and len(data) > 16384
            detail["digest"] = rules.data_hash(self.salt("rejected.digest", leaf["entry_id"], data) if hidden else salt, data)
        leaf["data_hash"] = rules.data_hash(salt, kept)
        return self.seal(leaf, seq, position, {**rules.record_data(kept), "salt": salt.hex()})

    def salt(self, kind, entry_id, whole):
        """1.2, and before rules 4 SPEC 5.2 and 13.5."""
        if self.rules() >= 4:
            return rules.own_salt(self.secret, kind, entry_id, whole)
        return rules.mac(self.secret, rules.lp("sealstream." + kind), rules.lp(entry_id), rules.lp(rules.sha256(whole)))

    def rejected(self, seq, position, whole, publisher, refused):
        """SPEC 5.2, 13.5 and 4.9."""
        whole = whole.encode()
        detail = {"reason": str(refused), "size": len(whole), "subject": self.messages[-1]["subject"]}
        kept, found = whole[:4096], []
        if "redaction" in (self.config or {}):
            kept, found = Redaction(self.config["redaction"]).whole(whole)
        kind = "refused" if getattr(refused, "altered", False) else "signed" if found and SIGNED.search(whole.decode()) else None
        if kind and self.rules() >= 4:
            kept, found = b"[REDACTED:%s]" % kind.encode(), [{"kind": kind, "path": ""}]
        if refused.field:
            detail["field"] = refused.field
            if found and not rules.has_form("[a-z0-9]{1,64}", refused.field):
                detail["field"] = "[REDACTED:name]"
        self.own("rejected", seq, position, {**detail, "kept": kept}, whole, publisher, shorten(found))

    def control(self, seq, event):
        kind, detail = event["type"][len("sealstream."):], event["data"]
        if kind == "erasure":
            return self.own("erasure", seq, 0, detail)
        if kind != "config":
            return self.other_control(seq, kind, detail)
        forms.check_config(detail)
        if self.config and (detail["rules"] < self.rules() or detail.get("previous") != self.config_index):
            raise Refused("not a successor of the newest config", "data")
        if self.config and "verdicts" in self.config and "verdicts" not in detail:
            raise Refused("verdicts cannot be turned off", "data")
        self.own("config", seq, 0, detail)
        self.config, self.config_index = detail, len(self.leaves) - 1

    def other_control(self, seq, kind, detail):
        raise Refused("no control event", "type")

    def service(self, seq, position, role, event, publisher):
        if isinstance(event, Whole):
            raise Refused("a record does not have such a publisher", "publisher")
        kind, data = forms.service_event(compact(event), role, self.roles)
        detail = data["detail"]
        forms.check_form(kind, detail, len(self.leaves), self.details)
        if detail["role"] != role:
            raise Refused("another role", "data")
        self.check_service(kind, detail, publisher)
        self.own(kind, seq, position, detail, data["text"].encode() if "text" in data else None, publisher)

    def check_service(self, kind, detail, publisher):
        if kind == "access" and detail.get("previous") != self.access.get(detail["role"]):
            raise Refused("previous is not the newest one of the role", "data")
        if kind in forms.REQUIRES_PUBLISHER and publisher is None:
            raise Refused("publisher is required", "publisher")

    # ---- events, in the order of 4.8

    def events(self, seq, events, last):
        originals = []
        for position, (event, publisher) in enumerate(events):
            self.one(seq, position, compact(event), publisher,
                     lambda: originals.extend(self.event(seq, position, event, publisher, last)))
        if originals:
            self.own("duplicate", seq, len(events), {"originals": originals})

    def event(self, seq, position, raw, publisher, last):
        raw = raw.event if isinstance(raw, Binary) else raw
        number, received, redaction = self.rules(), self.time(seq), self.config.get("redaction") if self.rules() >= 2 else None
        if isinstance(raw, Whole):
            raise Refused("a record does not have such a publisher", "publisher")
        if last not in (None, "open") and token(raw.get("source", "")) != last:
            raise Refused("its agent token is not the one of the subject it was published on", "source")
        event, older = Event(raw, number, redaction), Event(raw, min(number, 3), redaction)
        for each in (event, older):
            each.finish(self.secret, received, publisher)
        claims = self.window.setdefault((event.leaf["agent_did"], event.leaf["entry_id"]), [])
        prints = {True: rules.fingerprint(event.leaf), False: rules.fingerprint(older.leaf)}
        for index, known, new in reversed(claims):
            if known == prints[new]:
                return [{"index": index, "position": position}]
        try:
            if number >= 4:
                event.fit()
            self.judge(event)
        except Refused as refused:
            refused.altered = "altered" in event.leaf
            raise
        leaf = event.leaf
        if claims:
            leaf["detail"] = {"entry_id": leaf["entry_id"], "event_type": leaf["event_type"], "original": claims[-1][0]}
            leaf["event_type"] = "sealstream.equivocation"
            leaf["entry_id"] = str(uuid.uuid5(NAMESPACE, "%s/1/%d/%d/equivocation" % (self.name, seq, position)))
        self.approve(event, received)
        claims.append((len(self.leaves), prints[number >= 4], number >= 4))
        self.seal(leaf, seq, position, event.record)
        return []

    def judge(self, event):
        """What SPEC-verdicts adds between 3 and 4 of 4.8."""

    def approve(self, event, received):
        """What it adds before the entry is sealed."""


class Whole(Raw):
    """The text of a record that is refused, in place of its event."""
