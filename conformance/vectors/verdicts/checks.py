"""What a verifier checks of a whole log with verdicts (SPEC-verdicts 14, points 1 to 5)."""
import judging
import keyed
from state import State

import forms
import judge
from judge import Wrong, kind_of, require


class Checks(judge.Judge):
    details, roles = judging.DETAILS, judging.ROLES

    def __init__(self, origin):
        super().__init__(origin)
        self.state = None

    def known(self, detail):
        """This verifier knows verdicts."""

    def entry(self, leaf, record, entry_hash):
        super().entry(leaf, record, entry_hash)
        if self.state is None:
            self.state = State(self.origin, entry_hash)
        self.state.note(leaf, entry_hash)

    def verdicts(self, leaf, record):
        kind = kind_of(leaf)
        if "verdicts" not in self.config:
            require(kind is None or not kind.startswith(("key.", "approval.")), "an entry that needs verdicts")
            return super().verdicts(leaf, record)
        if kind in judging.KEYS:
            try:
                judging.check_detail(kind, leaf["detail"], leaf["index"])
            except forms.Refused as refused:
                raise Wrong(str(refused)) from None
            self.reason(self.state.refuses_key(kind[len("key."):], leaf["detail"]))
        elif kind and kind.startswith("approval."):
            self.reason(self.state.refuses_decision(kind, leaf["detail"], leaf.get("publisher"), leaf["index"]))
        elif kind is None:
            self.signature(leaf, record)
            self.required(leaf, record)
            self.approval(leaf, record)
        return None

    def reason(self, why):
        require(why is None, why)

    def required(self, leaf, record):
        if any(judging.matches(p, leaf["agent_did"]) for p in self.config.get("require_signatures", ())):
            require(leaf.get("signature_status") == "verified", "a signature is required")
            asks = ("action_type" in leaf or "approval" in leaf) and "action_digest" in leaf
            gone = "record_hash" in leaf and record is None
            require(not asks or gone or keyed.own_digest(leaf, record) == leaf["action_digest"], "the salt of an action is required")

    def approval(self, leaf, record):
        gone, stated = "record_hash" in leaf and record is None, leaf.get("approval_status")
        status = self.state.approval(leaf, record, gone)
        if not gone or status in (None, "equivocation", "malformed") or stated not in ("malformed", "mismatched"):
            require(stated == status, "approval_status is %s" % status)

    def signature(self, leaf, record):
        stated, key = leaf.get("signature_status"), leaf.get("material_key")
        newest = self.state.key_entry.get(leaf["agent_did"]) if stated else None
        require(leaf.get("key_entry") == newest, "key_entry is %s" % newest)
        if "altered" in leaf:
            require(stated in (None, "altered") and key is None, "altered")
        elif "signature" not in leaf and "record_hash" in leaf and record is None:
            self.erased(leaf["agent_did"], stated, key)
        else:
            status, material = self.state.signature(leaf, record)
            require((stated, key) == (None if status == "absent" else status, material), "signature_status is %s" % status)

    def erased(self, agent, stated, key):
        if key is None:
            require(stated in (None, "invalid", "unknown_key"), "no material_key")
            return
        pair = self.state.pairs.get((agent, key))
        given = "verified_foreign" if isinstance(pair, keyed.Seen) else pair or "unregistered"
        require(self.state.known(agent, key) and stated in ("invalid", given), "signature_status is %s" % given)
