"""Whole logs of rules 4 without verdicts, for make.py."""
import json

import rules
import seal

ALICE, BOB, CAROL = "did:web:alice.example", "did:web:bob.example", "did:web:carol.example"
KEY = "z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH"
LINK = "ab" * 32
SECRET = [{"kind": "code", "match": "secret-[0-9]+"}]


def event(id, source=ALICE, **more):
    return {"specversion": "1.0", "id": id, "source": source, "type": "x.y", **more}


def signed(id, **more):
    """An event with the attributes of a signature. Nobody judges it."""
    return event(id, time="2026-12-01T07:59:59.5Z", agentsignature="c2lnbmVk", agentkey=KEY, agentseq="1", agentprev=LINK, **more)


def upgrade():
    """A retry is the same event after the upgrade, whatever the two rules make of it."""
    log = seal.Log()
    log.configure(3, redaction={"set": 0, "patterns": [{"kind": "hex", "match": "a5a5[0-9a-f]+"}, {"kind": "e", "match": "^e30="}]})
    first = [
        event("u-1", data={"a": 1}),
        event("u-2", authid="user:ann", authtype="app_user", causationid="u-1", policyversion="7", actiontype="x.z",
              actiondigest="cd" * 32, approvalgrant="ef" * 32, agentkey=KEY, note="n"),
        event("u-3", dssematerial="e31=", actionsalt="ab" * 32),
        event("u-4", actionsalt="a5" * 32, dssematerial="e30=", actiondigest="a5" * 32, data={"a": "a5a5ff"}),  # rules 3 put marks there
        signed("u-5", data={"a": "a5a5ff"}),                     # altered under rules 4, signature and all under rules 3
        event("u-6", redactions="code:/data/x"),
        event("u-7", authid="", agentkey="k1", actionsalt="x"),
    ]
    log.send(*first)
    log.serve("query", "access", {"role": "query", "process": "query-1"}, "too early")
    log.configure(4, redaction=log.config["redaction"])
    log.send(*first)                                              # repeats
    later = [{**e, "id": "v" + e["id"][1:]} for e in first]
    log.send(*later)
    log.send(*later, *first)                                      # repeats
    log.send({**first[0], "data": {"a": 2}}, {**first[1], "authid": "user:eve"}, {**first[2], "dssematerial": "e32="})
    log.send({**later[2], "dssematerial": "e32="}, {**later[2], "actionsalt": "cd" * 32}, {**later[1], "authid": "user:eve"})
    log.send({**first[2], "dssematerial": "e32="})                # a repeat of the equivocation
    return log


def unredacted():
    """The upgrade of a log without redaction: redactions was an extension, and becomes a member."""
    log = seal.Log()
    log.configure(1)
    first = [event("r-1", redactions="code:/data/x"), event("r-2", redactions="code:/data/x code:/data/x"),
             event("r-3", redactions="not a list"), event("r-4", redactions="code:/data/x more:"), signed("r-5", redactions="code:/note")]
    log.send(*first)
    log.configure(4)
    log.send(*first)
    log.send(*[{**e, "id": "s" + e["id"][1:]} for e in first])
    return log


def records():
    """Payload records with and without data, and what becomes of salts that have no form."""
    log = seal.Log()
    log.configure(4, redaction={"set": 0, "private_fields": ["tenant"], "patterns": SECRET})
    both = {"dssematerial": "e30=", "actionsalt": "ab" * 32}
    log.send(event("p-1", **both), event("p-2", data={"a": 1}, **both), event("p-3", data={"a": 1}), event("p-4"),
             event("p-5", dssematerial="e30="), event("p-6", actionsalt="AB" * 32), event("p-7", actionsalt="", dssematerial=""),
             event("p-8", data={"a": 1}, datasalt="11" * 32, **both), event("p-9", datasalt="11" * 32, **both))
    log.send(event("p-10", tenant="t", **both), signed("p-11", tenant="t", **both), signed("p-12", data={"a": "secret-1"}),
             signed("p-13", data={"a": "[REDACTED:code]"}, redactions="code:/data/a"),
             event("p-14", redactions="code:/data/a", data={"a": "[REDACTED:code]", "b": "secret-2"}),
             event("p-17", tenant="t", actionsalt="", dssematerial=""), event("p-18", tenant="t", datasalt="11" * 32),
             event("p-19", tenant="t", data="x" * 262142), event("p-20", tenant="t", data="x" * (262142 - len(',"private":{"tenant":"t"}}{"data":'))),
             event("p-15", actionsalt="secret-3", dssematerial="secret-4"), event("p-16", authid="secret-5", causationid="c"))
    log.erase(*(leaf["index"] for leaf in map(json.loads, log.leaves) if leaf["entry_id"] in ("p-2", "p-5", "p-12")))
    assert sum("altered" in log.leaf(i) for i in range(len(log.leaves))) == 10
    return log


