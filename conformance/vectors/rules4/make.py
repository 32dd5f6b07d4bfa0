"""Makes the vectors of docs/SPEC-rules4.md beside this file, or checks them:

    python3 make.py            writes the files
    python3 make.py --check    fails unless they are what it would write
"""
import base64
import json
import pathlib
import sys

import ed25519
import judge
import rules
import seal

HERE = pathlib.Path(__file__).resolve().parent
SECRET = bytes(range(32))
ALICE, BOB, CAROL = "did:web:alice.example", "did:web:bob.example", "did:web:carol.example"


def seed(text):
    return rules.sha256(text.encode())


def note(name, ok, why=None, **more):
    return {"name": name, "ok": ok, **({"why": why} if why else {}), **more}


# ---- values.json

def values():
    own = "6f8f8e0e-0000-5000-8000-000000000000"
    salt = seed("a salt")
    records = [("material", {"dssematerial": "e30="}), ("salt of an action", {"action_salt": seed("b").hex()}),
               ("both", {"action_salt": seed("b").hex(), "dssematerial": "e30="})]
    event = {"agent_did": ALICE, "cloudevent_type": "ai.agentmesh.tool.invoked"}
    actions = [("least", event, None), ("no bytes of data", event, b""),
               ("all", {**event, "resource": "file:///é", "target_did": BOB}, b'{"amount": 1.0}'),
               ("request", {**event, "cloudevent_type": "x", "action_type": "ai.agentmesh.tool.invoked"}, b"{}")]
    return {
        "blind": [{"name": "%s %d/%d/%d" % (kind, epoch, seq, position), "secret": SECRET.hex(), "input_epoch": epoch, "input_seq": seq,
                   "position": position, "kind": kind, "blind": rules.blind(SECRET, epoch, seq, position, kind)}
                  for epoch, seq, position, kind in ((1, 2, 0, "event"), (1, 2, 1, "event"), (1, 3, 0, "event"), (2, 2, 0, "event"),
                                                     (1, 2, 0, "equivocation"), (1, 2, 0, "approval.granted"),
                                                     (2**53 - 1, 2**53 - 1, 2**53 - 1, "gap"))],
        "own_salt": [{"name": kind, "secret": SECRET.hex(), "kind": kind, "entry_id": own, "whole": "refused",
                      "salt": rules.own_salt(SECRET, kind, own, b"refused").hex()}
                     for kind in ("rejected", "rejected.digest", "access", "read", "approval.granted", "approval.denied")],
        "input_digest": [{"name": "digest", "secret": SECRET.hex(), "digest": seed("d").hex(),
                          "input_digest": rules.input_digest(SECRET, seed("d"))}],
        "senders_salt": [{"name": name, "secret": SECRET.hex(), "source": ALICE, "id": "e-1", "data": data,
                          "salt": rules.senders_salt(SECRET, ALICE, "e-1", data.encode()).hex()}
                         for name, data in (("data", '{"pin":1234}'), ("no bytes", ""))],
        "record_hash": [{"name": name, "salt": salt.hex(), **beside, "record_hash": rules.record_hash({"salt": salt.hex(), **beside})}
                        for name, beside in records],
        "action": [{"name": name, "leaf": leaf, **({} if data is None else {"data": data.decode()}), "salt": salt.hex(),
                    "action": rules.action(leaf, data), "digest": rules.action_digest(salt, rules.action(leaf, data))}
                   for name, leaf, data in actions],
    }


# ---- ed25519.json (6.1, 6.2)

def signatures():
    cases = []

    def case(name, key, message, signature, why=None):
        ok = ed25519.verify(key, message, signature)
        assert ok == (why is None), name
        cases.append(note(name, ok, why, key=key.hex(), message=message.hex(), signature=signature.hex()))

    for n, (_, key, message, signature) in enumerate(ed25519.RFC8032):
        case("RFC 8032 test %d" % (n + 1), *map(bytes.fromhex, (key, message, signature)))
    one = seed("one")
    secret, key = ed25519.expand(one)[0], ed25519.public_key(one)
    good = ed25519.sign(one, b"hello")
    r, s = good[:32], int.from_bytes(good[32:], "little")

    def scalar(n):
        return (n % ed25519.L).to_bytes(32, "little")

    case("another message", key, b"hullo", good, "not signed by the key")
    case("another key", ed25519.public_key(seed("two")), b"hello", good, "not signed by the key")
    case("63 bytes", key, b"hello", good[:63], "length")
    case("S plus L", key, b"hello", r + (s + ed25519.L).to_bytes(32, "little"), "S is not below L")
    case("a flipped bit of R", key, b"hello", bytes([r[0] ^ 1]) + good[1:], "not signed by the key")
    neutral, order8 = ed25519.SMALL[0], ed25519.torsion()[1]
    point = ed25519.times(5, ed25519.BASE)
    case("key of order 1", neutral, b"hello", ed25519.encode(point) + scalar(5), "key of small order, though the equation holds")
    case("key of order 2", ed25519.SMALL[4], b"hello", good, "key of small order")
    case("R of order 1", key, b"hello", neutral + scalar(ed25519.challenge(neutral, key, b"hello") * secret),
         "R of small order, though the equation holds")
    other = (ed25519.P + 1).to_bytes(32, "little")
    case("R not canonical", key, b"hello", other + scalar(ed25519.challenge(other, key, b"hello") * secret), "R is no canonical encoding")
    # A key with a part of order 8. The equation with the cofactor holds for all these signatures. The one without it holds if
    # 8 divides k.
    mixed = ed25519.encode(ed25519.add(ed25519.decode(key), order8))
    wanted = {True: "mixed order, 8 divides k", False: "mixed order, 8 does not divide k"}
    for n in range(100):
        message, r = b"mixed %d" % n, ed25519.encode(ed25519.times(1000 + n, ed25519.BASE))
        k = ed25519.challenge(r, mixed, message)
        name = wanted.pop(k % 8 == 0, None)
        if name:
            case(name, mixed, message, r + scalar(1000 + n + k * secret), None if k % 8 == 0 else "holds only with the cofactor")
    return {"cases": cases}


