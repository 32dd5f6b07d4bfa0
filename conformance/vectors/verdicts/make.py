"""Makes the vectors of docs/SPEC-verdicts.md beside this file, or checks them:

    python3 make.py            writes the files
    python3 make.py --check    fails unless they are what it would write
"""
import base64
import importlib.util
import json
import pathlib
import sys

import keyed  # before what is beside rules 4: it says where that is
import approving
import checks
import history
import judging
from history import ALICE, BOB, agents, find, seed

import ed25519
import rules
import seal

HERE = pathlib.Path(__file__).resolve().parent
SECRET = bytes(range(32))
spec = importlib.util.spec_from_file_location("rules4_make", HERE.parent / "rules4" / "make.py")
older = importlib.util.module_from_spec(spec)
spec.loader.exec_module(older)
note = older.note


# ---- values.json (9.2, 13.1)

def values():
    salt = seed("a salt")
    event = {"agent_did": ALICE, "cloudevent_type": "ai.agentmesh.tool.invoked"}
    typed = {"extensions": {"datacontenttype": "application/json", "dataschema": "https://schemas.example/1", "note": "n"}}
    actions = [("least", event, None), ("no bytes of data", event, b""), ("data of a type", {**event, **typed}, b"{}"),
               ("all", {**event, **typed, "resource": "file:///\u00e9", "target_did": BOB}, b'{"amount": 1.0}'),
               ("request", {**event, "cloudevent_type": "x", "action_type": "ai.agentmesh.tool.invoked"}, b"{}")]
    return {
        "senders_salt": [{"name": name, "secret": SECRET.hex(), "source": ALICE, "id": "e-1", "data": data,
                          "salt": keyed.senders_salt(SECRET, ALICE, "e-1", data.encode()).hex()}
                         for name, data in (("data", '{"pin":1234}'), ("no bytes", ""))],
        "action": [{"name": name, "leaf": leaf, **({} if data is None else {"data": data.decode()}), "salt": salt.hex(),
                    "action": keyed.action(leaf, data), "digest": keyed.action_digest(salt, keyed.action(leaf, data))}
                   for name, leaf, data in actions],
    }


# ---- ed25519.json (10.1, 10.2)

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


# ---- keys.json (10.1, 10.4)

def keys():
    p = ed25519.P
    bad = [("y is p, a point of small order", p.to_bytes(32, "little")), ("y is p + 3", (p + 3).to_bytes(32, "little")),
           ("y is 2, no point of the curve", (2).to_bytes(32, "little")), ("x is 0 with the sign bit", bytes([1] + [0] * 30 + [128]))]
    bad += [("small order %d" % n, raw) for n, raw in enumerate(ed25519.SMALL)]
    ids = [note("a key", True, public_key=ed25519.public_key(seed("k")).hex(), key_id=keyed.key_id(ed25519.public_key(seed("k"))))]
    ids += [note("y is 3", True, public_key=(3).to_bytes(32, "little").hex(), key_id=keyed.key_id((3).to_bytes(32, "little")))]
    ids += [note(name, False, "not acceptable", public_key=raw.hex(), key_id=keyed.key_id(raw)) for name, raw in bad]
    one = ids[0]["key_id"]
    ids += [note(name, False, "no key id", key_id=text) for name, text in (
        ("short", one[:-1]), ("long", one + "1"), ("another alphabet", one[:-1] + "0"), ("another base", "Z" + one[1:]),
        ("prefix of another kind of key", "z6LS" + one[4:]), ("did", "did:key:" + one))]
    assert all((keyed.public_of(case["key_id"]) is not None) == case["ok"] for case in ids)
    log = judging.Log()
    log.judge_all()
    alice, second = agents(log, 1, 2)
    register = alice.registration()
    log.tell("key.register", register)
    proofs = [{"name": name, "origin": log.origin, "log": log.hash(0), "kind": kind, "detail": detail,
               "signed": log.place.proof_bytes(kind, detail).decode()}
              for name, kind, detail in (("register", "register", register), ("rotate", "rotate", alice.rotation(second)),
                                         ("rotate by_admin", "rotate", alice.rotation(second, True)))]
    return {"ids": ids, "proofs": proofs}


