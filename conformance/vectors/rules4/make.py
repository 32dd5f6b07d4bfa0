"""Makes the vectors of docs/SPEC-rules4.md beside this file, or checks them:

    python3 make.py            writes the files
    python3 make.py --check    fails unless they are what it would write
"""
import json
import pathlib
import re
import sys

import batches
import ed25519
import forms
import judge
import logs
import mixed
import rules
import seal

HERE = pathlib.Path(__file__).resolve().parent
SECRET = bytes(range(32))


def note(name, ok, why=None, **more):
    return {"name": name, "ok": ok, **({"why": why} if why else {}), **more}


def seed(text):
    return rules.sha256(text.encode())


# ---- values.json (1.2, 4.3)

def values():
    own = "6f8f8e0e-0000-5000-8000-000000000000"
    salt = seed("a salt")
    records = [("material", {"dssematerial": "e30="}), ("salt of an action", {"action_salt": seed("b").hex()}),
               ("both", {"action_salt": seed("b").hex(), "dssematerial": "e30="}), ("of no form", {"action_salt": "é"})]
    places = ((1, 2, 0, "event"), (1, 2, 1, "event"), (1, 3, 0, "event"), (2, 2, 0, "event"), (1, 2, 0, "equivocation"),
              (1, 2, 0, "access"), (1, 2, 0, "approval.granted"), (2**53 - 1, 2**53 - 1, 2**53 - 1, "gap"))
    return {
        "blind": [{"name": "%s %d/%d/%d" % (kind, epoch, seq, position), "secret": SECRET.hex(), "input_epoch": epoch, "input_seq": seq,
                   "position": position, "kind": kind, "blind": rules.blind(SECRET, epoch, seq, position, kind)}
                  for epoch, seq, position, kind in places],
        "own_salt": [{"name": kind, "secret": SECRET.hex(), "kind": kind, "entry_id": own, "whole": "refused",
                      "salt": rules.own_salt(SECRET, kind, own, b"refused").hex()}
                     for kind in ("rejected", "rejected.digest", "access", "read", "approval.granted", "approval.denied")],
        "beside_salt": [{"name": name, "secret": SECRET.hex(), "source": logs.ALICE, "id": "e-1", **beside,
                         "salt": rules.beside_salt(SECRET, logs.ALICE, "e-1", beside).hex()} for name, beside in records],
        "input_digest": [{"name": "digest", "secret": SECRET.hex(), "digest": seed("d").hex(),
                          "input_digest": rules.input_digest(SECRET, seed("d"))}],
        "record_hash": [{"name": name, "salt": salt.hex(), **beside, "record_hash": rules.record_hash({"salt": salt.hex(), **beside})}
                        for name, beside in records],
    }


# ---- events.json (4.1, 4.2)

def events():
    """Each event as it is sealed under rules 3 and under rules 4 at one place: one fingerprint, or two."""
    cases = []
    claims = {"authid": "user:ann", "authtype": "app_user", "causationid": "entry:" + "ab" * 32, "policyversion": "7",
              "actiondigest": "cd" * 32, "actiontype": "x.z", "approvalgrant": "ef" * 32}
    patterns = {"set": 0, "patterns": [{"kind": "hex", "match": "[0-9a-fA-F]{16,}"}]}
    for name, more, same, redaction in (
            ("plain", {}, True, None), ("with data", {"data": {"a": 1}}, True, None),
            ("all that move", {**claims, "agentkey": logs.KEY, "note": "n"}, True, None),
            ("empty or malformed values stay", {"authid": "", "agentkey": "k1", "actiondigest": "CD" * 32, "approvalgrant": "1"}, True, None),
            ("capture stays", {"capture": "observed"}, True, None),
            ("what leaves the leaf", {"dssematerial": "e30=", "actionsalt": "ab" * 32}, False, None),
            ("it leaves in any form", {"actionsalt": "x", "dssematerial": "é"}, False, None),
            ("what is empty stays", {"actionsalt": "", "dssematerial": ""}, True, None),
            ("redactions move", {"redactions": "code:/data/x"}, False, None),
            ("redactions of another form stay", {"redactions": "code"}, True, None),
            ("redacted by both", {"note": "ab" * 32}, True, patterns),
            ("redacted by rules 3 alone", {"actiondigest": "ab" * 32, "approvalgrant": "cd" * 32, "signedextattrs": "a" * 16}, False, patterns),
            ("redacted by both, of no form", {"actiondigest": "AB" * 32, "approvalgrant": "x" + "cd" * 32}, True, patterns),
            ("signed and altered", {"agentsignature": "c2ln", "note": "ab" * 32}, False, patterns)):
        case = {"name": name, "event": seal.compact(logs.event("e-1", **more)), **({"redaction": redaction} if redaction else {})}
        for number in (3, 4):
            log = seal.Log()
            redacts = {"redaction": redaction} if redaction else {}
            log.configure(3, **redacts)
            log.configure(number, **redacts)  # so that both have the same place
            leaf = log.leaf(log.send(logs.event("e-1", **more))[0])
            case["leaf%d" % number] = log.leaves[leaf["index"]]
            case["fingerprint%d" % number] = rules.fingerprint(leaf)
        assert same == (case["fingerprint3"] == case["fingerprint4"]), name
        cases.append(case)
    return {"cases": cases}