# ---- keys.json (6.1, 6.4)

def keys():
    p = ed25519.P
    bad = [("y is p, a point of small order", p.to_bytes(32, "little")), ("y is p + 3", (p + 3).to_bytes(32, "little")),
           ("y is 2, no point of the curve", (2).to_bytes(32, "little")), ("x is 0 with the sign bit", bytes([1] + [0] * 30 + [128]))]
    bad += [("small order %d" % n, raw) for n, raw in enumerate(ed25519.SMALL)]
    ids = [note("a key", True, public_key=ed25519.public_key(seed("k")).hex(), key_id=rules.key_id(ed25519.public_key(seed("k"))))]
    ids += [note("y is 3", True, public_key=(3).to_bytes(32, "little").hex(), key_id=rules.key_id((3).to_bytes(32, "little")))]
    ids += [note(name, False, "not acceptable", public_key=raw.hex(), key_id=rules.key_id(raw)) for name, raw in bad]
    one = ids[0]["key_id"]
    ids += [note(name, False, "no key id", key_id=text) for name, text in (
        ("short", one[:-1]), ("long", one + "1"), ("another alphabet", one[:-1] + "0"), ("another base", "Z" + one[1:]),
        ("prefix of another kind of key", "z6LS" + one[4:]), ("did", "did:key:" + one))]
    assert all((rules.public_of(case["key_id"]) is not None) == case["ok"] for case in ids)
    log = seal.Log()
    log.configure(4)
    alice, second = seal.Agent(log, ALICE, seed("alice 1")), seal.Agent(log, ALICE, seed("alice 2"))
    register = alice.registration()
    log.tell("key.register", register)
    proofs = [{"name": kind, "origin": log.origin, "kind": kind, "detail": detail,
               "signed": rules.proof_bytes(kind, detail, log.origin).decode()}
              for kind, detail in (("register", register), ("rotate", alice.rotation(second)), ("rotate", alice.rotation(second, True)))]
    proofs[2]["name"] = "rotate by_admin"
    return {"ids": ids, "proofs": proofs}


# ---- events.json (4.1, 4.2, 7.1)

def events():
    """Each event as it is sealed under rules 3 and under rules 4: one fingerprint, save for what leaves the leaf."""
    cases = []
    plain = {"specversion": "1.0", "id": "e-1", "source": ALICE, "type": "x.y"}
    claims = {"authid": "user:ann", "authtype": "app_user", "causationid": "entry:" + "ab" * 32, "policyversion": "7",
              "actiondigest": "cd" * 32, "actiontype": "x.z", "approvalgrant": "ef" * 32}
    key = rules.key_id(ed25519.public_key(seed("k")))
    for name, more in (("plain", {}), ("all that move", {**claims, "agentkey": key, "note": "n"}),
                       ("empty or malformed values stay", {"authid": "", "agentkey": "k1", "actiondigest": "CD" * 32, "approvalgrant": "1"}),
                       ("capture stays", {"capture": "observed"}), ("what leaves the leaf", {"dssematerial": "e30=", "actionsalt": "ab" * 32}),
                       ("malformed, so it stays", {"actionsalt": "x", "dssematerial": ""}), ("with data", {"data": {"a": 1}})):
        case = {"name": name, "event": seal.compact({**plain, **more})}
        for number in (3, 4):
            log = seal.Log()
            log.configure(3)
            if number == 4:
                log.configure(4)
            else:
                log.configure(3)  # so that both have the same place
            leaf = log.leaf(log.send({**plain, **more})[0])
            case["leaf%d" % number] = log.leaves[leaf["index"]]
            case["fingerprint%d" % number] = rules.fingerprint(leaf)
        assert ("leaves" in name) == (case["fingerprint3"] != case["fingerprint4"]), name
        cases.append(case)
    log = seal.Log()
    log.configure(4)
    alice = seal.Agent(log, ALICE, seed("alice 1"))
    statements = []
    for name, event in (("no data", alice.event("s-1")), ("data, and members of every kind", alice.event(
            "s-2", {"a": 1}, subject="é", authid="user:ann", traceid="t", note="n"))):
        leaf = alice.unsealed(event)
        statements.append({"name": name, "origin": log.origin, "event": seal.compact(event), "statement": rules.statement(leaf, log.origin),
                           "signature": event["agentsignature"], "link": rules.link(leaf, log.origin)})
    return {"same": cases, "statements": statements}