# ---- statements.json (11.1, 11.2)

def statements():
    log = judging.Log()
    log.judge_all()
    alice, = agents(log, 1)
    cases = []
    for name, event in (("no data", alice.event("s-1")),
                        ("data, and members of every kind", alice.event("s-2", {"a": 1}, subject="\u00e9", authid="user:ann", traceid="t", note="n")),
                        ("redacted by its sender", alice.event("s-3", {"a": "[REDACTED:code]"}, redactions="code:/data/a more:"))):
        leaf = alice.unsealed(event)
        cases.append({"name": name, "origin": log.origin, "log": log.hash(0), "event": seal.compact(event), "statement": log.place.statement(leaf),
                      "signature": event["agentsignature"], "link": log.place.link(leaf)})
    return {"cases": cases}


# ---- replays.json (11.3)

def replays():
    cases = []
    for name, after, numbers in (
            ("from the beginning", 0, (1, 2, 2, 4, 3, 3, 1, 4)), ("after_seq", 41, (41, 40, 1, 42, 42, 43)),
            ("the edge of the bitmap", 0, (1024, 1, 1, 1025, 2, 1, 1026, 2, 3, 3)),
            ("a shift by 1,023", 0, (1, 1024, 1, 2)), ("a shift by 1,024", 0, (1, 1025, 1, 2, 2)), ("a shift by 1,025", 0, (1, 1026, 2, 3, 1)),
            ("the largest number", 0, (2**53 - 1, 2**53 - 1, 2**53 - 2, 2**53 - 1024, 2**53 - 1025, 1))):
        state, steps = keyed.Seen(after), []
        for n in numbers:
            seen = state.has(n)
            if not seen:
                state.note(n)
            steps.append({"number": n, "seen": seen, "high": state.high, "bits": state.text()})
        cases.append({"name": name, "after_seq": after, "steps": steps})
    return {"cases": cases}


def deep(levels):
    return [] if levels == 1 else [deep(levels - 1)]


# ---- foreign.json (12.3)

