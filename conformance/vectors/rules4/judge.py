"""What a verifier checks of a log under rules 4 in addition (SPEC-rules4 6), points 1 to 5 and the form of leaves."""
import json

import forms
import rules
from redaction import claimed

LEAF = {  # the members of SPEC 2 and their kinds, as far as the vectors need them
    "v": int, "log": str, "index": int, "previous_hash": rules.HASH, "entry_id": str, "timestamp": str, "received_at": str,
    "event_type": str, "agent_did": str, "input_epoch": int, "input_seq": int, "position": int}
MORE = {"cloudevent_type": str, "resource": str, "action": str, "outcome": str, "policy_decision": str, "matched_rule": str,
        "trace_id": str, "session_id": str, "target_did": str, "agent_seq": int, "agent_prev": rules.HASH, "signature": str,
        "extensions": dict, "data_hash": rules.HASH, "redactions": list, "publisher": str, "detail": dict}
SIGNATURE = "verified|verified_foreign|altered|unknown_key|invalid|revoked|unregistered|replayed"
APPROVAL = "equivocation|malformed|mismatched|requested|unknown|denied|expired|used|unverified|valid"
JUDGED = {"signature_status": SIGNATURE, "key_entry": int, "material_key": rules.KEY_ID, "approval_status": APPROVAL}
NEW = {**{member: form for member, (_, form) in rules.MOVED.items()}, "record_hash": rules.HASH, "altered": True, **JUDGED}


class Wrong(Exception):
    pass


def require(good, why):
    if not good:
        raise Wrong(why)


def kind_of(leaf):
    """The kind of one of the log's own entries, or None for the entry of an event."""
    prefix, _, kind = leaf["event_type"].partition(".")
    return kind if prefix == "sealstream" and kind != "equivocation" else None


def members(leaf):
    """The members of a leaf and their forms (SPEC 2, 3)."""
    new = "blind" in leaf
    kinds = {**LEAF, **MORE, **({"blind": "[0-9a-f]{32}", **NEW} if new else {})}
    for name, value in leaf.items():
        form = kinds.get(name)
        require(form is not None, "unknown member %s" % name)
        good = value is True if form is True else type(value) is form and value != "" if isinstance(form, type) else \
            isinstance(value, str) and rules.has_form(form, value)
        require(good, "%s does not have its form" % name)
    require(not set(LEAF) - set(leaf), "a required member is missing")
    require(not kind_of(leaf) or not set(leaf) & set(NEW), "a member that only entries of events have")
    require("key_entry" not in leaf or "signature_status" in leaf, "key_entry without signature_status")
    if "altered" in leaf:
        require("redactions" in leaf and "signature" not in leaf and "record_hash" not in leaf,
                "altered, but with a signature or a record_hash, or without redactions")


def extensions(leaf):
    """4.1: what should not be there."""
    for name, value in leaf.get("extensions", {}).items():
        for member, (attribute, form) in rules.MOVED.items():
            require(name != attribute or member not in leaf and not rules.has_form(form, value), "%s should have moved" % name)
        require(name not in rules.LEAVING or not value, "%s should have left the leaf" % name)
        require(name != "redactions" or not claimed(value), "redactions should have moved")


def service(leaf, details, roles):
    """The form of an entry that a service wrote (5)."""
    kind = kind_of(leaf)
    if kind not in roles:
        return
    require("blind" in leaf, "an entry of rules 4 without blind")
    try:
        forms.check_form(kind, leaf.get("detail"), leaf["index"], details)
    except forms.Refused as refused:
        raise Wrong(str(refused)) from None
    require(leaf["detail"]["role"] in roles[kind], "not a role that may write it")
    require(kind not in forms.REQUIRES_TEXT or "data_hash" in leaf, "its text is required")
    require(kind not in forms.REQUIRES_PUBLISHER or "publisher" in leaf, "its publisher is required")


def fault(text, details=forms.DETAILS, roles=forms.ROLES):
    """Why a text is no leaf (SPEC 2, SPEC-rules4 3, 4.1 and 5), or None."""
    try:
        leaf = json.loads(text, object_pairs_hook=forms.unique)
        require(isinstance(leaf, dict) and rules.canonical(leaf) == text, "not canonical")
        members(leaf)
        if "blind" in leaf:
            extensions(leaf)
        service(leaf, details, roles)
    except (ValueError, Wrong) as wrong:
        return str(wrong)
    return None


class Judge:
    """The checks of a whole log, entry by entry."""

    details, roles = forms.DETAILS, forms.ROLES

    def __init__(self, origin):
        self.origin, self.config, self.access = origin, {}, {}
        self.missing = set()  # indexes of entries whose record is missing, and that no erasure names yet

    def record(self, leaf, record):
        """Point 4. record is None if it was erased, or never was."""
        if record is None and ("data_hash" in leaf or "record_hash" in leaf):
            self.missing.add(leaf["index"])
        if record is not None:
            require(rules.record_hash(record) == leaf.get("record_hash"), "record_hash")
            require((rules.data_of(record) is not None) == ("data_hash" in leaf), "data without data_hash, or the other way round")
            data = rules.data_of(record)
            if data is not None:
                require(rules.data_hash(bytes.fromhex(record["salt"]), data) == leaf["data_hash"], "data_hash")
            if kind_of(leaf) in self.roles:
                require(data is not None and 1 <= len(data) <= 262144, "not a text")

    def verdicts(self, leaf, record):
        """Point 2."""
        require(not set(leaf) & set(JUDGED), "a verdict, but the config has no verdicts")

    def config_entry(self, leaf):
        try:
            forms.check_config(leaf["detail"])
        except forms.Refused as refused:
            raise Wrong(str(refused)) from None
        require(leaf["detail"]["rules"] >= self.config.get("rules", 1), "rules are lowered")
        require("verdicts" in leaf["detail"] or "verdicts" not in self.config, "verdicts cannot be turned off")
        self.known(leaf["detail"])

    def known(self, detail):
        require("verdicts" not in detail, "verdicts need a newer release")

    def entry(self, leaf, record, entry_hash):
        require(("blind" in leaf) == (self.config.get("rules", 1) >= 4), "blind")
        require("altered" not in leaf or "redaction" in self.config, "altered, but nothing is redacted")
        self.record(leaf, record)
        if "blind" in leaf:
            self.verdicts(leaf, record)
        if kind_of(leaf) == "access":
            role = leaf["detail"]["role"]
            require(leaf["detail"].get("previous") == self.access.get(role), "previous is not the newest one of the role")
            self.access[role] = leaf["index"]
        if kind_of(leaf) == "erasure":
            self.missing -= set(leaf["detail"]["indexes"])
        if kind_of(leaf) == "config":
            self.config_entry(leaf)
            self.config = leaf["detail"]


def log(origin, leaves, records, judge=Judge):
    """(first bad index, why), or None. records are by index."""
    judges = judge(origin)
    for index, text in enumerate(leaves):
        why, record = fault(text, judges.details, judges.roles), records.get(index)
        if why:
            return index, why
        try:
            judges.entry(json.loads(text), json.loads(record) if record else None, rules.sha256(b"\0" + text.encode()).hex())
        except Wrong as wrong:
            return index, str(wrong)
    return (min(judges.missing), "a record is missing") if judges.missing else None