# ---- replays.json (7.3)

def replays():
    cases = []
    for name, after, numbers in (
            ("from the beginning", 0, (1, 2, 2, 4, 3, 3, 1, 4)), ("after_seq", 41, (41, 40, 1, 42, 42, 43)),
            ("the edge of the bitmap", 0, (1024, 1, 1, 1025, 2, 1, 1026, 2, 3, 3)),
            ("a shift by 1,023", 0, (1, 1024, 1, 2)), ("a shift by 1,024", 0, (1, 1025, 1, 2, 2)), ("a shift by 1,025", 0, (1, 1026, 2, 3, 1)),
            ("the largest number", 0, (2**53 - 1, 2**53 - 1, 2**53 - 2, 2**53 - 1024, 2**53 - 1025, 1))):
        state, steps = rules.Seen(after), []
        for n in numbers:
            seen = state.has(n)
            if not seen:
                state.note(n)
            steps.append({"number": n, "seen": seen, "high": state.high, "bits": state.text()})
        cases.append({"name": name, "after_seq": after, "steps": steps})
    return {"cases": cases}


# ---- leaves.json (3, 4.1)

def leaves():
    log = seal.Log()
    log.configure(4)
    alice = seal.Agent(log, ALICE, seed("alice 1"))
    log.tell("key.register", alice.registration())
    good = log.leaf(log.send(alice.event("l-1", authid="user:ann"))[0])
    own, config = log.leaf(1), log.leaf(0)
    altered = {k: v for k, v in good.items() if k != "signature"}
    altered.update(altered=True, signature_status="altered", redactions=[{"kind": "private", "path": "/tenant"}])
    cases = []

    def case(name, leaf, why=None):
        text = rules.canonical(leaf)
        assert (judge.fault(text) is None) == (why is None), (name, judge.fault(text))
        cases.append(note(name, why is None, why, leaf=text, **({} if why else {"entry_hash": rules.sha256(b"\0" + text.encode()).hex()})))

    def without(leaf, *names):
        return {k: v for k, v in leaf.items() if k not in names}

    case("signed event", good)
    case("altered event", altered)
    case("entry of the log's own", own)
    case("config of index 0", config)
    case("all members", {**good, "principal_type": "app_user", "caused_by": "e", "policy_version": "7", "action_digest": "ab" * 32,
                         "action_type": "x", "approval": "cd" * 32, "record_hash": "ef" * 32, "material_key": good["agent_key"],
                         "approval_status": "malformed"})
    case("new members without blind", without(good, "blind"), "new members need blind")
    case("blind of 31 digits", {**good, "blind": good["blind"][:31]}, "form")
    case("blind in capitals", {**good, "blind": "A" * 32}, "form")
    case("status absent", {**good, "signature_status": "absent"}, "absent is no value of the member")
    case("unknown status", {**good, "approval_status": "granted"}, "form")
    case("altered is false", {**altered, "altered": False}, "altered is true or missing")
    case("altered with a signature", {**altered, "signature": good["signature"]}, "4.4")
    case("altered with a record_hash", {**altered, "record_hash": "ab" * 32}, "4.4")
    case("altered without redactions", without(altered, "redactions"), "10")
    case("empty principal", {**good, "principal": ""}, "an empty value stays in extensions")
    case("key id of another alphabet", {**good, "agent_key": "z6Mk" + "0" * 44}, "form")
    case("action_digest in capitals", {**good, "action_digest": "AB" * 32}, "form")
    case("an own entry with a principal", {**own, "principal": "a"}, "only entries of events have it")
    case("capture", {**good, "capture": "observed"}, "the name is reserved")
    for name, value, why in (("authid", "a", "moves"), ("authid", "", None), ("agentkey", good["agent_key"], "moves"), ("agentkey", "k", None),
                             ("approvalgrant", "ab" * 32, "moves"), ("approvalgrant", "x", None), ("dssematerial", "x", "leaves the leaf"),
                             ("actionsalt", "ab" * 32, "leaves the leaf"), ("actionsalt", "x", None)):
        case("extension %s %.8s" % (name, value or "empty"), {**without(good, "principal"), "extensions": {name: value}}, why)
    return {"cases": cases}


# ---- foreign.json (8.3)

