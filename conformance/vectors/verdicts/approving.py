"""Whole logs with requests, decisions and intents, for make.py."""
import json

import judging
import keyed
from history import ALICE, BOB, TENANT, find, seed, without

import judge
import seal

PAY, DO = {"amount": 100, "to": "x"}, "ai.agentmesh.tool.invoked"
ANN = {"authid": "user:ann"}


class Story:
    """A log with an agent, a service and an approver."""

    def __init__(self, **config):
        self.log = judging.Log()
        self.log.judge_all(**config)
        self.alice = judging.Agent(self.log, ALICE, seed("alice 1"))
        self.log.tell("key.register", self.alice.registration())
        self.log.serve("query", "access", {"role": "query", "process": "query-1"}, "approvers: [ann]\n")

    def make(self, id, signed, data, salt, source, digest=None, **more):
        raw = seal.Event({"specversion": "1.0", "id": id, "source": source, **more}, 4).leaf
        digest = digest or keyed.action_digest(bytes.fromhex(salt), keyed.action(raw, seal.compact(data).encode()))
        more.update(actionsalt=salt, actiondigest=digest)
        return self.alice.event(id, data, **more) if signed else {"specversion": "1.0", "id": id, "source": source, **more, "data": data}

    def ask(self, id, signed=True, data=PAY, salt="a5" * 32, source=ALICE, **more):
        return self.make(id, signed, data, salt, source, **{"type": "approval.requested", "actiontype": DO, **more})

    def act(self, id, grant, signed=True, data=PAY, salt="a5" * 32, source=ALICE, **more):
        return self.make(id, signed, data, salt, source, **{"type": DO, "approvalgrant": grant, **more})

    def decide(self, kind, at, publisher="ann", **more):
        log = self.log
        detail = {"role": "query", "request": log.hash(at), "request_index": at, "access": log.state.access}
        if kind == "granted":
            detail["expires_at"] = log.time(len(log.messages) + 99)
        return log.serve("query", "approval." + kind, {**detail, **more}, None if publisher != "ann" else "go ahead", publisher)

    def refused(self, kind, at, publisher="ann", **more):
        assert self.log.leaf(self.decide(kind, at, publisher, **more))["event_type"] == "sealstream.rejected", (publisher, more)

    def status(self, id):
        return self.log.leaf(find(self.log, entry_id=id)).get("approval_status")

    def expect(self, **statuses):
        found = {id: self.status(id.replace("_", "-")) for id in statuses}
        assert found == statuses, found


def approvals():
    """Requests, decisions and intents, with every status."""
    story = Story(**TENANT)
    log, ask, act, decide = story.log, story.ask, story.act, story.decide
    asked = log.send(ask("a-1", **ANN), ask("a-2", False, source=BOB), ask("a-3"), ask("a-4"), publisher="agents")
    log.send(ask("a-5", digest="ab" * 32), without(ask("a-6", False), "actionsalt"), {**ask("a-7", False), "approvalgrant": "ab" * 32}, ask("a-8", tenant="t"))
    log.send(act("a-9", log.hash(asked[0])))                               # names a request, not a grant
    grant = decide("granted", asked[0])
    for request, publisher, more in ((asked[0], "ann", {}), (asked[2], "agents", {}), (asked[2], ALICE, {}), (asked[2], None, {}),
                                     (asked[2], "ann", {"request": "ab" * 32}), (asked[2], "ann", {"access": 0}), (2, "ann", {}),
                                     (asked[2], "ann", {"expires_at": "2026-12-01T08:00:00Z"}), (asked[2], "ann", {"role": "alert"})):
        story.refused("granted", request, publisher, **more)
    denial, unsigned, short = decide("denied", asked[2]), decide("granted", asked[1]), decide("granted", asked[3], expires_at=log.time(1))
    story.refused("granted", asked[2])                                     # denied already
    story.refused("denied", asked[2])
    granted = log.hash(grant)
    log.send(act("a-10", granted, data={"amount": 1000, "to": "x"}, **ANN), act("a-11", granted, authid="user:eve"),
             act("a-12", granted), act("a-13", granted, False, source=BOB, **ANN), act("a-14", granted, subject="s", **ANN))
    log.send(act("a-15", granted, False, **ANN), publisher="agents")       # unverified: it does not use the grant
    log.send(act("a-16", granted, **ANN), act("a-17", granted, **ANN))     # valid, used
    log.send(act("a-16", granted, False, **ANN))                           # equivocation
    log.send(act("a-18", log.hash(denial)), act("a-19", log.hash(short)), act("a-20", "cd" * 32))
    bobs = log.hash(unsigned)
    log.send(act("a-21", bobs, False, source=BOB))                         # mismatched: another publisher
    log.send(act("a-22", bobs, False, source=BOB), publisher="agents")
    log.send({**ask("a-23"), "subject": "another"}, ask("a-24", False, salt="a7" * 32))  # mismatched, requested without a signature
    log.tell("key.revoke", story.alice.revocation())
    free = log.hash(decide("granted", find(log, entry_id="a-24")))
    log.send(act("a-25", free, salt="a7" * 32), act("a-26", free, False, salt="a7" * 32))  # unverified: a revoked key; valid
    log.serve("query", "access", {"role": "query", "process": "query-1", "previous": log.access["query"]}, "approvers: []\n")
    again = log.send(ask("a-27", False, salt="a6" * 32), publisher="agents")[0]
    story.refused("denied", again, access=log.state.access - 1)            # another access is in force
    log.erase(*(find(log, entry_id=id) for id in ("a-1", "a-6", "a-16", "a-17")))
    story.expect(a_9="unknown", a_10="mismatched", a_11="mismatched", a_13="unknown", a_15="unverified", a_16="valid", a_17="used", a_18="denied",
                 a_19="expired", a_20="unknown", a_21="mismatched", a_22="valid", a_25="unverified", a_26="valid")
    found = {leaf.get("approval_status") for leaf in map(json.loads, log.leaves)}
    assert found >= set(judge.APPROVAL.split("|")), set(judge.APPROVAL.split("|")) - found
    return log


