"""Logs of events that a simple generator mixes: attributes in every form, redaction, repeats and the upgrade."""
import logs
import rules
import seal

FORMS = {
    "actionsalt": ["", "x", "ab" * 32, "A5" * 32, "secret-1", "a5" * 32], "dssematerial": ["", "e30=", "e31", "secret-2", "é"],
    "actiondigest": ["", "cd" * 32, "CD" * 32, "a5" * 32, "secret-3"], "approvalgrant": ["", "ef" * 32, "x", "a5" * 32],
    "agentkey": ["k1", logs.KEY, "", "secret-4"], "authid": ["", "user:ann", "secret-5"], "authtype": ["", "app_user"],
    "causationid": ["c", "secret-6", ""], "policyversion": ["7", ""], "actiontype": ["x.z", "", "secret-7"],
    "redactions": ["code:/data/x", "code:/a more:", "x", "", "code:/a code:/a", "CODE:/a", "code:/a  code:/b", "more:",
                   " ".join("c%d:/x" % i for i in range(32)), " ".join(["c%d:/x" % i for i in range(31)] + ["more:"])],
    "signedextattrs": ["a,b", "secret-8", "a5" * 20], "agentsignature": ["c2ln"], "agentseq": ["1", "5"], "agentprev": ["ab" * 32],
    "tenant": ["t", "secret-9"], "note": ["n", "secret-1", "a5" * 20], "time": ["2026-12-01T07:59:59.5Z"], "datasalt": ["11" * 32],
    "subject": ["s", "secret-1"], "capture": ["observed"]}
DATA = [None, {"a": 1}, {"a": "secret-1"}, {"a": ["a5a5ff", "x"]}, "text", {"x": "[REDACTED:code]"}]
HEX = {"kind": "hex", "match": "a5a5[0-9a-f]+"}
REDACTIONS = [None, {"patterns": logs.SECRET, "set": 0}, {"private_fields": ["tenant"], "set": 0},
              {"patterns": logs.SECRET + [HEX], "private_fields": ["tenant"], "set": 0},
              {"patterns": [HEX], "private_fields": ["authid", "tenant"], "set": 0}]


class Dice:
    """Numbers that are the same in every version of Python."""

    def __init__(self, seed):
        self.state = rules.sha256(seed.encode())

    def below(self, n):
        self.state = rules.sha256(self.state)
        return int.from_bytes(self.state[:8], "big") % n

    def of(self, items):
        return items[self.below(len(items))]


def event(dice):
    made = logs.event("m-%d" % dice.below(6), dice.of([logs.ALICE, logs.BOB]))
    for _ in range(dice.below(7)):
        name = dice.of(sorted(FORMS))
        made[name] = dice.of(FORMS[name])
    data = dice.of(DATA)
    return made if data is None else {**made, "data": data}


def mix(seed, steps):
    dice, log, past = Dice(seed), seal.Log(), []
    redaction = dice.of(REDACTIONS)

    def configure(number):
        log.configure(number, **({"redaction": redaction} if redaction else {}))

    configure(3)
    for step in range(steps):
        kind = dice.below(10)
        if step == steps // 3:
            configure(4)
        elif kind == 0:
            redaction = dice.of(REDACTIONS)
            configure(log.rules())
        elif kind == 1:
            role = dice.of(["query", "alert"])
            detail = {"role": role, "process": "p", **({"previous": log.access[role]} if role in log.access else {})}
            log.serve(role, "access", detail, "rules\n")
        elif kind == 2:
            more = {"access": dice.below(40)} if dice.below(2) else {}
            log.serve("query", "read", logs.read(log, **more), dice.of([None, "t"]), dice.of(["ann", None, "subject:x"]))
        elif kind == 3:
            past.append(event(dice))
            log.publish("events." + seal.token(dice.of([logs.ALICE, logs.BOB])), past[-1], missing=dice.below(2))
        else:
            past += [event(dice) for _ in range(1 + dice.below(2))]
            log.send(past[-1], dice.of(past), publisher=dice.of(["ci", "ann", "subject:x"]))
    return log


def mixed1():
    """Mixed events."""
    return mix("1", 30)


def mixed2():
    """Other mixed events."""
    return mix("2", 30)


def mixed3():
    """Yet other mixed events."""
    return mix("3", 30)
