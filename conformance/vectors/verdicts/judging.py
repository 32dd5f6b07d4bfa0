"""The sealer of ../rules4/seal.py with verdicts (SPEC-verdicts), and what an agent does (11.4)."""
import base64
import copy
import json

import keyed
from state import State

import ed25519
import forms
import rules
import seal
from forms import INDEX, Refused

NINE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"
SIGNATURE = ".{86}=="
REQUEST = {"role": "query", "request": rules.HASH, "request_index": INDEX, "access": INDEX}
AGENT = {"agent": 4096, "key": rules.KEY_ID, "previous?": INDEX}
KEYS = {
    "key.register": {**AGENT, "after_seq": int, "proof": SIGNATURE},
    "key.rotate": {**AGENT, "replaces": rules.KEY_ID, "after_seq": int, "proof": SIGNATURE, "old_proof?": SIGNATURE, "by_admin?": True},
    "key.revoke": {**AGENT, "reason": 4096, "suspect_since?": INDEX}}
DETAILS = {**forms.DETAILS, **KEYS, "approval.granted": {**REQUEST, "expires_at": NINE}, "approval.denied": REQUEST}
ROLES = {**forms.ROLES, "approval.granted": ("query",), "approval.denied": ("query",)}


def check_detail(kind, detail, index):
    """The form of the detail of a key entry or of a decision."""
    forms.check_form(kind, detail, index, DETAILS)
    if kind == "key.rotate" and ("old_proof" in detail) == ("by_admin" in detail):
        raise Refused("either old_proof or by_admin", "data")


def matches(pattern, source):
    """9.1"""
    return source.startswith(pattern[:-1]) if pattern.endswith("*") else source == pattern


class Log(seal.Log):
    """A log and its only sealer, which judges once the config says so."""

    state = None

    @property
    def judges(self):
        return bool(self.config) and "verdicts" in self.config

    @property
    def details(self):
        return DETAILS if self.judges else forms.DETAILS

    @property
    def roles(self):
        return ROLES if self.judges else forms.ROLES

    @property
    def place(self):
        return self.state.place

    def judge_all(self, **more):
        """A config of rules 4 with verdicts."""
        return self.configure(4, verdicts=True, **more)

    def note(self, leaf, entry_hash):
        super().note(leaf, entry_hash)
        if self.state is None:
            self.state = State(self.origin, entry_hash)
        self.state.note(leaf, entry_hash)

    def other_control(self, seq, kind, detail):
        if not self.judges or kind not in KEYS:
            raise Refused("no control event", "type")
        try:
            detail = forms.strict(seal.compact(detail))
        except ValueError as wrong:
            raise Refused(str(wrong)) from None
        check_detail(kind, detail, len(self.leaves))
        reason = self.state.refuses_key(kind[len("key."):], detail)
        if reason:
            raise Refused(reason, "data")
        self.own(kind, seq, 0, detail)

    def check_service(self, kind, detail, publisher):
        super().check_service(kind, detail, publisher)
        if kind.startswith("approval."):
            reason = self.state.refuses_decision(kind, detail, publisher, len(self.leaves))
            if reason:
                raise Refused(reason, "data")

    def judge(self, event):
        """Steps 4 and 5 of 12.1."""
        if not self.judges:
            return
        leaf = event.leaf
        verdict, key = self.state.signature(leaf, event.record) if event.signed else ("absent", None)
        if any(matches(p, leaf["agent_did"]) for p in self.config.get("require_signatures", ())):
            if verdict != "verified":
                raise Refused("the signature is %s" % verdict, "agentsignature")
            if ("action_type" in leaf or "approval" in leaf) and "action_digest" in leaf and \
                    keyed.own_digest(leaf, event.record) != leaf["action_digest"]:
                raise Refused("the salt does not open the action digest", "actionsalt")
        if verdict != "absent":
            leaf["signature_status"] = verdict
            if leaf["agent_did"] in self.state.key_entry:
                leaf["key_entry"] = self.state.key_entry[leaf["agent_did"]]
        if key:
            leaf["material_key"] = key

    def approve(self, event, received):
        """Step 7."""
        if self.judges:
            status = self.state.approval({**event.leaf, "index": len(self.leaves), "received_at": received}, event.record)
            if status:
                event.leaf["approval_status"] = status


class Agent:
    """An agent's process, with a key of its own."""

    def __init__(self, log, source, seed):
        self.log, self.source, self.seed, self.number, self.link = log, source, seed, 0, "0" * 64
        self.public = ed25519.public_key(seed)
        self.key = keyed.key_id(self.public)

    def proof(self, kind, detail):
        return base64.b64encode(ed25519.sign(self.seed, self.log.place.proof_bytes(kind, detail))).decode()

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

    def revocation(self, **more):
        detail = {"agent": self.source, "key": self.key, "reason": "lost", **more}
        if self.source in self.log.state.key_entry and "previous" not in more:
            detail["previous"] = self.log.state.key_entry[self.source]
        return detail

    def event(self, id, data=None, number=None, **attributes):
        """A signed event. number replaces the next one."""
        event = {"specversion": "1.0", "id": id, "source": self.source, "type": "ai.agentmesh.tool.invoked",
                 "time": "2026-12-01T07:59:59.5Z", **attributes}
        self.number = self.number + 1 if number is None else number
        event.update(agentkey=self.key, agentseq=str(self.number), agentprev=self.link)
        if data is not None:
            event.update(datasalt=keyed.senders_salt(b"s" * 32, self.source, id, seal.compact(data).encode()).hex(), data=data)
        return self.sign(event)

    def sign(self, event):
        leaf = self.unsealed(event)
        message = self.log.place.signed_bytes(leaf)
        signature = ed25519.sign(self.seed, message)
        self.link = rules.sha256(message + signature).hex()
        return {**event, "agentsignature": base64.b64encode(signature).decode()}

    def unsealed(self, event):
        """The members that an event gives to its leaf."""
        made = seal.Event(event, 4)
        if made.data is not None:
            made.leaf["data_hash"] = rules.data_hash(made.salt, made.data)
        return made.leaf


def material(seed, leaf, record, names=(), key=None, payload=None, kind=keyed.FOREIGN, alphabet=base64.b64encode):
    """dssematerial for an event, by the key of a seed."""
    leaf = copy.deepcopy(leaf)
    if names:
        leaf.setdefault("extensions", {})["signedextattrs"] = ",".join(names)
    payload = payload or keyed.foreign_digest({"received_at": "", **leaf}, record)
    value = {"payload": alphabet(payload).decode(), "payloadType": kind, "signatures": [signature(seed, payload, key, kind, alphabet)]}
    return wrapped(value)


def signature(seed, payload, key=None, kind=keyed.FOREIGN, alphabet=base64.b64encode):
    """One of the signatures of dssematerial."""
    raw = ed25519.sign(seed, keyed.pae(kind, payload))
    return {"keyid": key or keyed.key_id(ed25519.public_key(seed)), "sig": alphabet(raw).decode()}


def wrapped(value):
    """Base64 of a value as JSON, or of a text."""
    return base64.b64encode((value if isinstance(value, str) else seal.compact(value)).encode()).decode()


def unwrapped(text):
    return json.loads(base64.b64decode(text))
