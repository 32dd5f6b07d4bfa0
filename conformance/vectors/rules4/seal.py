"""A small sealer by docs/SPEC.md and docs/SPEC-rules4.md, for the vectors: it reads structured events only, redacts nothing
but private fields, and lets each message be a batch. Section numbers are those of SPEC-rules4; SPEC n is docs/SPEC.md."""
import base64
import copy
import hashlib
import json
import re
import uuid

import ed25519
import rules

NAMESPACE = uuid.UUID("6f8f8e0e-6f0c-5c0e-9d0a-7365616c7374")
LIMITS = {"attribute_bytes": 4096, "data_bytes": 262144, "data_depth": 32, "leaf_bytes": 65535, "message_bytes": 921600,
          "message_events": 256, "window": 1048576}
NINE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"
CONTROL = ("config", "key.register", "key.rotate", "key.revoke")
TYPES = {"ai.agentmesh.tool.invoked": "tool_invocation"}  # of SPEC 3.3, what occurs in the vectors

# The members of details: name, form, whether required. A form is a pattern of a string, int, or True.
TEXT = r"(?s).{1,256}"
DETAILS = {
    "access": {"role": TEXT, "process": TEXT, "previous?": int},
    "read": {"role": TEXT, "access?": int, "call": r"(?s).{1,64}", "kind": "export|payload|admin", "route": TEXT, "count?": int,
             "first?": int, "last?": int, "size?": int},
    "approval.granted": {"role": "query", "request": rules.HASH, "request_index": int, "access": int, "expires_at": NINE},
    "approval.denied": {"role": "query", "request": rules.HASH, "request_index": int, "access": int},
    "key.register": {"agent": r"(?s).{1,4096}", "key": rules.KEY_ID, "after_seq": int, "previous?": int, "proof": r".{88}"},
    "key.rotate": {"agent": r"(?s).{1,4096}", "key": rules.KEY_ID, "replaces": rules.KEY_ID, "after_seq": int, "previous?": int,
                   "proof": r".{88}", "old_proof?": r".{88}", "by_admin?": True},
    "key.revoke": {"agent": r"(?s).{1,4096}", "key": rules.KEY_ID, "reason": r"(?s).{1,4096}", "previous?": int,
                   "suspect_since?": int},
}
ROLES = {"access": ("ingest", "query", "alert"), "read": ("ingest", "query", "alert"), "approval.granted": ("query",),
         "approval.denied": ("query",)}


class Refused(Exception):
    def __init__(self, reason, field=None):
        super().__init__(reason)
        self.field = field