def foreign():
    leaf = {"entry_id": "1", "agent_did": "example/uri", "cloudevent_type": "example.type.binary", "event_type": "example.type.binary",
            "extensions": {"datacontenttype": "application/octet-stream"}, "received_at": "2026-12-01T08:00:00.000000000Z",
            "timestamp": "2026-12-01T08:00:00.000000000Z"}
    record = {"data_raw": "\U0001f921", "salt": "00" * 32}
    full = {**leaf, "resource": "s", "timestamp": "2020-06-18T17:24:53.987Z", "agent_seq": 7, "action": "allow", "principal": "p",
            "extensions": {"dataschema": "d", "exta": "value1", "signedextattrs": "exta,agentseq,action,authid,actionsalt"}}
    digests = [("CloudEvents verifiability, case 5", leaf, record), ("no data", leaf, {"salt": "00" * 32}),
               ("every part", full, {**record, "action_salt": "ab" * 32})]
    assert base64.b64encode(rules.foreign_digest(leaf, record)).decode() == "qCSeiZkS+hH9WiClfq6plfqYNVy2kvxWRfoBrLEzoDk="
    good = seal.material(seed("f"), leaf, record)
    inner = json.loads(base64.b64decode(good))

    def wrap(value):
        return base64.b64encode((value if isinstance(value, str) else seal.compact(value)).encode()).decode()

    envelopes = [("as it should be", good, True), ("URL-safe base64 inside", seal.material(seed("f"), leaf, record, alphabet=base64.urlsafe_b64encode), True),
                 ("members that are not known", wrap({**inner, "more": [1]}), True), ("no base64", "{}", False), ("no padding", good.rstrip("=") + "A", False),
                 ("no object", wrap([inner]), False), ("a member twice", wrap(seal.compact(inner)[:-1] + ',"payload":"x"}'), False),
                 ("another payloadType", wrap({**inner, "payloadType": "x"}), False), ("31 bytes", wrap({**inner, "payload": "AA" * 20 + "A="}), False),
                 ("no signatures", wrap({**inner, "signatures": []}), False), ("17 signatures", wrap({**inner, "signatures": inner["signatures"] * 17}), False),
                 ("no keyid", wrap({**inner, "signatures": [{"sig": "AA=="}]}), False)]
    assert all((rules.envelope(text) is not None) == ok for _, text, ok in envelopes)
    lists = [("", True), ("a", True), ("a,b", True), ("a, b", False), ("a,a", False), ("a,", False), ("A", False), ("time", False), ("data", False),
             ("dssematerial", False), ("signedextattrs", False), ("agentseq,datasalt", True)]
    assert all((rules.signed_names({"extensions": {"signedextattrs": text}}) is not None) == ok for text, ok in lists)
    return {"digests": [{"name": name, "leaf": leaf, "record": record, "digest": rules.foreign_digest(leaf, record).hex()}
                        for name, leaf, record in digests],
            "envelopes": [{"name": name, "dssematerial": text, "ok": ok} for name, text, ok in envelopes],
            "signedextattrs": [{"name": text or "empty", "value": text, "ok": ok} for text, ok in lists]}


# ---- sizes.json (4.5)

def sizes():
    def event(fill, more=()):
        return [["specversion", "1.0"], ["id", "w"], ["source", ALICE], ["type", "x.y"], *more,
                *[["a%d" % n, {"repeat": '"', "times": 4000}] for n in range(7)], ["b", {"repeat": "b", "times": 4096}], ["bb", {"repeat": "b", "times": 1000}],
                ["c", {"repeat": "c", "times": fill}]]

    def text(value):
        return value if isinstance(value, str) else value["repeat"] * value["times"]

    def measured(attributes):
        leaf = seal.Event({name: text(value) for name, value in attributes}, 4).leaf
        leaf.update(received_at="r", timestamp=leaf.get("timestamp", "r"))
        return seal.measure(leaf)

    moved = [["authid", "p"], ["agentkey", rules.key_id(ed25519.public_key(seed("k")))], ["actionsalt", "ab" * 32], ["time", "2026-12-01T08:00:00Z"]]
    cases = []
    for name, more in (("plain", ()), ("members that move", moved)):
        fill = 65535 - measured(event(0, more))
        for extra in (0, 1):
            attributes = event(fill + extra, more)
            assert measured(attributes) == 65535 + extra and fill + extra < 4096
            cases.append({"name": "%s, %d" % (name, 65535 + extra), "attributes": attributes, "measure": 65535 + extra, "ok": extra == 0})
    small = [["specversion", "1.0"], ["id", "w"], ["source", ALICE], ["type", "x.y"]]
    cases.append({"name": "small", "attributes": small, "measure": measured(small), "ok": True})
    return {"cases": cases}


# ---- logs.json: whole logs

def find(log, **members):
    """The index of the first leaf with these members."""
    return next(leaf["index"] for leaf in map(json.loads, log.leaves) if all(leaf.get(k) == v for k, v in members.items()))


def case(name, about, log, erased=()):
    records = {index: text for index, text in log.records.items() if index not in erased}
    assert judge.log(log.origin, log.leaves, records) is None, (name, judge.log(log.origin, log.leaves, records))
    return {"name": name, "about": about, "messages": log.messages, "leaves": log.leaves,
            "payloads": [log.records[index] for index in sorted(log.records)]}


def statuses(log):
    return [leaf.get("signature_status", "absent") for leaf in map(json.loads, log.leaves)]