def foreign():
    leaf = {"entry_id": "1", "agent_did": "example/uri", "cloudevent_type": "example.type.binary", "event_type": "example.type.binary",
            "extensions": {"datacontenttype": "application/octet-stream"}, "received_at": "2026-12-01T08:00:00.000000000Z",
            "timestamp": "2026-12-01T08:00:00.000000000Z"}
    record = {"data_raw": "\U0001f921", "salt": "00" * 32}
    full = {**leaf, "resource": "s", "timestamp": "2020-06-18T17:24:53.987Z", "agent_seq": 7, "action": "allow", "principal": "p",
            "extensions": {"dataschema": "d", "exta": "value1", "signedextattrs": "exta,agentseq,action,authid,actionsalt"}}
    digests = [("CloudEvents verifiability, case 5", leaf, record), ("no data", leaf, {"salt": "00" * 32}),
               ("every part", full, {**record, "action_salt": "ab" * 32})]
    assert base64.b64encode(keyed.foreign_digest(leaf, record)).decode() == "qCSeiZkS+hH9WiClfq6plfqYNVy2kvxWRfoBrLEzoDk="
    good = judging.material(seed("f"), leaf, record)
    inner = json.loads(base64.b64decode(good))

    wrap = judging.wrapped
    envelopes = [("as it should be", good, True), ("URL-safe base64 inside", judging.material(seed("f"), leaf, record, alphabet=base64.urlsafe_b64encode), True),
                 ("members that are not known", wrap({**inner, "more": [1]}), True), ("no base64", "{}", False), ("no padding", good.rstrip("=") + "A", False),
                 ("no object", wrap([inner]), False), ("a member twice", wrap(seal.compact(inner)[:-1] + ',"payload":"x"}'), False),
                 ("another payloadType", wrap({**inner, "payloadType": "x"}), False), ("31 bytes", wrap({**inner, "payload": "AA" * 20 + "A="}), False),
                 ("no signatures", wrap({**inner, "signatures": []}), False), ("17 signatures", wrap({**inner, "signatures": inner["signatures"] * 17}), False),
                 ("no keyid", wrap({**inner, "signatures": [{"sig": "AA=="}]}), False),
                 ("both alphabets in one string", wrap({**inner, "payload": "+_" + "A" * 41 + "="}), False), ("one alphabet each", wrap({**inner, "payload": "__" + "A" * 41 + "="}), True),
                 ("unused bits inside", wrap({**inner, "payload": inner["payload"][:-2] + "B="}), False), ("no padding inside", wrap({**inner, "payload": inner["payload"][:-1]}), False),
                 ("a signature of no bytes", wrap({**inner, "signatures": [{"keyid": "", "sig": ""}]}), True), ("32 deep", wrap({**inner, "more": deep(31)}), True),
                 ("33 deep", wrap({**inner, "more": deep(32)}), False), ("NaN", wrap(seal.compact(inner)[:-1] + ',"more":NaN}'), False),
                 ("a lone surrogate", wrap(seal.compact(inner)[:-1] + ',"more":"\\ud800"}'), False), ("null", wrap({**inner, "payload": None}), False),
                 ("a number of any form", wrap(seal.compact(inner)[:-1] + ',"more":-1.5e99}'), True), ("empty", "", False)]
    assert all((keyed.envelope(text) is not None) == ok for _, text, ok in envelopes)
    lists = [("", True), ("a", True), ("a,b", True), ("a, b", False), ("a,a", False), ("a,", False), ("A", False), ("time", False), ("data", False),
             ("dssematerial", False), ("signedextattrs", False), ("agentseq,datasalt", True), ("traceid", False), ("redactions", False), ("traceparent", True)]
    assert all((keyed.signed_names({"extensions": {"signedextattrs": text}}) is not None) == ok for text, ok in lists)
    return {"digests": [{"name": name, "leaf": leaf, "record": record, "digest": keyed.foreign_digest(leaf, record).hex()}
                        for name, leaf, record in digests],
            "envelopes": [{"name": name, "dssematerial": text, "ok": ok} for name, text, ok in envelopes],
            "signedextattrs": [{"name": text or "empty", "value": text, "ok": ok} for text, ok in lists]}


# ---- logs.json, wrong.json

LOGS = [history.upgrade, history.history, history.redactions, history.between, history.refusals, history.others,
        approving.approvals, approving.withdrawn, approving.actions]


def logs():
    return older.whole_logs(LOGS, checks.Checks)


def wrong():
    lies = older.Lies(checks.Checks)
    by_name = {make.__name__: make() for make in LOGS}
    for name, log in by_name.items():
        log.about = name
    lies_about_signatures(lies, by_name["history"])
    lies_about_others(lies, by_name["others"])
    lies_about_approvals(lies, by_name["approvals"])
    log = by_name["upgrade"]
    lies.add("a verdict before verdicts", log, find(log, entry_id="u-5"), signature_status="unknown_key")
    lies.add("verdicts are turned off", log, log.config_index, detail={**log.leaf(log.config_index)["detail"], "rules": 3})
    log = by_name["redactions"]
    lies.add("redactions were stripped", log, find(log, entry_id="kept-1"), redactions=None)
    lies.add("redactions were added", log, find(log, entry_id="none-1"), redactions=[{"kind": "code", "path": "/data/a"}])
    log = by_name["withdrawn"]
    at = find(log, entry_id="w-4")
    lies.add("a grant that was withdrawn is valid", log, at, approval_status="valid")
    log = by_name["actions"]
    lies.add("a foreign request is requested", log, find(log, entry_id="x-7"), approval_status="requested")
    return {"cases": lies.cases}