def compact(value):
    """JSON without white space, members in their order. It is how the vectors write events and data."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def token(source):
    return base64.b32encode(rules.sha256(source.encode())).decode().lower()[:26]


def check_form(kind, detail):
    """The form of a detail."""
    if not isinstance(detail, dict):
        raise Refused("detail is not an object")
    known = {name.rstrip("?"): (form, not name.endswith("?")) for name, form in DETAILS[kind].items()}
    for name, (form, required) in known.items():
        value = detail.get(name)
        if value is None and not required:
            continue
        good = value is True if form is True else type(value) is int and value >= 0 if form is int else \
            isinstance(value, str) and rules.has_form(form, value)
        if not good:
            raise Refused("%s of %s does not have its form" % (name, kind))
    if set(detail) - set(known):
        raise Refused("unknown member")
    if kind == "key.rotate" and ("old_proof" in detail) == ("by_admin" in detail):
        raise Refused("either old_proof or by_admin")
    if kind == "read" and ("first" in detail) != ("last" in detail) or detail.get("first", 0) > detail.get("last", 2**53):
        raise Refused("not a range")


class Event:
    """A structured event: the members of its leaf, and what goes beside it."""

    def __init__(self, raw, number, private=()):
        self.salt = self.data = None
        self.beside, other, self.leaf = {}, {}, {}
        event = dict(raw)
        data = event.pop("data", None)
        if data is not None:
            self.data = compact(data).encode()
        self.signed = bool(event.get("agentsignature") or event.get("dssematerial"))
        hidden = {name: event.pop(name) for name in private if name in event}
        names = {attribute: member for member, attribute in rules.OLDER.items()}
        if number >= 4:
            names.update({attribute: member for member, (attribute, _) in rules.MOVED.items()})
        for name, value in event.items():
            if name == "specversion":
                continue
            if name == "time":
                self.leaf["timestamp"] = value
            elif name == "datasalt":
                self.salt = bytes.fromhex(value) if self.data is not None else None
            elif number >= 4 and name in rules.LEAVING and rules.has_form(rules.LEAVING[name], value):
                self.beside["action_salt" if name == "actionsalt" else name] = value
            elif name in names and rules.has_form(rules.MOVED.get(names[name], (0, rules.STRING))[1], value):
                self.leaf[names[name]] = int(value) if name == "agentseq" else value
            else:
                other[name] = value
        if hidden:
            self.hide(hidden, number)
        for name in ("entry_id", "agent_did", "cloudevent_type"):
            if name not in self.leaf:
                raise Refused("required", rules.OLDER[name])
        kind = self.leaf["cloudevent_type"]
        self.leaf["event_type"] = TYPES.get(kind) or re.sub(r"^ai\.agentmesh\.(?=.)", "", kind)
        if (self.leaf["event_type"] + ".").startswith("sealstream."):
            raise Refused("reserved for the log itself", "type")
        if other:
            self.leaf["extensions"] = other

    def hide(self, hidden, number):
        """SPEC 13.3, and what 4.4 makes of a signed event."""
        held = {"data": json.loads(self.data)} if self.data is not None else {}
        self.data = compact({**held, "private": dict(sorted(hidden.items()))}).encode()
        self.leaf["redactions"] = [{"kind": "private", "path": "/" + name} for name in sorted(hidden)]
        if number >= 4:
            self.leaf["altered"] = True
            self.leaf.pop("signature", None)
            self.beside = {}


class Log:
    """A log and its only sealer."""

    def __init__(self, name="default", secret=bytes(range(32)), seed=bytes([7] * 32)):
        self.name, self.secret = name, secret
        public = ed25519.public_key(seed)
        self.origin = "log.example/%s/%s" % (name, rules.sha256(public).hex()[:8])
        raw = b"\1" + public
        ident = rules.sha256(self.origin.encode() + b"\n" + raw)[:4].hex()
        self.vkey = "%s+%s+%s" % (self.origin, ident, base64.b64encode(raw).decode())
        self.state = rules.State(self.origin)
        self.messages, self.leaves, self.records = [], [], {}
        self.window = {}  # (source, id): [(index, fingerprint, the rules of the entry)]
        self.config, self.config_index = None, 0
        self.before = {"index": 0, "hash": "0" * 64}

    # ---- what is published

    def time(self, seq):
        return "2026-12-01T08:%02d:%02d.%09dZ" % (seq // 60 % 60, seq % 60, seq)

    def publish(self, subject, body):
        """Seals one message. Returns the indexes of its entries."""
        seq, first = len(self.messages) + 1, len(self.leaves)
        text = compact(body)
        self.messages.append({"subject": "audit.%s.%s" % (self.name, subject), "headers": [], "body": text, "seq": seq,
                              "time": self.time(seq)})
        kind, _, last = subject.partition(".")
        if kind == "control":
            self.one(seq, 0, compact(body), None, lambda: self.control(seq, body))
        elif kind == "events":
            publisher = "subject:" + last if self.rules() >= 4 and last != "open" else None
            self.events(seq, [(body, publisher)], last)
        elif kind == "batch":
            self.events(seq, [(record["event"], record.get("publisher")) for record in body], None)
        elif kind == "service" and self.rules() >= 4 and last in ("ingest", "query", "alert"):
            for position, record in enumerate(body):
                self.one(seq, position, compact(record["event"]), record.get("publisher"),
                         lambda: self.service(seq, position, last, record))
        else:
            self.rejected(seq, 0, text, None, Refused("not a subject of this log's EVENTS"))
        return list(range(first, len(self.leaves)))

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

    def serve(self, role, kind, detail, text=None, publisher=None):
        """A service event."""
        data = {"detail": detail} if text is None else {"detail": detail, "text": text}
        record = {"event": {"specversion": "1.0", "id": "s", "source": "service", "type": "sealstream." + kind, "data": data}}
        return self.publish("service." + role, [{**record, "publisher": publisher} if publisher else record])[0]

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
        if self.rules() >= 4:
            kind = leaf["event_type"][len("sealstream."):] if leaf["event_type"].startswith("sealstream.") else "event"
            leaf["blind"] = rules.blind(self.secret, 1, seq, position, kind)
        self.leaves.append(rules.canonical(leaf))
        if record:
            self.records[leaf["index"]] = rules.canonical({**record, "index": leaf["index"]})
        self.state.note(leaf, self.hash(leaf["index"]))
        return leaf

    def own(self, kind, seq, position, detail, data=None, publisher=None, redactions=None):
        """Seals an entry of the log's own. data gives its data, of entry_id."""
        name = "%s/1/%d/%d/%s" % (self.name, seq, position, kind)
        leaf = {"event_type": "sealstream." + kind, "entry_id": str(uuid.uuid5(NAMESPACE, name)), "agent_did": self.origin,
                "timestamp": self.time(seq), "detail": detail}
        if publisher:
            leaf["publisher"] = publisher
        if redactions:
            leaf["redactions"] = redactions
        record = None
        if data is not None:
            if self.rules() >= 4:
                salt = rules.own_salt(self.secret, kind, leaf["entry_id"], data)
            else:  # SPEC 5.2
                salt = rules.mac(self.secret, rules.lp("sealstream." + kind), rules.lp(leaf["entry_id"]), rules.lp(rules.sha256(data)))
            if kind == "rejected":
                detail["digest"] = rules.data_hash(salt, data)
                data = data[:4096]
            leaf["data_hash"] = rules.data_hash(salt, data)
            record = {"data_raw": data.decode(), "salt": salt.hex()}
        return self.seal(leaf, seq, position, record)

    def rejected(self, seq, position, whole, publisher, refused):
        detail = {"reason": str(refused), "size": len(whole.encode()), "subject": self.messages[-1]["subject"]}
        if refused.field:
            detail["field"] = refused.field
        self.own("rejected", seq, position, detail, whole.encode(), publisher)

    def control(self, seq, event):
        kind, detail = event["type"][len("sealstream."):], event["data"]
        if kind not in CONTROL or kind != "config" and self.rules() < 4:
            raise Refused("no control event", "type")
        if kind == "config":
            if self.config and (detail["rules"] < self.rules() or detail.get("previous") != self.config_index):
                raise Refused("not a successor of the newest config")
            if "require_signatures" in detail and detail["rules"] < 4:
                raise Refused("unknown member", "require_signatures")
            self.own("config", seq, 0, detail)
            self.config, self.config_index = detail, len(self.leaves) - 1
            return
        check_form(kind, detail)
        if detail.get("suspect_since", 0) > len(self.leaves) - 1:
            raise Refused("suspect_since is not sealed yet")
        reason = self.state.refuses_key(kind[len("key."):], detail)
        if reason:
            raise Refused(reason)
        self.own(kind, seq, 0, detail)

    def service(self, seq, position, role, record):
        event = record["event"]
        kind = event["type"][len("sealstream."):] if event.get("type", "").startswith("sealstream.") else None
        if role not in ROLES.get(kind, ()):
            raise Refused("not a type that %s may write" % role, "type")
        if not event.get("id") or not event.get("source") or set(event) - {"specversion", "id", "source", "type", "time", "data"}:
            raise Refused("not a service event")
        data = event.get("data")
        if not isinstance(data, dict) or set(data) - {"detail", "text"} or "text" not in data and kind == "access" or data.get("text") == "":
            raise Refused("not the data of a service event", "data")
        check_form(kind, data.get("detail"))
        if data["detail"]["role"] != role:
            raise Refused("another role")
        reason = self.state.refuses_service(kind, data["detail"], record.get("publisher"), len(self.leaves))
        if reason:
            raise Refused(reason)
        text = data["text"].encode() if "text" in data else None
        self.own(kind, seq, position, data["detail"], text, record.get("publisher"))

    # ---- events, in the order of 8.1

    def events(self, seq, events, last):
        originals = []
        for position, (event, publisher) in enumerate(events):
            self.one(seq, position, compact(event), publisher,
                     lambda: originals.extend(self.event(seq, position, event, publisher, last)))
        if originals:
            self.own("duplicate", seq, len(events), {"originals": originals})

    def event(self, seq, position, raw, publisher, last):
        number, received = self.rules(), self.time(seq)
        private = self.config.get("redaction", {}).get("private_fields", ())
        if last not in (None, "open") and token(raw.get("source", "")) != last:
            raise Refused("its agent token is not the one of the subject it was published on", "source")
        event, older = Event(raw, number, private), Event(raw, min(number, 3), private)
        for each in (event, older):
            self.finish(each, received, publisher)
        claims = self.window.setdefault((event.leaf["agent_did"], event.leaf["entry_id"]), [])
        prints = {True: rules.fingerprint(event.leaf), False: rules.fingerprint(older.leaf)}
        for index, known, new in reversed(claims):
            if known == prints[new]:
                return [{"index": index, "position": position}]
        if number >= 4 and measure(event.leaf) > 65535:
            raise Refused("the attributes make a leaf that is too long")
        leaf = event.leaf
        if number >= 4:
            verdict, key = self.state.signature(leaf, event.record) if event.signed else ("absent", None)
            if verdict != "verified" and any(matches(p, leaf["agent_did"]) for p in self.config.get("require_signatures", ())):
                raise Refused("the signature is %s" % verdict, "agentsignature")
            leaf.update({name: value for name, value in (
                ("signature_status", None if verdict == "absent" else verdict), ("material_key", key),
                ("key_entry", None if verdict == "absent" else self.state.key_entry.get(leaf["agent_did"]))) if value is not None})
        if claims:
            leaf["detail"] = {"entry_id": leaf["entry_id"], "event_type": leaf["event_type"], "original": claims[-1][0]}
            leaf["event_type"] = "sealstream.equivocation"
            name = "%s/1/%d/%d/equivocation" % (self.name, seq, position)
            leaf["entry_id"] = str(uuid.uuid5(NAMESPACE, name))
        if number >= 4:
            status = self.state.approval({**leaf, "index": len(self.leaves), "received_at": received}, event.record)
            if status:
                leaf["approval_status"] = status
        claims.append((len(self.leaves), prints[number >= 4], number >= 4))
        self.seal(leaf, seq, position, event.record)
        return []

    def finish(self, event, received, publisher):
        """Adds what the place in EVENTS gives, and makes the record."""
        leaf, event.record = event.leaf, None
        leaf.setdefault("timestamp", received)
        leaf["received_at"] = received
        if publisher:
            leaf["publisher"] = publisher
        if event.data is None and not event.beside:
            return
        derived = rules.mac(self.secret, rules.lp(leaf["agent_did"]), rules.lp(leaf["entry_id"]), rules.lp(rules.sha256(event.data or b"")))
        event.record = {**event.beside, "salt": (event.salt or derived).hex()}
        if event.data is not None:
            leaf["data_hash"] = rules.data_hash(bytes.fromhex(event.record["salt"]), event.data)
            event.record["data_raw"] = event.data.decode()
        commitment = rules.record_hash(event.record)
        if commitment:
            leaf["record_hash"] = commitment