def upgrade():
    """A retry is the same event after the upgrade, a registration, a rotation and a revocation."""
    log = seal.Log()
    log.configure(1)
    alice, second, third = (seal.Agent(log, ALICE, seed("alice %d" % n)) for n in (1, 2, 3))
    claims = {"specversion": "1.0", "id": "u-2", "source": BOB, "type": "x.y", "authid": "user:ann", "causationid": "u-1", "policyversion": "7"}
    leaving = {"specversion": "1.0", "id": "u-3", "source": BOB, "type": "x.y", "dssematerial": "e30=", "actionsalt": "ab" * 32}
    first = [alice.event("u-1", {"a": 1}), claims, leaving]
    log.send(*first)
    log.serve("query", "access", {"role": "query", "process": "query-1"}, "too early")
    log.configure(4)
    log.send(*first)
    log.send(*first)
    log.tell("key.register", alice.registration())
    later = alice.event("u-4", {"a": 2})
    log.send(first[0], later)
    log.tell("key.rotate", alice.rotation(second))
    log.send(first[0], later)
    log.tell("key.revoke", {"agent": ALICE, "key": second.key, "previous": log.state.key_entry[ALICE], "reason": "lost"})
    log.send(first[0], later, {**claims, "authid": "user:eve"}, {**leaving, "dssematerial": "e31="}, {**leaving, "id": "u-5"})
    log.send({**leaving, "id": "u-5", "dssematerial": "e31="})
    return log


def history():
    """Every verdict on native signatures."""
    log = seal.Log()
    log.configure(4, redaction={"set": 0, "private_fields": ["tenant"]})
    alice, second, third = (seal.Agent(log, ALICE, seed("alice %d" % n)) for n in (1, 2, 3))
    did = seal.Agent(log, "", seed("carol"))
    did.source = "did:key:" + did.key
    unknown = alice.event("h-1", {"a": 1})
    log.send(unknown)                                                     # unknown_key
    log.send(did.event("h-2"))                                            # unregistered
    log.tell("key.register", alice.registration(after_seq=1))
    log.send(alice.event("h-3", {"a": 2}), alice.event("h-4", None, None, subject="s"), {"specversion": "1.0", "id": "h-5", "source": ALICE, "type": "x"})
    log.publish("events." + seal.token(ALICE), alice.event("h-6", {"a": 3}))
    log.publish("events." + seal.token(ALICE), {"specversion": "1.0", "id": "h-6", "source": BOB, "type": "x"})  # rejected
    bad = alice.event("h-7", {"a": 4})
    log.send({**bad, "data": {"a": 5}}, {**alice.event("h-8", {"a": 4}), "datasalt": "00" * 32}, {**alice.event("h-9"), "subject": "other"})
    log.send({**alice.event("h-10"), "agentsignature": "c2ln"}, {**alice.event("h-11"), "agentprev": "0" * 64})
    log.send({k: v for k, v in alice.event("h-12").items() if k != "time"}, {k: v for k, v in alice.event("h-13", {}).items() if k != "datasalt"})
    log.send(alice.event("h-14", number=0), {k: v for k, v in alice.event("h-15", number=30).items() if k != "agentprev"})
    log.send({**alice.event("h-16", number=31), "agentkey": "k1"}, {**second.event("h-17"), "agentkey": alice.key})
    same = alice.event("h-18", {"a": 6}, number=32)
    log.send(same, same, alice.event("h-18", {"a": 7}, number=33))         # verified, repeat, equivocation that is verified
    log.send(alice.event("h-19", number=32), alice.event("h-20", number=1), alice.event("h-21", number=29))  # replayed, replayed, verified
    log.send(alice.event("h-22", {"a": 1}, number=34, tenant="t"), {"specversion": "1.0", "id": "h-23", "source": BOB, "type": "x", "tenant": "t"})
    log.send(alice.event("h-24", number=34))                              # altered, altered without a signature, verified
    log.tell("key.register", second.registration())
    log.send(second.event("h-25"), alice.event("h-26", number=2000), alice.event("h-27", number=976), alice.event("h-28", number=977))
    log.tell("key.rotate", alice.rotation(third))
    log.send(alice.event("h-29", number=2001), third.event("h-30"), second.event("h-31"))   # revoked, verified, verified
    log.send({**alice.event("h-32", number=2002), "subject": "x"})        # invalid: worse than revoked
    log.tell("key.revoke", {"agent": did.source, "key": did.key, "reason": "stolen", "suspect_since": 2})
    log.send(did.event("h-33"))                                           # revoked
    log.configure(4, require_signatures=["did:web:alice.*", BOB])
    log.send(third.event("h-34"), {"specversion": "1.0", "id": "h-35", "source": ALICE, "type": "x"}, alice.event("h-36", number=3000))
    log.send({"specversion": "1.0", "id": "h-37", "source": BOB, "type": "x"}, {"specversion": "1.0", "id": "h-38", "source": CAROL, "type": "x"})
    assert not set(judge.SIGNATURE.split("|")) - set(statuses(log)) - {"verified_foreign"}
    return log