def wide(id, over, **more):
    """An event whose leaf is so many bytes too long, without its redactions."""
    body = event(id, **{"w%02d" % n: "b" * 4096 for n in range(15)}, v="", **more)
    leaf = seal.Event(body, 4, {"private_fields": ["tenant"], "patterns": SECRET}).leaf
    leaf.pop("redactions", None)
    leaf["received_at"] = leaf["timestamp"] = "r"
    body["v"] = "b" * (65535 + over - seal.measure(leaf))
    assert len(body["v"]) < 4096
    return body


def rejected():
    """Rejected entries: their salts, and what they keep of an event that was signed or redacted."""
    log = seal.Log()
    log.configure(4)
    wrong = "events." + seal.token(BOB)
    log.publish(wrong, event("q-1"))                              # another source: one salt
    log.publish(wrong, signed("q-2", data={"a": "secret-1"}))     # nothing is redacted yet
    log.configure(4, redaction={"set": 0, "private_fields": ["tenant"], "patterns": SECRET})
    log.publish(wrong, event("q-3"))
    log.publish(wrong, event("q-4", data={"a": "secret-1"}))      # another salt of the digest
    log.publish(wrong, signed("q-5", data={"a": "secret-1"}))     # [REDACTED:signed]
    log.publish(wrong, event("q-6", actionsalt="ab" * 32, actiondigest="cd" * 32, data={"a": "secret-1"}))
    log.publish(wrong, event("q-7", dssematerial="e30=", note="secret-1"))
    log.send({**event("q-8", note="secret-1"), "agentSignature": "c2lnbmVk"})
    log.publish(wrong, signed("q-9"))                             # nothing found
    log.publish(wrong, seal.Binary("secret-1", **event("q-16", datacontenttype="text/plain")))
    log.publish(wrong, seal.Binary("secret-1", **signed("q-17", datacontenttype="text/plain")))
    log.send(wide("q-10", 1, note="secret-1"))                    # it does not fit: [REDACTED:refused]
    log.send(wide("q-11", 1, tenant="t"))
    log.send(wide("q-12", 1))                                     # not altered, and longer than 16,384 bytes
    log.send(wide("q-13", -60, x1="secret-1", x2="secret-2"))     # its redactions become one element
    log.send(wide("q-14", -60, redactions="code:/x1 code:/x2"))   # a sender's are kept: it does not fit
    log.send(wide("q-15", 0))                                     # it fits
    last = [log.leaf(i) for i in range(len(log.leaves) - 6, len(log.leaves))]
    assert [leaf["event_type"] for leaf in last] == ["sealstream.rejected"] * 3 + ["x.y", "sealstream.rejected", "x.y"]
    assert last[3]["redactions"] == [{"kind": "more", "path": ""}]
    return log