# ---- leaves.json (3, 4.1, 5)

def without(leaf, *names):
    return {k: v for k, v in leaf.items() if k not in names}


def leaves():
    log = seal.Log()
    log.configure(4)
    log.serve("query", "access", {"role": "query", "process": "query-1"}, "rules: 1\n")
    log.serve("query", "read", logs.read(log, first=0, last=1), publisher="ann")
    good = log.leaf(log.send(logs.signed("l-1", authid="user:ann", dssematerial="e30="))[0])
    config, access, read = log.leaf(0), log.leaf(1), log.leaf(2)
    plain = without(good, "record_hash", "principal")
    altered = {**without(plain, "signature"), "altered": True, "redactions": [{"kind": "private", "path": "/tenant"}]}
    judged = {**good, "principal_type": "app_user", "caused_by": "e", "policy_version": "7", "action_digest": "ab" * 32, "action_type": "x",
              "approval": "cd" * 32, "signature_status": "verified", "key_entry": 7, "material_key": good["agent_key"], "approval_status": "malformed"}
    cases = []

    def case(name, leaf, why=None):
        text = rules.canonical(leaf)
        assert (judge.fault(text) is None) == (why is None), (name, judge.fault(text))
        cases.append(note(name, why is None, why, leaf=text, **({} if why else {"entry_hash": rules.sha256(b"\0" + text.encode()).hex()})))

    for name, leaf in (("signed event", good), ("plain event", plain), ("altered event", altered), ("access", access), ("read", read),
                       ("config of index 0", config), ("all members", judged)):
        case(name, leaf)
    for status in judge.SIGNATURE.split("|"):
        case("signature_status " + status, {**good, "signature_status": status})
    for status in judge.APPROVAL.split("|"):
        case("approval_status " + status, {**good, "approval_status": status})
    case("key_entry alone", {**good, "key_entry": 7}, "it stands beside signature_status")
    case("material_key alone", {**good, "material_key": good["agent_key"]})
    case("new members without blind", without(good, "blind"), "new members need blind")
    case("blind of 31 digits", {**good, "blind": good["blind"][:31]}, "form")
    case("blind in capitals", {**good, "blind": "A" * 32}, "form")
    case("status absent", {**good, "signature_status": "absent"}, "absent is no value of the member")
    case("unknown status", {**good, "approval_status": "granted"}, "form")
    case("altered is false", {**altered, "altered": False}, "altered is true or missing")
    case("altered with a signature", {**altered, "signature": good["signature"]}, "4.4")
    case("altered with a record_hash", {**altered, "record_hash": "ab" * 32}, "4.4")
    case("altered without redactions", without(altered, "redactions"), "6")
    case("empty principal", {**good, "principal": ""}, "an empty value stays in extensions")
    case("key id of another alphabet", {**good, "agent_key": "z6Mk" + "0" * 44}, "form")
    case("action_digest in capitals", {**good, "action_digest": "AB" * 32}, "form")
    case("record_hash is null", {**good, "record_hash": None}, "form")
    case("key_entry is no integer", {**good, "key_entry": "1"}, "form")
    for member in ("principal", "altered", "record_hash", "signature_status"):
        case("an own entry with " + member, {**access, member: judged.get(member, True)}, "only entries of events have it")
    case("capture", {**good, "capture": "observed"}, "no leaf has this member")
    for name, value, why in (
            ("authid", "a", "moves"), ("authid", "", None), ("agentkey", "k", None), ("approvalgrant", "ab" * 32, "moves"), ("approvalgrant", "x", None),
            ("dssematerial", "x", "leaves the leaf"), ("dssematerial", "", None), ("actionsalt", "ab" * 32, "leaves the leaf"),
            ("actionsalt", "x", "leaves the leaf"), ("redactions", "code:/data", "moves"), ("redactions", "code", None), ("capture", "observed", None)):
        case("extension %s %.8s" % (name, value or "empty"), {**without(plain, "agent_key"), "extensions": {name: value}}, why)
    for name, value in (("authid", ""), ("agentkey", "k")):
        case("extension %s beside its member" % name, {**good, "extensions": {name: value}}, "an attribute occurs once")
    for own, name, more, why in (
            (access, "blind", None, "rules 4"), (access, "data_hash", None, "text is required"), (read, "publisher", None, "publisher is required"),
            (access, "detail", None, "form"), (access, "detail", {"role": "sink"}, "form"), (access, "detail", {"previous": 1}, "not an index"),
            (access, "detail", {"previous": None}, "form"), (access, "detail", {"process": ""}, "form"), (access, "detail", {"process": "é" * 129}, "form"),
            (access, "detail", {"more": 1}, "form"), (read, "detail", {"access": 2}, "not an index"), (read, "detail", {"last": 3, "first": 4}, "no range"),
            (read, "detail", {"kind": "look"}, "form"), (read, "detail", {"call": "c" * 65}, "form"), (read, "detail", {"count": "1"}, "form")):
        changed = without(own, name) if more is None else {**own, name: {**own[name], **more}}
        case("%s, %s %s" % (own["event_type"][11:], name, seal.compact(more)), changed, why)
    return {"cases": cases}