def refusals():
    """Key and service events that are refused."""
    log = seal.Log()
    log.configure(4)
    alice, second, third = (seal.Agent(log, ALICE, seed("alice %d" % n)) for n in (1, 2, 3))
    good = alice.registration()
    log.tell("key.register", {**good, "previous": 0})
    log.tell("key.register", {**good, "after_seq": 1})                     # the proof is not of this
    log.tell("key.register", {**good, "proof": second.proof("register", {k: v for k, v in good.items() if k != "proof"})})
    log.tell("key.register", {**good, "key": rules.key_id(ed25519.SMALL[0])})
    log.tell("key.register", {**good, "agent": BOB})
    log.tell("key.register", {**good, "note": "n"})
    log.tell("key.rotate", {**good, "replaces": second.key, "by_admin": True})
    log.tell("key.register", good)
    log.tell("key.register", good)
    log.tell("key.register", {**alice.registration(), "previous": log.state.key_entry[ALICE]})  # registered
    rotation = alice.rotation(second)
    log.tell("key.rotate", {**rotation, "old_proof": rotation["proof"]})
    log.tell("key.rotate", {**rotation, "by_admin": True})
    log.tell("key.rotate", {k: v for k, v in rotation.items() if k != "old_proof"})
    log.tell("key.rotate", rotation)
    log.tell("key.rotate", second.rotation(alice))                         # alice's first key is revoked
    log.tell("key.rotate", second.rotation(third, by_admin=True))
    revoke = {"agent": ALICE, "key": third.key, "previous": log.state.key_entry[ALICE], "reason": "lost"}
    log.tell("key.revoke", {**revoke, "suspect_since": len(log.leaves)})
    log.tell("key.revoke", {**revoke, "suspect_since": 3})
    log.tell("key.revoke", {**revoke, "previous": log.state.key_entry[ALICE], "suspect_since": 2})
    log.tell("access", {"role": "query", "process": "p"})                  # not on control
    log.serve("query", "access", {"role": "query", "process": "query-1"}, "rules: 1\n")
    log.serve("query", "access", {"role": "query", "process": "query-2"}, "rules: 2\n")
    log.serve("query", "access", {"role": "query", "process": "query-2", "previous": log.state.access["query"]}, "rules: 2\n")
    log.serve("alert", "access", {"role": "alert", "process": "alert-1"}, "rules: 1\n")
    log.serve("alert", "access", {"role": "query", "process": "alert-1", "previous": log.state.access["query"]}, "rules: 3\n")
    log.serve("query", "access", {"role": "query", "process": "query-1", "previous": log.state.access["query"]})
    log.serve("sink", "read", {"role": "sink", "call": "c", "kind": "export", "route": "r"}, publisher="ann")
    read = {"role": "query", "access": log.state.access["query"], "call": "c-1", "kind": "export", "route": "GET /v1/export", "first": 0, "last": 9, "size": 20}
    log.serve("query", "read", read, '{"agent":["a"]}', publisher="ann")
    log.serve("query", "read", read, '{"agent":["a"]}')
    log.serve("query", "read", {**read, "first": 10}, publisher="ann")
    log.serve("query", "read", {**read, "kind": "look"}, publisher="ann")
    log.serve("ingest", "approval.granted", {"role": "query", "request": "ab" * 32, "request_index": 1, "access": 1, "expires_at": log.time(9)}, publisher="ann")
    log.serve("query", "config", {})
    log.serve("query", "key.revoke", revoke)
    log.send({"specversion": "1.0", "id": "r-1", "source": ALICE, "type": "sealstream.approval.granted"})
    return log


def others():
    """dssematerial, with every verdict."""
    log = seal.Log()
    log.configure(4, redaction={"set": 0, "private_fields": ["tenant"]})
    alice, did = seal.Agent(log, ALICE, seed("alice 1")), seal.Agent(log, "", seed("carol"))
    did.source = "did:key:" + did.key

    def event(id, agent, names=(), data={"a": 1}, **more):
        raw = {"specversion": "1.0", "id": id, "source": agent.source, "type": "x.y", "time": "2026-12-01T09:00:00.25Z", **more}
        if names:
            raw["signedextattrs"] = ",".join(names)
        made = seal.Event(raw if data is None else {**raw, "data": data}, 4)
        record = {"salt": "00" * 32, **({} if data is None else {"data_raw": seal.compact(data)})}
        return {**raw, "dssematerial": seal.material(agent.seed, made.leaf, record), **({} if data is None else {"data": data})}

    log.send(event("f-1", alice), event("f-2", did))                       # unknown_key, unregistered
    log.tell("key.register", alice.registration())
    log.send(event("f-3", alice), event("f-4", alice, data=None), event("f-5", alice, ["note", "authid"], note="n", authid="p"))
    log.send({**event("f-6", alice), "data": {"a": 2}}, {**event("f-7", alice, ["note"], note="n"), "note": "m"}, {**event("f-8", alice), "dssematerial": "e30="})
    log.send(event("f-9", alice, ["note"], note="n") | {"signedextattrs": "note, x"}, event("f-10", alice) | {"signedextattrs": "absent"})
    log.send(event("f-11", alice, tenant="t"))                             # altered
    both = alice.event("f-12", {"a": 1})
    log.send({**both, "dssematerial": "e30="}, {**event("f-13", alice), "unsigned": "added"})
    first = event("f-14", alice)
    two = json.loads(base64.b64decode(first["dssematerial"]))
    two["signatures"].insert(0, {"keyid": "someone else", "sig": ""})
    log.send({**first, "dssematerial": base64.b64encode(seal.compact(two).encode()).decode()})
    log.tell("key.revoke", {"agent": ALICE, "key": alice.key, "previous": log.state.key_entry[ALICE], "reason": "lost"})
    log.send(event("f-15", alice))                                         # revoked
    assert set(statuses(log)) >= {"verified_foreign", "unknown_key", "unregistered", "invalid", "altered", "revoked"}
    return log