def publishers():
    """Who published, by the subject; nobody else can say so."""
    log = seal.Log()
    log.configure(4, events_open=True)
    log.publish("events." + seal.token(ALICE), event("o-1"))
    log.publish("events." + seal.token(ALICE), event("o-2", BOB))  # rejected, and published by Alice's user
    log.publish("events.open", event("o-3"))
    log.publish("events." + seal.token(ALICE), [event("o-8", note="a"), event("o-9", BOB), event("o-10", actionsalt="x")])
    log.publish("events." + seal.token(ALICE), seal.Binary('{"a": 1}', **event("o-11", authid="user:ann", dssematerial="e30=")))
    log.publish("events." + seal.token(ALICE), seal.Binary(**event("o-12", BOB)))
    log.publish("events." + seal.token(ALICE), event("o-13"), missing=3)
    log.send(event("o-4"), publisher="subject:" + seal.token(ALICE))
    log.publish("batch.i1", [{"event": event("o-5"), "publisher": "ci"}, {"event": event("o-6")},
                             {"event": event("o-7"), "publisher": "subject:"}])
    log.configure(4)
    log.publish("events.open", event("o-14"))                      # rejected: not open
    log.serve("query", "read", read(log), publisher="subject:" + seal.token(ALICE))
    return log


def read(log, **more):
    return {"role": "query", "call": "c-1", "kind": "export", "route": "GET /v1/export", **more}


def services():
    """Entries that services write."""
    log = seal.Log()
    log.configure(4)
    log.serve("query", "access", {"role": "query", "process": "query-1"}, "rules: 1\n")
    log.serve("query", "access", {"role": "query", "process": "query-2"}, "rules: 2\n")  # refused: previous
    log.serve("query", "access", {"role": "query", "process": "query-2", "previous": 1}, "rules: 2\n")
    for role in ("alert", "ingest"):
        log.serve(role, "access", {"role": role, "process": role + "-1"}, "rules: 2\n")
    log.serve("query", "read", read(log), publisher="ann")
    newest = log.access["query"]
    log.serve("query", "read", read(log, access=newest, first=0, last=9, size=20, count=3), '{"agent":["a"]}', "ann",
              time="2026-12-01T08:00:00+01:00", datacontenttype="application/json")
    log.serve("ingest", "read", read(log, role="ingest", kind="admin", call="c" * 64, first=7, last=7), "\0 and \x1b", "ann")
    log.publish("service.alert", [{"event": {"specversion": "1.0", "id": "s", "source": "alerts", "type": "sealstream.read",
                                             "subject": None, "data": {"detail": read(log, role="alert", kind="payload")}}, "publisher": "bob"},
                                  {"event": event("x"), "publisher": "bob"},
                                  {"event": {"specversion": "1.0", "id": "s", "source": "alerts", "type": "sealstream.read",
                                             "data": {"detail": read(log, role="alert", kind="payload")}}, "publisher": "bob"}])
    longest = "é" * 128
    log.serve("query", "access", {"role": "query", "process": longest, "previous": newest}, "x" * 262144)
    log.serve("query", "access", {"role": "query", "process": "q", "previous": log.access["query"]}, "\n" * 262144)
    return log


