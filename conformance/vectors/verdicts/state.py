"""What the entries before an index say of keys, requests and decisions (SPEC-verdicts 10.3, 11.3, 12, 13, 15)."""
import ed25519
import keyed
from keyed import Seen, public_of

WINDOW = 1048576
COMPARED = ("principal", "principal_type", "action_digest")


class State:
    def __init__(self, origin, log):
        self.place = keyed.Place(origin, log)
        self.newest_key = 0
        self.key_entry = {}  # agent: index
        self.pairs = {}      # (agent, key): a Seen, or "revoked"
        self.access = None   # index of the newest access entry of the role query
        self.requests = {}   # index: what a decision must know of the request
        self.decisions = {}  # hash: what an intent must know of the decision

    def window(self, index):
        for table, at in ((self.requests, lambda key, one: key), (self.decisions, lambda key, one: one["index"])):
            for key in [key for key, one in table.items() if at(key, one) + WINDOW < index]:
                del table[key]

    # ---- 12.2, 12.3

    def signature(self, leaf, record):
        """The verdict on an event's signature, and material_key. The leaf need not have them yet."""
        if leaf.get("altered"):
            return "altered", None
        if "signature" in leaf:
            return self.native(leaf), None
        if record and "dssematerial" in record:
            return self.foreign(leaf, record)
        return "absent", None

    def known(self, agent, key):
        return (agent, key) in self.pairs or agent == "did:key:" + key

    def native(self, leaf):
        agent, key = leaf["agent_did"], leaf.get("agent_key")
        if key is None or not self.known(agent, key) or public_of(key) is None:
            return "unknown_key"
        if leaf.get("agent_seq", 0) == 0 or "agent_prev" not in leaf or \
                not keyed.valid(key, self.place.signed_bytes(leaf), leaf["signature"]):
            return "invalid"
        pair = self.pairs.get((agent, key))
        if not isinstance(pair, Seen):
            return pair or "unregistered"
        return "replayed" if pair.has(leaf["agent_seq"]) else "verified"

    def chosen(self, agent, signatures):
        """The signature that is judged: of a registered pair, else of a revoked one, else of the agent's did:key."""
        good = [(key, signature) for key, signature in signatures if public_of(key) is not None]
        for fits in (lambda key: isinstance(self.pairs.get((agent, key)), Seen), lambda key: (agent, key) in self.pairs,
                     lambda key: agent == "did:key:" + key):
            for key, signature in good:
                if fits(key):
                    return key, signature
        return None, None

    def foreign(self, leaf, record):
        opened = keyed.envelope(record["dssematerial"])
        if opened is None or keyed.signed_names(leaf) is None:
            return "invalid", None
        payload, signatures = opened
        key, signature = self.chosen(leaf["agent_did"], signatures)
        if key is None:
            return "unknown_key", None
        message = keyed.pae(keyed.FOREIGN, payload)
        if payload != keyed.foreign_digest(leaf, record) or not ed25519.verify(public_of(key), message, signature or b""):
            return "invalid", key
        pair = self.pairs.get((leaf["agent_did"], key))
        return "verified_foreign" if isinstance(pair, Seen) else pair or "unregistered", key

    # ---- 13.4

    def approval(self, leaf, record, gone=False):
        """approval_status, or None. The leaf has its signature_status. If the record is gone, line 3 and the salt are passed over,
        and the answer is what the leaf and the prefix give."""
        if "action_type" not in leaf and "approval" not in leaf:
            return None
        if leaf["event_type"] == "sealstream.equivocation":
            return "equivocation"
        digest = leaf.get("action_digest") if gone else keyed.own_digest(leaf, record)
        if "action_type" in leaf and "approval" in leaf or "action_digest" not in leaf or digest is None:
            return "malformed"
        if digest != leaf["action_digest"]:
            return "mismatched"
        if leaf.get("signature_status", "verified") != "verified":
            return "unverified"
        return "requested" if "action_type" in leaf else self.intent(leaf)

    def intent(self, leaf):
        """Lines 6 to 12."""
        self.window(leaf["index"])
        decision = self.decisions.get(leaf["approval"])
        if decision is None or decision["request"]["agent_did"] != leaf["agent_did"]:
            return "unknown"
        request, signed = decision["request"], "signature_status" in leaf
        if not decision["granted"] or request["denied"]:
            return "denied"
        if any(request.get(name) != leaf.get(name) for name in COMPARED + (() if signed else ("publisher",))):
            return "mismatched"
        if leaf["received_at"] > decision["expires_at"]:
            return "expired"
        if decision["used"]:
            return "used"
        return "unverified" if "signature_status" in request and not signed else "valid"

    # ---- what a control or a service event may not be: the reason, or None

    def refuses_key(self, kind, detail):
        keys = [detail[name] for name in ("key", "replaces") if name in detail]
        if any(public_of(key) is None for key in keys):
            return "not the id of an acceptable key"
        agent, pair = detail["agent"], (detail["agent"], detail["key"])
        if detail.get("previous") != self.key_entry.get(agent):
            return "previous is not the agent's newest key entry"
        if kind == "revoke":
            return None
        if pair in self.pairs or kind == "rotate" and not isinstance(self.pairs.get((agent, detail["replaces"])), Seen):
            return "the state of the key does not allow it"
        message = self.place.proof_bytes(kind, detail)
        if not keyed.valid(detail["key"], message, detail["proof"]):
            return "proof is not valid"
        if "old_proof" in detail and not keyed.valid(detail["replaces"], message, detail["old_proof"]):
            return "old_proof is not valid"
        return None

    def refuses_decision(self, kind, detail, publisher, index):
        if publisher is None:
            return "publisher is required"
        if detail["access"] != self.access:
            return "access is not in force"
        self.window(index)
        request = self.requests.get(detail["request_index"])
        if request is None or request["hash"] != detail["request"]:
            return "no such request"
        if request["denied"] or request["granted"] and kind == "approval.granted":
            return "already decided"
        if publisher in (request.get("publisher"), request["agent_did"]):
            return "nobody approves a request of his own"
        return None

    # ---- what an entry changes for those after it

    def note(self, leaf, entry_hash):
        index, kind, detail = leaf["index"], leaf["event_type"][len("sealstream."):], leaf.get("detail")
        if not leaf["event_type"].startswith("sealstream.") or kind == "equivocation":
            return self.note_event(leaf, index, entry_hash)
        if kind.startswith("key."):
            self.newest_key = self.key_entry[detail["agent"]] = index
            self.pairs[detail["agent"], detail["key"]] = "revoked" if kind == "key.revoke" else Seen(detail["after_seq"])
            if kind == "key.rotate":
                self.pairs[detail["agent"], detail["replaces"]] = "revoked"
        elif kind == "access" and detail["role"] == "query":
            self.access = index
        elif kind.startswith("approval."):
            request = self.requests[detail["request_index"]]
            request["granted" if kind == "approval.granted" else "denied"] = True
            self.decisions[entry_hash] = {"index": index, "granted": kind == "approval.granted", "request": request,
                                          "expires_at": detail.get("expires_at"), "used": False}
        return None

    def note_event(self, leaf, index, entry_hash):
        if leaf.get("signature_status") == "verified":
            self.pairs[leaf["agent_did"], leaf["agent_key"]].note(leaf["agent_seq"])
        if leaf.get("approval_status") == "requested":
            names = ("agent_did", "publisher", "signature_status", *COMPARED)
            self.requests[index] = {"hash": entry_hash, "granted": False, "denied": False, **{n: leaf[n] for n in names if n in leaf}}
        elif leaf.get("approval_status") == "valid":
            self.decisions[leaf["approval"]]["used"] = True