def approvals():
    """Requests, decisions and intents, with every status."""
    log = seal.Log()
    log.configure(4, redaction={"set": 0, "private_fields": ["tenant"]})
    alice, bob = seal.Agent(log, ALICE, seed("alice 1")), seal.Agent(log, BOB, seed("bob 1"))
    log.tell("key.register", alice.registration())
    log.serve("query", "access", {"role": "query", "process": "query-1"}, "approvers: [ann]\n")
    pay, do = {"amount": 100, "to": "x"}, "ai.agentmesh.tool.invoked"

    def ask(id, signed=True, data=pay, salt="a5" * 32, source=ALICE, **more):
        return make(id, signed, data, salt, source, type="approval.requested", actiontype=do, **more)

    def act(id, grant, signed=True, data=pay, salt="a5" * 32, source=ALICE, **more):
        return make(id, signed, data, salt, source, type=do, approvalgrant=grant, **more)

    def make(id, signed, data, salt, source, digest=None, **more):
        raw = {"agent_did": source, "cloudevent_type": more["type"], "resource": more.get("subject")}
        if "actiontype" in more:
            raw["action_type"] = more["actiontype"]
        text = rules.action({k: v for k, v in raw.items() if v}, seal.compact(data).encode())
        more.update(actionsalt=salt, actiondigest=digest or rules.action_digest(bytes.fromhex(salt), text))
        return alice.event(id, data, **more) if signed else {"specversion": "1.0", "id": id, "source": source, **more, "data": data}

    def digest_of(more):
        leaf = {"agent_did": ALICE, "cloudevent_type": "approval.requested", "action_type": do, **more}
        return rules.action_digest(bytes.fromhex("a5" * 32), rules.action(leaf, seal.compact(pay).encode()))

    def decide(kind, at, publisher="ann", **more):
        detail = {"role": "query", "request": log.hash(at), "request_index": at, "access": log.state.access["query"]}
        if kind == "granted":
            detail["expires_at"] = log.time(len(log.messages) + 99)
        return log.serve("query", "approval." + kind, {**detail, **more}, None if publisher != "ann" else "go ahead", publisher)

    asked = log.send(ask("a-1", authid="user:ann"), ask("a-2", False, source=BOB), ask("a-3"), ask("a-4"), publisher="agents")
    log.send(ask("a-5", digest="ab" * 32), {k: v for k, v in ask("a-6", False).items() if k != "actionsalt"},
             {**ask("a-7", False), "approvalgrant": "ab" * 32}, ask("a-8", tenant="t"))
    before = act("a-9", log.hash(asked[0]))                               # names a request, not a grant
    log.send(before)
    grant = decide("granted", asked[0])
    for request, publisher, more in ((asked[0], "ann", {}), (asked[2], "agents", {}), (asked[2], ALICE, {}), (asked[2], None, {}),
                                     (asked[2], "ann", {"request": "ab" * 32}), (asked[2], "ann", {"access": 0}), (2, "ann", {})):
        decide("granted", request, publisher, **more)                      # refused, each for a reason of its own
    denial, unsigned, short = decide("denied", asked[2]), decide("granted", asked[1]), decide("granted", asked[3], expires_at=log.time(1))
    decide("granted", asked[2])                                            # decided already
    granted = log.hash(grant)
    log.send(act("a-10", granted, data={"amount": 1000, "to": "x"}, authid="user:ann"), act("a-11", granted, authid="user:eve"),
             act("a-12", granted), act("a-13", granted, False, source=BOB, authid="user:ann"), act("a-14", granted, authid="user:ann", subject="s"))
    log.send(act("a-15", granted, False, authid="user:ann"))               # unverified: it does not use the grant
    log.send(act("a-16", granted, authid="user:ann"), act("a-17", granted, authid="user:ann"))  # valid, used
    log.send(act("a-16", granted, False, authid="user:ann"))               # equivocation
    log.send(act("a-18", log.hash(denial)), act("a-19", log.hash(short)), act("a-20", "cd" * 32), act("a-21", log.hash(unsigned), False, source=BOB))
    forged = {**ask("a-23"), "subject": "another", "actiondigest": digest_of({"resource": "another"})}
    log.send(forged, ask("a-24", False, salt="a7" * 32))                    # unverified, requested without a signature
    log.tell("key.revoke", {"agent": ALICE, "key": alice.key, "previous": log.state.key_entry[ALICE], "reason": "lost"})
    free = log.hash(decide("granted", find(log, entry_id="a-24")))
    log.send(act("a-25", free, salt="a7" * 32), act("a-26", free, False, salt="a7" * 32))  # unverified: a revoked key; valid
    log.serve("query", "access", {"role": "query", "process": "query-1", "previous": log.state.access["query"]}, "approvers: []\n")
    again = log.send(ask("a-22", False, salt="a6" * 32), publisher="agents")[0]
    decide("denied", again, access=log.state.access["query"] - 1)          # another access is in force
    found = {leaf.get("approval_status") for leaf in map(json.loads, log.leaves)}
    assert found >= set(judge.APPROVAL.split("|")), set(judge.APPROVAL.split("|")) - found
    return log


