"""Whole logs with verdicts on signatures, for make.py."""
import json

import judging
import keyed

import ed25519
import rules
import seal

ALICE, BOB, CAROL = "did:web:alice.example", "did:web:bob.example", "did:web:carol.example"
SIGNATURES = {"verified", "verified_foreign", "altered", "unknown_key", "invalid", "revoked", "unregistered", "replayed"}
TENANT = {"redaction": {"set": 0, "private_fields": ["tenant"]}}


def seed(text):
    return rules.sha256(text.encode())


def agents(log, *names):
    return [judging.Agent(log, ALICE, seed("alice %s" % name)) for name in names]


def without(event, *names):
    return {k: v for k, v in event.items() if k not in names}


def plain(id, source=ALICE, **more):
    return {"specversion": "1.0", "id": id, "source": source, "type": "x", **more}


def statuses(log):
    return [leaf.get("signature_status", "absent") for leaf in map(json.loads, log.leaves)]


def find(log, **members):
    """The index of the first leaf with these members."""
    return next(leaf["index"] for leaf in map(json.loads, log.leaves) if all(leaf.get(k) == v for k, v in members.items()))


def upgrade():
    """A retry is the same event after rules 4, verdicts, a registration, a rotation and a revocation."""
    log = judging.Log()
    log.configure(1)
    alice, second = agents(log, 1, 2)
    first = [alice.event("u-1", {"a": 1}), plain("u-2", BOB, authid="user:ann", causationid="u-1", policyversion="7"),
             plain("u-3", BOB, dssematerial="e30=", actionsalt="ab" * 32), plain("u-4", BOB, actiontype="x", actiondigest="cd" * 32)]
    log.send(*first)
    log.configure(4)
    log.tell("key.register", alice.registration())                         # refused: there are no verdicts
    between = [alice.event("u-5", {"a": 5}), plain("u-6", BOB, dssematerial="e30="), plain("u-7", BOB, actiontype="x", actiondigest="cd" * 32)]
    log.send(*first, *between)
    log.judge_all()
    log.send(*first, *between)
    log.tell("key.register", alice.registration(after_seq=alice.number))
    later = alice.event("u-8", {"a": 2})
    log.send(first[0], between[0], later)
    log.tell("key.rotate", alice.rotation(second))
    log.send(first[0], between[0], later)
    log.tell("key.revoke", second.revocation())
    log.send(first[0], later, {**first[1], "authid": "user:eve"}, {**first[2], "dssematerial": "e31="}, {**first[2], "id": "u-9"})
    log.send({**first[2], "id": "u-9", "dssematerial": "e31="})
    log.configure(4)                                                        # refused: verdicts stay
    log.judge_all(previous_is="not a member")                               # refused
    return log


def history():
    """Every verdict on native signatures."""
    log = judging.Log()
    log.judge_all(**TENANT)
    alice, second, third = agents(log, 1, 2, 3)
    did = judging.Agent(log, "", seed("carol"))
    did.source = "did:key:" + did.key
    log.send(alice.event("h-1", {"a": 1}))                                # unknown_key
    log.send(did.event("h-2"))                                            # unregistered
    log.tell("key.register", alice.registration(after_seq=1))
    log.send(alice.event("h-3", {"a": 2}), alice.event("h-4", None, None, subject="s"), plain("h-5"))
    log.publish("events." + seal.token(ALICE), alice.event("h-6", {"a": 3}))
    log.publish("events." + seal.token(ALICE), plain("h-6", BOB))         # rejected
    bad = alice.event("h-7", {"a": 4})
    log.send({**bad, "data": {"a": 5}}, {**alice.event("h-8", {"a": 4}), "datasalt": "00" * 32}, {**alice.event("h-9"), "subject": "other"})
    log.send({**alice.event("h-10"), "agentsignature": "c2ln"}, {**alice.event("h-11"), "agentprev": "0" * 64})
    log.send(without(alice.event("h-12"), "time"), without(alice.event("h-13", {}), "datasalt"))
    log.send(alice.event("h-14", number=0), without(alice.event("h-15", number=30), "agentprev"))
    log.send({**alice.event("h-16", number=31), "agentkey": "k1"}, {**second.event("h-17"), "agentkey": alice.key})
    same = alice.event("h-18", {"a": 6}, number=32)
    log.send(same, same, alice.event("h-18", {"a": 7}, number=33))         # verified, repeat, equivocation that is verified
    log.send(alice.event("h-19", number=32), alice.event("h-20", number=1), alice.event("h-21", number=29))  # replayed, replayed, verified
    log.send(alice.event("h-22", {"a": 1}, number=34, tenant="t"), plain("h-23", BOB, tenant="t"))
    log.send(alice.event("h-24", number=34))                              # altered, altered without a signature, verified
    log.tell("key.register", second.registration())
    log.send(second.event("h-25"), alice.event("h-26", number=2000), alice.event("h-27", number=976), alice.event("h-28", number=977))
    log.tell("key.rotate", alice.rotation(third))
    log.send(alice.event("h-29", number=2001), third.event("h-30"), second.event("h-31"))   # revoked, verified, verified
    log.send({**alice.event("h-32", number=2002), "subject": "x"})        # invalid: worse than revoked
    log.tell("key.revoke", did.revocation(reason="stolen", suspect_since=2))
    log.send(did.event("h-33"))                                           # revoked
    log.judge_all(require_signatures=["did:web:alice.*", BOB], **TENANT)
    log.send(third.event("h-34"), plain("h-35"), alice.event("h-36", number=3000), third.event("h-39", {"a": 1}, tenant="t"))
    log.send(plain("h-37", BOB), plain("h-38", CAROL))
    assert not SIGNATURES - set(statuses(log)) - {"verified_foreign"}
    return log