def lies_about_signatures(lies, log):
    for status in ("invalid", "replayed", "revoked", "unregistered"):
        lies.add("%s is called verified" % status, log, find(log, signature_status=status), signature_status="verified")
    lies.add("verified is called invalid", log, find(log, signature_status="verified"), signature_status="invalid")
    lies.add("a verdict is left out", log, find(log, signature_status="verified"), signature_status=None, key_entry=None)
    lies.add("an older key entry", log, find(log, entry_id="h-30"), key_entry=3)
    lies.add("a verdict without a signature", log, find(log, entry_id="h-5"), signature_status="unknown_key")
    lies.add("a required signature is missing", log, find(log, entry_id="h-34"), signature=None, agent_key=None, signature_status=None, key_entry=None)
    at = find(log, event_type="sealstream.key.register")
    lies.add("a key entry without a valid proof", log, at, detail={**log.leaf(at)["detail"], "after_seq": 0})
    at = find(log, event_type="sealstream.key.rotate")
    detail = log.leaf(at)["detail"]
    lies.add("a rotation with another old key", log, at, detail={**detail, "replaces": log.leaf(find(log, entry_id="h-25"))["agent_key"]})
    lies.add("a rotation that leaves out an entry", log, at, detail={**detail, "previous": 3})
    lies.add("a revocation without a reason", log, find(log, event_type="sealstream.key.revoke"), detail={
        k: v for k, v in log.leaf(find(log, event_type="sealstream.key.revoke"))["detail"].items() if k != "reason"})


def lies_about_others(lies, log):
    at = find(log, entry_id="f-3")
    lies.add("foreign is called verified", log, at, signature_status="verified")
    lies.add("foreign, erased, and of a key that was not revoked", log, at, missing=[at], signature_status="revoked")
    lies.add("no material_key", log, at, material_key=None)
    lies.add("no material_key, erased", log, at, missing=[at], material_key=None)
    lies.add("a chosen key that is revoked, though another is registered", log, find(log, entry_id="f-16"), signature_status="revoked",
             material_key=log.leaf(find(log, entry_id="f-15"))["material_key"])


def lies_about_approvals(lies, log):
    for status in ("used", "mismatched", "expired", "unverified", "unknown", "denied"):
        lies.add("%s is called valid" % status, log, find(log, approval_status=status, cloudevent_type="ai.agentmesh.tool.invoked"), approval_status="valid")
    at = find(log, event_type="sealstream.approval.granted")
    detail = log.leaf(at)["detail"]
    lies.add("a self-approval", log, at, publisher="agents")
    lies.add("an approval by nobody", log, at, publisher=None)
    lies.add("an approval of another request", log, at, detail={**detail, "request_index": find(log, entry_id="a-3")})
    lies.add("an approval of what is no request", log, at, detail={**detail, "request": log.hash(1), "request_index": 1})
    lies.add("an approval under another access", log, at, detail={**detail, "access": 1})
    lies.add("a decision of another role", log, at, detail={**detail, "role": "alert"})
    at = find(log, entry_id="a-17")
    lies.add("used is called valid, erased", log, at, missing=[at], approval_status="valid")
    lies.add("used is called requested, erased", log, at, missing=[at], approval_status="requested")
    at = find(log, entry_id="a-1")
    lies.add("a request without action_digest, erased", log, at, missing=[at], action_digest=None, signature=None, agent_key=None,
             signature_status=None, key_entry=None)
    lies.add("a request that is an intent, too, erased", log, at, missing=[at], approval="ab" * 32, signature=None, agent_key=None,
             signature_status=None, key_entry=None)
    at = find(log, approval_status="equivocation")
    lies.add("an equivocation is called mismatched, erased", log, at, missing=[at], approval_status="mismatched")


FILES = {"values": values, "ed25519": signatures, "keys": keys, "statements": statements, "replays": replays, "foreign": foreign,
         "logs": logs, "wrong": wrong}

if __name__ == "__main__":
    older.main(HERE, FILES, sys.argv[1:] == ["--check"])