LOGS = [upgrade, history, refusals, others, approvals]


def logs():
    made = [(make.__name__, make.__doc__, make()) for make in LOGS]
    log = made[0][2]
    return {"log": log.name, "secret": log.secret.hex(), "origin": log.origin, "vkey": log.vkey,
            "cases": [case(name, about, log) for name, about, log in made]}


# ---- wrong.json: logs that a dishonest sealer made

def rechained(log, index, **changes):
    """The leaves of a log in which one has other members; None takes one out. All after it are chained anew."""
    out, previous = [], "0" * 64
    for text in log.leaves:
        leaf = {**json.loads(text), "previous_hash": previous}
        if leaf["index"] == index:
            leaf.update(changes)
            leaf = {name: value for name, value in leaf.items() if value is not None}
        out.append(rules.canonical(leaf))
        previous = rules.sha256(b"\0" + out[-1].encode()).hex()
    return out


def wrong():
    cases = []

    def add(name, log, index, erased=(), **changes):
        leaves = rechained(log, index, **changes)
        records = {at: text for at, text in log.records.items() if at not in erased}
        found = judge.log(log.origin, leaves, records)
        assert found and found[0] == index, (name, found)
        cases.append({"name": name, "log": log.about, "changes": {"index": index, "members": changes}, "erased": list(erased),
                      "first_bad_index": index, "why": found[1]})

    for make in LOGS:
        log = make()
        log.about = make.__name__
        if make is history:
            for status in ("invalid", "replayed", "revoked", "unregistered"):
                add("%s is called verified" % status, log, find(log, signature_status=status), signature_status="verified")
            add("verified is called invalid", log, find(log, signature_status="verified"), signature_status="invalid")
            add("a verdict is left out", log, find(log, signature_status="verified"), signature_status=None, key_entry=None)
            add("an older key entry", log, find(log, entry_id="h-30"), key_entry=3)
            add("a verdict without a signature", log, find(log, entry_id="h-5"), signature_status="unknown_key")
            add("a required signature is missing", log, find(log, entry_id="h-34"), signature=None, agent_key=None, signature_status=None, key_entry=None)
            add("no blind", log, find(log, entry_id="h-5"), blind=None)
            at = find(log, event_type="sealstream.key.rotate")
            detail = log.leaf(at)["detail"]
            add("a key entry without a valid proof", log, find(log, event_type="sealstream.key.register"),
                detail={**log.leaf(3)["detail"], "after_seq": 0})
            add("a rotation with another old key", log, at, detail={**detail, "replaces": log.leaf(29)["detail"]["key"]})
            add("a rotation that leaves out an entry", log, at, detail={**detail, "previous": 3})
        if make is others:
            at = find(log, entry_id="f-3")
            add("foreign is called verified", log, at, signature_status="verified")
            add("foreign, erased, and of a key that was not revoked", log, at, erased=[at], signature_status="revoked")
            add("no material_key", log, at, material_key=None)
        if make is approvals:
            for status in ("used", "mismatched", "expired", "unverified", "unknown"):
                add("%s is called valid" % status, log, find(log, approval_status=status, cloudevent_type="ai.agentmesh.tool.invoked"), approval_status="valid")
            at = find(log, event_type="sealstream.approval.granted")
            detail = log.leaf(at)["detail"]
            add("a self-approval", log, at, publisher="agents")
            add("an approval by nobody", log, at, publisher=None)
            add("an approval of another request", log, at, detail={**detail, "request_index": find(log, entry_id="a-3")})
            add("an approval of what is no request", log, at, detail={**detail, "request": log.hash(1), "request_index": 1})
            add("an approval under another access", log, at, detail={**detail, "access": 1})
            add("a decision of another role", log, at, detail={**detail, "role": "alert"})
            at = find(log, approval_status="used")
            add("used is called valid, and its record was erased", log, at, erased=[at], approval_status="valid")
    return {"cases": cases}


FILES = {"values": values, "ed25519": signatures, "keys": keys, "events": events, "replays": replays, "leaves": leaves, "foreign": foreign,
         "sizes": sizes, "logs": logs, "wrong": wrong}


def main(check):
    ed25519.check()
    differ = []
    for name, make in FILES.items():
        text = (json.dumps(make(), indent=1, ensure_ascii=False) + "\n").encode()
        path = HERE / (name + ".json")
        if check and (not path.exists() or path.read_bytes() != text):
            differ.append(path.name)
        elif not check:
            path.write_bytes(text)
    if differ:
        sys.exit("not what make.py writes: " + ", ".join(differ))


if __name__ == "__main__":
    main(sys.argv[1:] == ["--check"])
