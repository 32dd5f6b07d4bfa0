"""What sealstream_verify.py reads by one pattern, it would read the long way to the same end."""
import itertools
import random
import unittest

import sealstream_verify as verifier
from sealing import Log, jcs, sample

FULL = {"action": "deny", "outcome": "denied", "resource": "/crm/\u00e9\U0001f600", "policy_decision": "p", "matched_rule": "m",
        "trace_id": "t", "session_id": "s", "target_did": "did:example:b", "agent_seq": 7, "agent_prev": "0" * 64, "signature": "g",
        "extensions": {"a1": "", "b": "{\u00df}"}, "redactions": [{"kind": "k", "path": "/a"}, {"kind": "", "path": ""}],
        "publisher": "ingest 1"}
KEY = "z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH"
FULL4 = {**FULL, "blind": "0" * 32, "principal": "a", "principal_type": "b", "caused_by": "c", "policy_version": "d", "agent_key": KEY,
         "action_digest": "0" * 64, "action_type": "e", "approval": "1" * 64, "record_hash": "2" * 64, "signature_status": "verified",
         "material_key": KEY, "approval_status": "valid"}
VALUES = ("", "x", "sealstream", "sealstream.config", "sealstreams", "a\"b", "a\\b", "\n", "\x7f", "\u2028", 0, 1, 2, -1, 1.0, True, None,
          10**14, 10**15, 2**53 - 1, 2**53, "0" * 63, "0" * 64, "A" * 64, [], [1], {}, {"b": "", "a": ""}, {"a": 1}, {"A": ""},
          [{"path": "", "kind": ""}], [{"kind": "", "path": "", "x": ""}], [{"kind": 1, "path": ""}], "allow", "success",
          {"authid": ""}, {"authid": "x"}, {"actionsalt": "x"}, {"redactions": "k:/a"}, {"redactions": "k"}, KEY, "0" * 32, "used", "invalid", False,
          "2026-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2026-13-01T00:00:00.000000000Z", "2026-04-31T23:59:59.123456789Z",
          "2026-04-30T23:59:59.123456789Z", "2026-04-30T23:59:60Z", "2026-04-00T23:59:59Z", "0000-02-29T00:00:00.5Z")


def long_way(text):
    """What read_plain must say if it says anything; None if the long way refuses."""
    try:
        leaf, kind = verifier.read_any_leaf(text.encode())
        verifier.check_own(leaf, kind, "log.example/%s/00000000" % leaf["log"])
    except ValueError:
        return None
    return verifier.show(leaf) if kind is None else None


def members(full=FULL):
    log = Log()
    index = log.put("tool_invocation", 8, data=b"{}", **full)
    return verifier.parse(log.leaves[index].encode())


def written(pairs):
    """The JSON of pairs, each as it is: in this order, and twice where one stands twice."""
    return "{%s}" % ",".join("%s:%s" % (jcs(name), jcs(value)) for name, value in pairs)


class Plain(unittest.TestCase):
    def agree(self, text):
        """Whether the pattern takes a leaf; if it does, the long way takes it for the same."""
        shown = verifier.read_plain(text)
        if shown is not None:
            self.assertEqual(shown, long_way(text), text)
        return shown is not None

    def test_every_member(self):
        """With all members, without each, and with other values of each."""
        for full in (FULL, FULL4):
            base = members(full)
            self.assertTrue(self.agree(jcs(base)))
            taken = refused = 0
            for name in [*base, "detail", "other", "altered", "blind", "key_entry"]:
                rest = {one: value for one, value in base.items() if one != name}
                for value in (*VALUES, members):
                    changed = dict(rest) if value is members else {**rest, name: value}
                    text = written(sorted(changed.items()))
                    if self.agree(text):
                        taken += 1
                    elif long_way(text) is None:
                        refused += 1
            self.assertGreater(taken, 100)
            self.assertGreater(refused, 500)

    def test_order_and_repeats(self):
        pairs = sorted(members().items())
        for first, second in itertools.combinations(range(len(pairs)), 2):
            swapped = list(pairs)
            swapped[first], swapped[second] = swapped[second], swapped[first]
            self.assertFalse(self.agree(written(swapped)))
        for index in range(len(pairs)):
            self.assertFalse(self.agree(written(pairs[:index] + pairs[index:index + 1] + pairs[index:])))
        text = written(pairs)
        for changed in (text.replace('"a1":""', '"c":""'), text.replace('"b":"{', '"a1":"{'), text.replace(":", ": ", 1), text + " ",
                        text.replace('"k"', '"\\u006b"'), text[:-1], text.replace('"index":1', '"index":01')):
            self.assertNotEqual(changed, text)
            self.assertFalse(self.agree(changed), changed)

    def test_damage(self):
        """A few characters of a leaf are others, missing or more."""
        dice, text = random.Random(7), jcs(members())
        taken = 0
        for _ in range(4000):
            at = dice.randrange(len(text))
            with_what = "".join(dice.choice('"\\{}[]:,09azAZ\n\u00e9.-TZ') for _ in range(dice.randrange(3)))
            taken += self.agree(text[:at] + with_what + text[at + dice.randrange(3):])
        self.assertGreater(taken, 100)

    def test_own_entries_take_the_long_way(self):
        for leaf in sample().leaves:
            own = '"event_type":"sealstream.' in leaf
            self.assertEqual(self.agree(leaf), not own, leaf)
            read, kind = verifier.read_leaf(leaf.encode())
            self.assertEqual((read, kind), verifier.read_any_leaf(leaf.encode()))


class Perfect(unittest.TestCase):
    def test_perfect(self):
        leaves = [bytes([number]) * 32 for number in range(64)]
        roots = []
        for size in range(1, 65):
            verifier.append(roots, size - 1, leaves[size - 1])
            if size & (size - 1) == 0:
                self.assertEqual(verifier.perfect(leaves[:size]), verifier.fold(roots))


if __name__ == "__main__":
    unittest.main()
