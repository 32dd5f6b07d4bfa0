"""What a verifier checks of keys, signatures and approvals in a whole log under rules 4 (SPEC-rules4 10, points 1 to 8)."""
import json

import rules
import seal

LEAF = {  # the members of SPEC 2 and their kinds, as far as the vectors need them
    "v": int, "log": str, "index": int, "previous_hash": rules.HASH, "entry_id": str, "timestamp": str, "received_at": str,
    "event_type": str, "agent_did": str, "input_epoch": int, "input_seq": int, "position": int}
MORE = {"cloudevent_type": str, "resource": str, "action": str, "outcome": str, "policy_decision": str, "matched_rule": str,
        "trace_id": str, "session_id": str, "target_did": str, "agent_seq": int, "agent_prev": rules.HASH, "signature": str,
        "extensions": dict, "data_hash": rules.HASH, "redactions": list, "publisher": str, "detail": dict}
SIGNATURE = "verified|verified_foreign|altered|unknown_key|invalid|revoked|unregistered|replayed"
APPROVAL = "equivocation|malformed|mismatched|requested|unknown|denied|expired|used|unverified|valid"
NEW = {**{member: form for member, (_, form) in rules.MOVED.items()}, "record_hash": rules.HASH, "altered": True,
       "signature_status": SIGNATURE, "key_entry": int, "material_key": rules.KEY_ID, "approval_status": APPROVAL}


def fault(text):
    """Why a text is no leaf (SPEC 2, SPEC-rules4 3 and 4.1), or None."""
    try:
        leaf = json.loads(text, object_pairs_hook=rules.unique)
    except ValueError:
        return "not JSON"
    if not isinstance(leaf, dict) or rules.canonical(leaf) != text:
        return "not canonical"
    new = "blind" in leaf
    forms = {**LEAF, **MORE, **({"blind": "[0-9a-f]{32}", **NEW} if new else {})}
    for name, value in leaf.items():
        form = forms.get(name)
        if form is None:
            return "unknown member %s" % name
        if form is True and value is not True or form in (int, str, dict, list) and type(value) is not form or \
                form is str and not value or isinstance(form, str) and not (isinstance(value, str) and rules.has_form(form, value)):
            return "%s does not have its form" % name
    if set(LEAF) - set(leaf):
        return "a required member is missing"
    own = leaf["event_type"].startswith("sealstream.") and leaf["event_type"] != "sealstream.equivocation"
    if own and set(leaf) & set(NEW):
        return "a member that only entries of events have"
    if "altered" in leaf and ("redactions" not in leaf or "signature" in leaf or "record_hash" in leaf):
        return "altered, but with a signature or a record_hash, or without redactions"
    for name, value in leaf.get("extensions", {}).items() if new else ():
        form = dict(rules.LEAVING, **dict(rules.MOVED.values())).get(name)
        if form and rules.has_form(form, value):
            return "%s should have left extensions" % name
    return None


class Wrong(Exception):
    pass


def require(good, why):
    if not good:
        raise Wrong(why)


def entry(state, leaf, record, config):
    """Checks what an entry states by the entries before it. record is None if it was erased, or never was."""
    kind = leaf["event_type"][len("sealstream."):] if leaf["event_type"].startswith("sealstream.") else "event"
    if kind.startswith("key."):
        own_form(kind, leaf["detail"])
        require(leaf["detail"].get("suspect_since", 0) <= max(leaf["index"] - 1, 0), "suspect_since")
        reason = state.refuses_key(kind[len("key."):], leaf["detail"])
        require(reason is None, reason)
    elif kind in seal.ROLES:
        own_form(kind, leaf["detail"])
        require(leaf["detail"]["role"] in seal.ROLES[kind], "role")
        reason = state.refuses_service(kind, leaf["detail"], leaf.get("publisher"), leaf["index"])
        require(reason is None, reason)
    elif kind in ("event", "equivocation"):
        signature(state, leaf, record)
        if any(seal.matches(p, leaf["agent_did"]) for p in config.get("require_signatures", ())):
            require(leaf.get("signature_status") == "verified", "a signature is required")
        gone = "record_hash" in leaf and record is None
        if gone and leaf.get("approval_status") in ("malformed", "mismatched"):
            return
        if gone:  # lines 2 and 3 need the record: take one that passes them
            record = {"action_salt": "00" * 32}
        status = state.approval(leaf, record, trusted=gone)
        require(leaf.get("approval_status") == status, "approval_status is %s" % status)


def own_form(kind, detail):
    try:
        seal.check_form(kind, detail)
    except seal.Refused as refused:
        raise Wrong(str(refused)) from None


def signature(state, leaf, record):
    stated, key = leaf.get("signature_status"), leaf.get("material_key")
    newest = state.key_entry.get(leaf["agent_did"]) if stated else None
    require(leaf.get("key_entry") == newest, "key_entry is %s" % newest)
    if "altered" in leaf:
        require(stated in (None, "altered") and key is None, "altered")
    elif "signature" not in leaf and "record_hash" in leaf and record is None:
        erased(state, leaf["agent_did"], stated, key)
    else:
        status, material = state.signature(leaf, record)
        require((stated, key) == (None if status == "absent" else status, material), "signature_status is %s" % status)


def erased(state, agent, stated, key):
    if key is None:
        require(stated in (None, "invalid", "unknown_key"), "no material_key")
        return
    pair = state.pairs.get((agent, key))
    given = "verified_foreign" if isinstance(pair, rules.Seen) else pair or "unregistered"
    require(state.known(agent, key) and stated in ("invalid", given), "signature_status is %s" % given)


def log(origin, leaves, records):
    """(first bad index, why), or None. records are by index; those of erased entries are missing."""
    state, config, under = rules.State(origin), {}, False
    for index, text in enumerate(leaves):
        why = fault(text)
        leaf, record = json.loads(text), records.get(index)
        try:
            require(why is None, why)
            require(("blind" in leaf) == under, "blind")
            record = json.loads(record) if record else None
            if record:
                require(rules.record_hash(record) == leaf.get("record_hash"), "record_hash")
            if under:
                entry(state, leaf, record, config)
        except Wrong as wrong:
            return index, str(wrong)
        state.note(leaf, rules.sha256(b"\0" + text.encode()).hex())
        if leaf["event_type"] == "sealstream.config":
            config, under = leaf["detail"], leaf["detail"]["rules"] >= 4
    return None