def refusals():
    """Service and control events of every form that is refused."""
    log = seal.Log()
    log.configure(4)
    log.serve("query", "access", {"role": "query", "process": "query-1"}, "rules: 1\n")
    access = {"role": "query", "process": "query-1", "previous": 1}

    def refused(**parts):
        parts = {"role": "query", "kind": "access", "detail": access, "text": "rules: 2\n", "publisher": "ann", **parts}
        attributes = {name: parts.pop(name) for name in list(parts) if name not in ("role", "kind", "detail", "text", "publisher")}
        at = log.serve(parts["role"], parts["kind"], parts["detail"], parts["text"], parts["publisher"], **attributes)
        assert log.leaf(at)["event_type"] == "sealstream.rejected", (parts, attributes)

    def raw(detail, text='"rules: 2"', kind="access"):
        refused(kind=kind, detail=seal.Raw(detail), text=seal.Raw(text))

    # the subject, the role and the type
    for role in ("sink", "archive"):
        refused(role=role, detail={**access, "role": role})
    refused(detail={**access, "role": "alert"})
    refused(role="alert")
    for kind in ("config", "erasure", "gap", "key.revoke", "approval.granted", "approval.denied", "access.more", ""):
        refused(kind=kind)
    # the event
    for attributes in ({"id": ""}, {"id": None}, {"source": ""}, {"id": "x" * 4097}, {"source": "a\n"}, {"specversion": "0.3"}, {"specversion": None},
                       {"time": "yesterday"}, {"subject": "s"}, {"datasalt": "11" * 32}, {"agentsignature": "c2ln"}, {"note": "n"},
                       {"datacontenttype": "text/plain"}, {"datacontenttype": ""}, {"data_base64": "e30="}, {"Note": "n"}, {"id": 7.5}):
        refused(**attributes)
    refused(text=None)
    for body in ({}, [], seal.Raw("null"), "text", {"detail": access}, {"text": "t"}, {"detail": access, "text": "t", "more": 1}):
        refused(kind="access", text=None, detail=access, data=body)
    # the text
    refused(text="")
    refused(text="x" * 262145)
    refused(text="é" * 131073)
    raw(seal.compact(access), "null")
    raw(seal.compact(access), "7")
    raw(seal.compact(access), '"\\ud800"')
    # details: numbers, null, texts, members
    for number in ("1.0", "1e0", "-0", "01", "9007199254740992", '"1"', "null", "true", "2", "[1]"):
        raw('{"role":"query","process":"p","previous":%s}' % number)
    for process in ('""', "null", "7", '"%s"' % ("x" * 257), '"%s"' % ("é" * 129), '"a\\u0000"', '"a\\u0085"', '"\\ufdd0"', '["p"]'):
        raw('{"role":"query","process":%s,"previous":1}' % process)
    raw('{"role":"query","previous":1}')
    raw('{"role":"query","process":"p","previous":1,"more":1}')
    raw('{"role":"query","process":"p","previous":1,"previous":1}')
    refused(detail={**access, "previous": 0})
    refused(detail={"role": "query", "process": "p"})
    # reads
    one = read(log)
    for more in ({"kind": "look"}, {"call": ""}, {"call": "c" * 65}, {"route": ""}, {"first": 1}, {"last": 1}, {"first": 2, "last": 1},
                 {"access": len(log.leaves) + 99}, {"count": "3"}, {"filter": "f"}, {"route": "r" * 257}):
        refused(kind="read", detail={**one, **more})
    refused(kind="read", detail=one, publisher=None)
    refused(kind="read", detail=one, text="")
    raw(seal.compact(one)[:-1] + ',"count":null}', kind="read")
    raw(seal.compact(one)[:-1] + ',"size":1e3}', kind="read")
    # control, configs, and agents
    for kind in ("access", "read", "key.register", "key.rotate", "key.revoke", "approval.granted"):
        log.tell(kind, access)
    for more in ({"verdicts": False}, {"require_signatures": [ALICE]}, *({"redaction": {"set": 0, "private_fields": [name]}}
                                                                         for name in rules.NEVER_PRIVATE)):
        log.configure(4, **more)
    log.configure(3)
    log.configure(4, redaction={"set": 0, "patterns": [{"contains": "a" * 512, "kind": "a%d" % n, "match": "a" * 512} for n in range(64)]})
    assert log.config_index == 0
    log.send(*(event("r-1", type="sealstream." + kind) for kind in ("access", "read", "key.register", "approval.granted", "x")))
    log.configure(4, redaction={"set": 0, "private_fields": ["authid", "authtype", "policyversion"]})
    log.send(event("r-2", authid="user:ann"))
    return log


def before():
    """Rules 3 know nothing of this page."""
    log = seal.Log()
    log.configure(3)
    log.configure(3, verdicts=True)
    log.serve("query", "access", {"role": "query", "process": "query-1"}, "rules: 1\n")
    log.publish("events." + seal.token(ALICE), event("b-1", authid="user:ann", dssematerial="e30=", actionsalt="ab" * 32))
    log.send(event("b-2"), publisher="subject:" + seal.token(ALICE))
    log.configure(3, redaction={"set": 0, "private_fields": ["causationid"]})
    log.configure(4, redaction={"set": 0, "private_fields": ["causationid"]})     # refused
    log.configure(3)
    log.configure(4)
    log.send(event("b-2"), publisher="subject:" + seal.token(ALICE))
    return log


LOGS = [upgrade, unredacted, records, rejected, publishers, services, refusals, before]