def withdrawn():
    """A denial after a grant withdraws it."""
    story = Story()
    log, ask, act, decide = story.log, story.ask, story.act, story.decide
    first, second = log.send(ask("w-1"), ask("w-2", salt="a6" * 32), publisher="agents")
    grants = [log.hash(decide("granted", at)) for at in (first, second)]
    log.send(act("w-3", grants[0]))                                        # valid
    denials = [log.hash(decide("denied", at)) for at in (first, second)]
    story.refused("denied", second)
    story.refused("granted", second)
    log.send(act("w-4", grants[1], salt="a6" * 32), act("w-5", denials[1], salt="a6" * 32), act("w-6", grants[0]))
    story.expect(w_3="valid", w_4="denied", w_5="denied", w_6="denied")
    return log


def actions():
    """What of an event is approved, and what an ingest that was compromised can make of one."""
    story = Story()
    log, ask, act, decide = story.log, story.ask, story.act, story.decide
    text = {"datacontenttype": "application/json", "dataschema": "https://schemas.example/1", "subject": "s", "targetdid": BOB}
    at = log.send(ask("x-1", **text, environment="staging"))[0]
    grant = log.hash(decide("granted", at))
    log.send(*(act("x-%d" % n, grant, **{**text, **more}) for n, more in enumerate((
        {"datacontenttype": "text/json"}, {"dataschema": "https://schemas.example/2"}, {"subject": "t"}, {"targetdid": ALICE}), 2)))
    log.send(act("x-6", grant, **text, environment="production"))         # valid: other attributes are not approved
    story.expect(x_1="requested", x_2="mismatched", x_3="mismatched", x_4="mismatched", x_5="mismatched", x_6="valid")
    # dssematerial names no action: what is signed by it is unverified
    raw = {"specversion": "1.0", "id": "x-7", "source": ALICE, "type": DO, "time": "2026-12-01T07:59:59.5Z", "data": PAY}
    leaf = seal.Event(raw, 4).leaf
    told = judging.material(story.alice.seed, leaf, {"salt": "00" * 32, "data_raw": seal.compact(PAY)})
    log.send({**ask("x-7", False, type=DO, actiontype=DO), "time": raw["time"], "dssematerial": told},
             {**act("x-8", grant, False, **text), "dssematerial": told})
    story.expect(x_7="unverified", x_8="unverified")
    assert log.leaf(find(log, entry_id="x-7"))["signature_status"] == "verified_foreign"
    # a salt is stripped or changed: the log has the first one, unless signatures are required
    one, two, three = ask("x-9", salt="a6" * 32), ask("x-10", salt="a7" * 32), ask("x-11", salt="a8" * 32)
    log.send(without(one, "actionsalt"), {**two, "actionsalt": "A7" * 32}, {**three, "actionsalt": "a9" * 32})
    log.send(one, two, three)                                             # repeats
    story.expect(x_9="malformed", x_10="malformed", x_11="mismatched")
    log.judge_all(require_signatures=[ALICE])
    one, two = ask("x-12", salt="a6" * 32), ask("x-13", salt="a7" * 32)
    log.send(without(one, "actionsalt"), {**two, "actionsalt": "A7" * 32}, 
             story.alice.event("x-14", PAY, type="approval.requested", actiontype=DO))  # two are refused, the third is malformed
    log.send(one, two)                                                    # requested
    story.expect(x_12="requested", x_13="requested", x_14="malformed")
    return log