# ---- sizes.json (4.5)

def sizes():
    def event(fill, more=()):
        return [["specversion", "1.0"], ["id", "w"], ["source", logs.ALICE], ["type", "x.y"], *more,
                *[["a%d" % n, {"repeat": '"', "times": 4000}] for n in range(7)], ["b", {"repeat": "b", "times": 4096}], ["bb", {"repeat": "b", "times": 1000}],
                ["c", {"repeat": "c", "times": fill}]]

    def text(value):
        return value if isinstance(value, str) else value["repeat"] * value["times"]

    def measured(attributes):
        leaf = seal.Event({name: text(value) for name, value in attributes}, 4).leaf
        leaf.update(received_at="r", timestamp=leaf.get("timestamp", "r"))
        return seal.measure(leaf)

    moved = [["authid", "p"], ["agentkey", logs.KEY], ["actionsalt", "ab" * 32], ["time", "2026-12-01T08:00:00Z"], ["redactions", "code:/data/x more:"]]
    cases = []
    for name, more in (("plain", ()), ("members that move", moved)):
        fill = 65535 - measured(event(0, more))
        for extra in (0, 1):
            attributes = event(fill + extra, more)
            assert measured(attributes) == 65535 + extra and fill + extra < 4096
            cases.append({"name": "%s, %d" % (name, 65535 + extra), "attributes": attributes, "measure": 65535 + extra, "ok": extra == 0})
    small = [["specversion", "1.0"], ["id", "w"], ["source", logs.ALICE], ["type", "x.y"]]
    cases.append({"name": "small", "attributes": small, "measure": measured(small), "ok": True})
    return {"cases": cases}


# ---- logs.json: whole logs

REPEATED = re.compile(r"(.{1,2}?)\1{199,}", re.S)