def matches(pattern, source):
    return source.startswith(pattern[:-1]) if pattern.endswith("*") else source == pattern


def measure(leaf):
    """The widest leaf of an event (4.5)."""
    wide, leaf = 10**15, {name: value for name, value in leaf.items() if name not in rules.ADDED}
    given = leaf["timestamp"] if leaf["timestamp"] != leaf.get("received_at") else "2006-01-02T15:04:05.000000000Z"
    leaf.update(v=1, log="x" * 32, publisher="x" * 256, index=wide, input_epoch=wide, input_seq=wide, position=wide,
                previous_hash="0" * 64, received_at="2006-01-02T15:04:05.000000000Z", timestamp=given,
                detail={"entry_id": leaf["entry_id"], "event_type": leaf["event_type"], "original": wide})
    leaf.update(event_type="sealstream.equivocation", entry_id="x" * 36)
    return len(rules.canonical(leaf).encode()) + 305


# ---- What an agent does (7)

class Agent:
    """An agent's process, with a key of its own."""

    def __init__(self, log, source, seed):
        self.log, self.source, self.seed, self.number, self.link = log, source, seed, 0, "0" * 64
        self.public = ed25519.public_key(seed)
        self.key = rules.key_id(self.public)

    def proof(self, kind, detail):
        return base64.b64encode(ed25519.sign(self.seed, rules.proof_bytes(kind, detail, self.log.origin))).decode()

    def registration(self, after_seq=0, **more):
        detail = {"agent": self.source, "key": self.key, "after_seq": after_seq, **more}
        if "previous" not in detail and self.source in self.log.state.key_entry:
            detail["previous"] = self.log.state.key_entry[self.source]
        return {**detail, "proof": self.proof("register", detail)}

    def rotation(self, new, by_admin=False):
        detail = {"agent": self.source, "key": new.key, "replaces": self.key, "after_seq": 0,
                  "previous": self.log.state.key_entry[self.source]}
        more = {"by_admin": True} if by_admin else {"old_proof": self.proof("rotate", detail)}
        return {**detail, **more, "proof": new.proof("rotate", detail)}

    def event(self, id, data=None, number=None, **attributes):
        """A signed event. number replaces the next one."""
        event = {"specversion": "1.0", "id": id, "source": self.source, "type": "ai.agentmesh.tool.invoked",
                 "time": "2026-12-01T07:59:59.5Z", **attributes}
        self.number = self.number + 1 if number is None else number
        event.update(agentkey=self.key, agentseq=str(self.number), agentprev=self.link)
        if data is not None:
            event.update(datasalt=rules.senders_salt(b"s" * 32, self.source, id, compact(data).encode()).hex(), data=data)
        return self.sign(event)

    def sign(self, event):
        leaf = self.unsealed(event)
        message = rules.signed_bytes(leaf, self.log.origin)
        signature = ed25519.sign(self.seed, message)
        self.link = rules.sha256(message + signature).hex()
        return {**event, "agentsignature": base64.b64encode(signature).decode()}

    def unsealed(self, event):
        """The members that an event gives to its leaf."""
        made = Event(event, 4)
        if made.data is not None:
            made.leaf["data_hash"] = rules.data_hash(made.salt, made.data)
        return made.leaf


def material(seed, leaf, record, names=(), key=None, payload=None, kind=rules.FOREIGN, alphabet=base64.b64encode):
    """dssematerial for an event, by the key of a seed."""
    leaf = copy.deepcopy(leaf)
    if names:
        leaf.setdefault("extensions", {})["signedextattrs"] = ",".join(names)
    payload = payload or rules.foreign_digest({"received_at": "", **leaf}, record)
    signature = ed25519.sign(seed, rules.pae(kind, payload))
    value = {"payload": alphabet(payload).decode(), "payloadType": kind,
             "signatures": [{"keyid": key or rules.key_id(ed25519.public_key(seed)), "sig": alphabet(signature).decode()}]}
    return base64.b64encode(compact(value).encode()).decode()