def redactions():
    """The attribute redactions is signed, in a log that redacts nothing and in one that redacts."""
    log = judging.Log()
    log.judge_all()
    alice, = agents(log, 1)
    log.tell("key.register", alice.registration())
    for number, more in ((1, {}), (2, {"redaction": {"set": 0, "patterns": [{"kind": "code", "match": "secret-[0-9]+"}]}})):
        log.judge_all(**more)
        told = [alice.event("%s-%d" % (name, number), {"a": "[REDACTED:code]"}, redactions=value)
                for name, value in (("kept", "code:/data/a"), ("stripped", "code:/data/a"), ("changed", "code:/data/a"), ("none", "no list"))]
        added = alice.event("added-%d" % number, {"a": "[REDACTED:code]"})
        log.send(told[0], without(told[1], "redactions"), {**told[2], "redactions": "code:/data/b"}, told[3], {**added, "redactions": "code:/data/a"})
        log.send(told[0], told[3])                                        # repeats
    log.send(alice.event("missed-2", {"a": "secret-1"}, redactions="code:/data/b"))  # altered
    found = {leaf["entry_id"]: leaf["signature_status"] for leaf in map(json.loads, log.leaves) if "signature_status" in leaf}
    assert {id.partition("-")[0]: status for id, status in found.items()} == {
        "kept": "verified", "none": "verified", "stripped": "invalid", "changed": "invalid", "added": "invalid", "missed": "altered"}, found
    return log


def between():
    """Numbers that were used between the proof and the registration are not seen ones (11.4, 12.2)."""
    log = judging.Log()
    log.judge_all()
    did = judging.Agent(log, "", seed("carol"))
    did.source = "did:key:" + did.key
    log.send(did.event("b-1"))
    registration = did.registration(after_seq=1)
    early = did.event("b-2")
    log.send(early)                                                       # unregistered, with the number 2
    log.tell("key.register", registration)
    log.send(early)                                                       # a repeat, while the window has it
    log.send({**did.sign({**without(early, "agentsignature"), "id": "b-3"})})  # 2 again: verified
    assert log.leaf(len(log.leaves) - 1)["signature_status"] == "verified"
    return log