def short(text):
    """A text as bytes of the vectors: long repetitions are written short."""
    parts, last = [], 0
    for found in REPEATED.finditer(text):
        parts += [text[last:found.start()], {"repeat": found[1], "times": len(found[0]) // len(found[1])}]
        last = found.end()
    return [part for part in parts + [text[last:]] if part] if parts else text


def case(log, name, about, judges=judge.Judge):
    found = judge.log(log.origin, log.leaves, log.records, judges)
    assert found is None, (name, found)
    return {"name": name, "about": about, "messages": [{**m, "body": short(m["body"])} for m in log.messages],
            "leaves": list(map(short, log.leaves)), "payloads": [short(log.records[index]) for index in sorted(log.records)]}


LOGS = [*logs.LOGS, mixed.mixed1, mixed.mixed2, mixed.mixed3]


def whole_logs(makers=LOGS, judges=judge.Judge):
    made = [(make.__name__, make.__doc__, make()) for make in makers]
    log = made[0][2]
    return {"log": log.name, "secret": log.secret.hex(), "origin": log.origin, "vkey": log.vkey,
            "cases": [case(log, name, about, judges) for name, about, log in made]}


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


def find(log, **members):
    """The index of the first leaf with these members."""
    return next(leaf["index"] for leaf in map(json.loads, log.leaves) if all(leaf.get(k) == v for k, v in members.items()))


class Lies:
    """The cases of a wrong.json."""

    def __init__(self, judges=judge.Judge):
        self.judges, self.cases = judges, []

    def add(self, name, log, index, missing=(), records=None, **changes):
        leaves = rechained(log, index, **changes)
        kept = {at: text for at, text in {**log.records, **(records or {})}.items() if at not in missing}
        found = judge.log(log.origin, leaves, kept, self.judges)
        assert found and found[0] == index, (name, found)
        self.cases.append({"name": name, "log": log.about, "changes": {"index": index, "members": changes}, "missing": list(missing),
                           **({"records": {str(at): text for at, text in records.items()}} if records else {}),
                           "first_bad_index": found[0], "why": found[1]})


def wrong():
    lies = Lies()
    by_name = {}
    for make in logs.LOGS:
        by_name[make.__name__] = make()
        by_name[make.__name__].about = make.__name__
    log = by_name["records"]
    for name, id, changes in (
            ("no blind", "p-4", {"blind": None}), ("a verdict without verdicts", "p-4", {"signature_status": "unknown_key"}),
            ("a status without verdicts", "p-4", {"approval_status": "malformed"}), ("a key entry without verdicts", "p-4", {"signature_status": "unknown_key", "key_entry": 0}),
            ("another record_hash", "p-1", {"record_hash": "ab" * 32}), ("no record_hash", "p-2", {"record_hash": None}),
            ("a record_hash too many", "p-3", {"record_hash": "ab" * 32}), ("no data_hash", "p-2", {"data_hash": None}),
            ("a signature of an altered event", "p-12", {"signature": "c2lnbmVk"}), ("a record_hash of an altered event", "p-12", {"record_hash": "ab" * 32}),
            ("a member in extensions", "p-16", {"extensions": {"causationid": "c"}, "caused_by": None})):
        lies.add(name, log, find(log, entry_id=id), **changes)
    at = find(log, entry_id="p-1")
    record = json.loads(log.records[at])
    lies.add("another record", log, at, records={at: rules.canonical({**record, "dssematerial": "e31="})})
    lies.add("a record of less", log, at, records={at: rules.canonical(without(record, "dssematerial"))})
    lies.add("a record of more", log, find(log, entry_id="p-3"), records={
        find(log, entry_id="p-3"): rules.canonical({**json.loads(log.records[find(log, entry_id="p-3")]), "action_salt": "x"})})
    lies.add("no record of an event without data", log, at, missing=[at])
    log = by_name["upgrade"]
    lies.add("blind before rules 4", log, find(log, entry_id="u-1"), blind="00" * 16)
    log = by_name["unredacted"]
    lies.add("altered, but nothing is redacted", log, find(log, entry_id="s-1"), altered=True)
    log = by_name["services"]
    second = 3
    detail = log.leaf(second)["detail"]
    lies.add("an access that leaves one out", log, second, detail=without(detail, "previous"))
    lies.add("an access that names another", log, second, detail={**detail, "previous": 0})
    lies.add("an access that names a later one", log, second, detail={**detail, "previous": second})
    lies.add("an access of another role", log, second, detail={**detail, "role": "alert"})
    lies.add("an access of no role", log, second, detail={**detail, "role": "sink"})
    lies.add("an access without a text", log, second, data_hash=None)
    lies.add("an access without a record", log, second, missing=[second])
    at = find(log, event_type="sealstream.read")
    detail = log.leaf(at)["detail"]
    lies.add("a read by nobody", log, at, publisher=None)
    lies.add("a read by an access to come", log, at, detail={**detail, "access": at})
    lies.add("a read of another kind", log, at, detail={**detail, "kind": "look"})
    log = by_name["before"]
    config = log.leaf(log.config_index)["detail"]
    lies.add("a private field that cannot be private", log, log.config_index, detail={**config, "redaction": {"private_fields": ["actionsalt"], "set": 0}})
    lies.add("verdicts, which need a newer release", log, log.config_index, detail={**config, "verdicts": True})
    lies.add("a required signature without verdicts", log, log.config_index, detail={**config, "require_signatures": ["a"]})
    log = by_name["refusals"]
    lies.add("rules are lowered", log, log.config_index, detail={**log.leaf(log.config_index)["detail"], "rules": 3})
    return {"cases": lies.cases}


FILES = {"values": values, "events": events, "leaves": leaves, "sizes": sizes, "logs": whole_logs, "batches": batches.cases,
         "wrong": wrong}


def main(here, files, check):
    ed25519.check()
    differ = []
    for name, make in files.items():
        text = (json.dumps(make(), indent=1, ensure_ascii=False) + "\n").encode()
        path = here / (name + ".json")
        if check and (not path.exists() or path.read_bytes() != text):
            differ.append(path.name)
        elif not check:
            path.write_bytes(text)
    if differ:
        sys.exit("not what make.py writes: " + ", ".join(differ))


if __name__ == "__main__":
    main(HERE, FILES, sys.argv[1:] == ["--check"])