def refusals():
    """Key events that are refused."""
    log = judging.Log()
    log.judge_all()
    alice, second, third = agents(log, 1, 2, 3)
    good = alice.registration()

    def refused(kind, detail):
        assert log.leaf(log.tell(kind, detail))["event_type"] == "sealstream.rejected", detail

    def raw(kind, detail, **parts):
        """A detail some of whose members are other JSON texts."""
        refused(kind, {**detail, **{name: seal.Raw(text) for name, text in parts.items()}})

    elsewhere = judging.Log(secret=b"\1" * 32)
    elsewhere.judge_all()
    other, = agents(elsewhere, 1)
    assert elsewhere.origin == log.origin
    for detail in ({**good, "previous": 0}, {**good, "after_seq": 1}, {**good, "key": keyed.key_id(ed25519.SMALL[0])}, {**good, "agent": BOB},
                   {**good, "note": "n"}, {**good, "proof": second.proof("register", without(good, "proof"))},
                   {**good, "proof": alice.proof("rotate", without(good, "proof"))}, {**good, "proof": good["proof"][:-2] + "A="},
                   {**good, "agent": ""}, {**good, "agent": "x" * 4097}, {**good, "agent": "a\n"}, {**good, "key": "did:key:" + alice.key},
                   other.registration(), without(good, "after_seq"), without(good, "proof")):
        refused("key.register", detail)
    for text in ("1.0", "-0", "null", '"0"', "9007199254740992", "true"):
        raw("key.register", good, after_seq=text)
    raw("key.register", good, previous="null")
    raw("key.register", good, proof="null")
    refused("key.rotate", {**good, "replaces": second.key, "by_admin": True})
    log.tell("key.register", good)
    refused("key.register", good)
    refused("key.register", {**alice.registration(), "previous": log.state.key_entry[ALICE]})  # registered
    rotation = alice.rotation(second)
    for detail in ({**rotation, "old_proof": rotation["proof"]}, {**rotation, "by_admin": True}, without(rotation, "old_proof"),
                   {**without(rotation, "old_proof"), "by_admin": False}, {**rotation, "replaces": alice.key, "key": alice.key},
                   {**rotation, "replaces": third.key}):
        refused("key.rotate", detail)
    log.tell("key.rotate", rotation)
    refused("key.rotate", second.rotation(alice))                          # alice's first key is revoked
    log.tell("key.rotate", second.rotation(third, by_admin=True))
    refused("key.revoke", third.revocation(suspect_since=len(log.leaves)))
    refused("key.revoke", third.revocation(reason=""))
    refused("key.revoke", third.revocation(previous=0))
    log.tell("key.revoke", third.revocation(suspect_since=3))
    log.tell("key.revoke", third.revocation(suspect_since=2))              # an earlier one
    refused("key.register", third.registration())
    log.tell("key.register", {**judging.Agent(log, BOB, third.seed).registration()})  # another pair
    for more in ({"require_signatures": []}, {"require_signatures": [""]}, {"require_signatures": ["a"] * 65}, {"require_signatures": ["a" * 257]},
                 {"require_signatures": "a"}, {"verdicts": False}):
        assert log.leaf(log.configure(4, **{"verdicts": True, **more}))["event_type"] == "sealstream.rejected", more
    log.send(plain("r-1", type="sealstream.approval.granted"), plain("r-2", type="sealstream.key.register"))
    return log


def others():
    """dssematerial, with every verdict."""
    log = judging.Log()
    log.judge_all(**TENANT)
    alice, second = agents(log, 1, 2)
    did = judging.Agent(log, "", seed("carol"))
    did.source = "did:key:" + did.key

    def event(id, agent, names=(), data={"a": 1}, **more):
        raw = plain(id, agent.source, type="x.y", time="2026-12-01T09:00:00.25Z", **more)
        if names:
            raw["signedextattrs"] = ",".join(names)
        made = seal.Event(raw if data is None else {**raw, "data": data}, 4)
        record = {"salt": "00" * 32, **({} if data is None else {"data_raw": seal.compact(data)})}
        return {**raw, "dssematerial": judging.material(agent.seed, made.leaf, record), **({} if data is None else {"data": data})}

    def signatures(event, *more):
        """The event with further signatures in front."""
        inner = judging.unwrapped(event["dssematerial"])
        payload = rules.unbase64(inner["payload"])
        added = [one if isinstance(one, dict) else judging.signature(one.seed, payload) for one in more]
        return {**event, "dssematerial": judging.wrapped({**inner, "signatures": added + inner["signatures"]})}

    log.send(event("f-1", alice), event("f-2", did))                       # unknown_key, unregistered
    log.tell("key.register", alice.registration())
    log.send(event("f-3", alice), event("f-4", alice, data=None), event("f-5", alice, ["note", "authid"], note="n", authid="p"))
    log.send({**event("f-6", alice), "data": {"a": 2}}, {**event("f-7", alice, ["note"], note="n"), "note": "m"}, {**event("f-8", alice), "dssematerial": "e30="})
    log.send(event("f-9", alice, ["note"], note="n") | {"signedextattrs": "note, x"}, event("f-10", alice) | {"signedextattrs": "absent"})
    log.send(event("f-11", alice, tenant="t"))                             # altered
    log.send({**alice.event("f-12", {"a": 1}), "dssematerial": "e30="}, {**event("f-13", alice), "unsigned": "added"})
    log.send(signatures(event("f-14", alice), {"keyid": "someone else", "sig": ""}))
    log.tell("key.rotate", alice.rotation(second))
    log.send(event("f-15", alice), signatures(event("f-16", second), alice), signatures(event("f-17", second), {"keyid": alice.key, "sig": ""}))
    log.send(signatures(event("f-18", alice), {"keyid": second.key, "sig": ""}), event("f-19", second) | {"redactions": "code:/x"})
    log.tell("key.revoke", second.revocation())
    log.send(event("f-20", second))                                        # revoked
    log.erase(*(find(log, entry_id=id) for id in ("f-3", "f-6", "f-8")))
    found = {leaf["entry_id"]: leaf.get("signature_status") for leaf in map(json.loads, log.leaves)}
    assert set(found.values()) >= {"verified_foreign", "unknown_key", "unregistered", "invalid", "altered", "revoked"}
    assert [found["f-%d" % n] for n in range(15, 20)] == ["revoked", "verified_foreign", "verified_foreign", "invalid", "verified_foreign"], found
    return log
