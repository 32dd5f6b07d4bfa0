"""A server that lies: each lie is refused, and the error says which it is."""
import itertools
import json
import pathlib
import tempfile
import unittest

import sealstream
from lying import Server, Small
from sealing import Log
from sealstream.head import Head

PAGE = 6


class Lie(Small):
    """What of Small a lie overrides is a method of this name in the table below."""

    def __init__(self, **methods):
        super().__init__()
        for name, method in methods.items():
            setattr(self, name, method.__get__(self))


def changed_page(change):
    """A page to which something is done after it was proven."""
    def page(self, indexes, size, cursor):
        made = Small.page(self, indexes, size, cursor)
        change(made)
        return made
    return page


def without(made):
    del made["entries"][2]


def swapped(made):
    made["entries"][1], made["entries"][2] = made["entries"][2], made["entries"][1]


def altered(made):
    made["entries"][2]["leaf"] = made["entries"][2]["leaf"].replace('"success"', '"failure"')


def repeated(made):
    made["entries"].insert(1, made["entries"][0])


def other_data(made):
    for name in ("data_raw", "salt"):
        made["entries"][2][name] = made["entries"][3][name]


def no_salt(made):
    del made["entries"][2]["salt"]


def added(made):
    made["entries"][2]["repeat"] = "x"


def hidden(self, indexes, size, cursor):
    return Small.page(self, [index for index in indexes if index != 8], size, cursor)


def overlapping(self, indexes, size, cursor):
    first = [indexes[0] - 1] if indexes[0] else []
    return Small.page(self, first + indexes[len(first):], size, cursor)


def cut_off(self, indexes, size, cursor):
    return Small.page(self, indexes, size, None)


def endless(self, indexes, size, cursor):
    return Small.page(self, [], size, "1")


def smaller(self, indexes, size, cursor):
    return Small.page(self, indexes, size - (indexes[0] > 0), cursor)


def foreign_key(self, size=None):
    return Log("default", seed=bytes(32)).checkpoint(size, self.log.root(size))


def unsigned(self, size=None):
    return self.log.checkpoint(size).partition("\n\n")[0] + "\n\n"


def wrong_root(self, size=None):
    return self.log.checkpoint(size, bytes(32))


def skipping(self, start):
    indexes = [index for index in range(start, self.size()) if index != 8]
    return [("", self.line(index)) for index in indexes] + [("proof", self.proof(indexes, self.size()))]


def repeating(self, start):
    return Small.stream(self, start) + Small.stream(self, start)


def unproven(self, start):
    return Small.stream(self, start)[:-1] + [("proof", self.proof([1, 2], self.size()))]


def short_path(self, index):
    proof = Small.entry_proof(self, index)
    return dict(proof, merkle_proof=proof["merkle_proof"][1:])


def shown_otherwise(self, index):
    proof = Small.entry_proof(self, index)
    return dict(proof, entry=dict(proof["entry"], outcome="failure"))


def read_all(audit):
    list(audit.reader.entries(page=PAGE))


def read_newest(audit):
    list(audit.reader.entries(newest_first=True, page=PAGE))


def read_agent(audit):
    list(audit.reader.entries(agent_did="did:example:a", page=PAGE))


def follow(audit):
    stream = audit.reader.follow(0)
    try:
        list(itertools.islice(stream, 25))
    finally:
        stream.close()


def get(audit):
    audit.get_entry("id-4")


def prove(audit):
    audit.reader.prove(4)


def log(audit):
    audit.log("tool_invocation", "did:example:a", "allow", "/crm", data={"q": 1})


def verify(audit):
    held = audit.verify_integrity()
    if not held[0]:
        raise sealstream.ProofError(held[1])


def receipt(**changes):
    def post(self, events):
        answer = Small.post(self, events)
        answer["receipts"][0].update(changes)
        return answer
    return post


def sealed_otherwise(self, events):
    return Small.post(self, [dict(one, outcome="failure") for one in events])


def export_without(self):
    lines = self.log.export()
    del lines[8]
    return lines


def export_altered(self):
    lines = self.log.export()
    lines[8] = dict(lines[8], leaf=lines[8]["leaf"].replace('"success"', '"failure"'))
    return lines


P, I, F = sealstream.ProofError, sealstream.IncompleteError, sealstream.ForkError
LIES = (  # name, what is asked, the server's methods, the error, words of it
    ("a field altered", read_all, dict(page=changed_page(altered)), P, "does not lead to the root"),
    ("data swapped", read_all, dict(page=changed_page(other_data)), P, "does not open data_hash"),
    ("data that nothing opens", read_all, dict(page=changed_page(no_salt)), P, "missing member 'salt'"),
    ("a member that nothing proves", read_all, dict(page=changed_page(added)), P, "unknown member 'repeat'"),
    ("an entry taken out of a page", read_all, dict(page=changed_page(without)), P, "batch proof"),
    ("an entry left out, the rest proven", read_all, dict(page=hidden), I, "entry 8 is left out"),
    ("an entry left out, newest first", read_newest, dict(page=hidden), I, "entry 8 is left out"),
    ("a page reordered", read_all, dict(page=changed_page(swapped)), P, "do not rise"),
    ("an entry twice in a page", read_all, dict(page=changed_page(repeated)), P, "too many entries"),
    ("an entry again on the next page", read_all, dict(page=overlapping), I, "entry 5 comes again"),
    ("an entry again, of a filter", read_agent, dict(page=overlapping), P, "does not fit the filter"),
    ("an end that is too early", read_all, dict(page=cut_off), I, "entry 6 is left out"),
    ("pages without end", read_all, dict(page=endless), I, "a page without entries"),
    ("another tree on the next page", read_all, dict(page=smaller), P, "under 19 entries, asked for under 20"),
    ("a checkpoint of another key", read_all, dict(checkpoint=foreign_key), P, "not signed"),
    ("a checkpoint without a signature", read_all, dict(checkpoint=unsigned), P, "not"),
    ("a checkpoint of another root", read_all, dict(checkpoint=wrong_root), P, "does not lead to the root"),
    ("the proof of another entry, by id", get, dict(id_proof=lambda self, _: self.entry_proof(5)), P, "the proof is of another entry: entry 5"),
    ("the proof of another entry, by index", prove, dict(entry_proof=lambda self, _: Small.entry_proof(self, 5)), P, "is of entry 5, not of 4"),
    ("a proof that is cut", prove, dict(entry_proof=short_path), P, "sides or number of the steps"),
    ("an entry shown otherwise than its leaf", prove, dict(entry_proof=shown_otherwise), P, "does not say what the leaf says"),
    ("a stream that skips", follow, dict(stream=skipping), I, "entry 8 is left out"),
    ("a stream that repeats", follow, dict(stream=repeating), I, "entry 0 comes again"),
    ("a stream under another proof", follow, dict(stream=unproven), P, "batch proof"),
    ("a receipt of another entry", log, dict(post=receipt(index=4)), P, "is not the one of the receipt"),
    ("a receipt with another hash", log, dict(post=receipt(entry_hash="00" * 32)), P, "is not the one of the receipt"),
    ("another event sealed than was sent", log, dict(post=sealed_otherwise), P, "not the event that was sent: outcome"),
    ("an export without an entry", verify, dict(export=export_without), P, "index 8 follows 6"),
    ("an export with an altered entry", verify, dict(export=export_altered), P, "previous_hash"),
)


class Lies(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.server = Server(Small())
        self.addCleanup(self.server.close)
        patience, Head.ROLLED_BACK_AFTER = Head.ROLLED_BACK_AFTER, 0.1
        self.addCleanup(setattr, Head, "ROLLED_BACK_AFTER", patience)

    def audit(self, **options):
        options = {"key": self.server.small.log.vkey, "state": None, **options}
        audit = sealstream.AuditLog(server=self.server.url, spool=self.folder / "spool", sync=False, **options)
        self.addCleanup(audit.close)
        return audit

    def test_the_truth(self):
        """What lies are told of, the honest server is believed."""
        audit = self.audit()
        self.assertEqual([entry.index for entry in audit.reader.entries(page=PAGE)], list(range(20)))
        newest = [entry.index for entry in audit.reader.entries(newest_first=True, page=PAGE)]
        self.assertEqual(newest, list(range(20))[::-1])
        for ask in (read_agent, get, prove, verify, log):
            ask(audit)
        stream = audit.reader.follow(0)
        self.assertEqual([entry.index for entry in itertools.islice(stream, 20)], list(range(20)))
        stream.close()

    def test_lies(self):
        for name, ask, methods, error, words in LIES:
            with self.subTest(name):
                self.server.small = Lie(**methods)
                audit = self.audit()
                with self.assertRaises(error) as caught:
                    ask(audit)
                audit.close()
                self.assertIn(words, str(caught.exception))
        print("\n%d lies, each refused" % (len(LIES) + 15))

    def held(self, **options):
        audit = self.audit(**options)
        read_all(audit)
        return audit

    def test_a_forked_log(self):
        audit = self.held()
        for count, size in ((20, 20), (30, 30)):
            self.server.small = Small(count, prefix="other")
            for ask in (read_all, prove, follow):
                with self.subTest(size=size, ask=ask), self.assertRaisesRegex(F, "are not of one log"):
                    ask(audit)

    def test_a_forked_log_after_a_restart(self):
        state = self.folder / "state.json"
        self.held(state=state).close()
        self.assertEqual(set(json.loads(state.read_text())), {"keys", "checkpoint"})
        self.server.small = Small(30, prefix="other")
        with self.assertRaisesRegex(F, "are not of one log"):
            read_all(self.audit(state=state, key=None))

    def test_a_consistency_proof_that_is_forged(self):
        audit = self.held()
        self.server.small = Lie(consistency=lambda self, query: {"proof": ["00" * 32] * 3})
        self.server.small.log.put("tool_invocation", 40)
        with self.assertRaisesRegex(F, "are not of one log"):
            read_all(audit)

    def test_a_log_that_was_rolled_back(self):
        """A stale checkpoint is true, but what was seen is not there any more."""
        audit = self.held()
        self.server.small = Small(12)
        for ask in (read_all, read_newest, prove):
            with self.subTest(ask=ask), self.assertRaisesRegex(F, "rolled back"):
                ask(audit)

    def test_a_log_that_was_rewritten(self):
        audit = self.held()
        self.server.small = Small(20, prefix="other")
        self.assertRegex(str(audit.verify_integrity()), "False, .*rewritten: ")

    def test_counts(self):
        """Counts are the server's word. verify counts again, and refuses each that is wrong."""
        reader = self.audit().reader
        claims = [reader.unverified().counts(), reader.unverified().counts(agent_did="did:example:a")]
        claims.append(reader.unverified().counts(agent_did="nobody"))
        self.assertEqual([claim["matches"] for claim in claims], [20, 9, 0])
        self.server.small.log.put("tool_invocation", 27, agent_did="did:example:a")
        self.assertEqual(reader.verify(*claims).checkpoint.size, 21)
        for words, filters, changes in (
                ("matches is 25, and counted 21", {}, dict(matches=25)), ("matches is 9, and counted 10", dict(agent_did="did:example:a"), dict(matches=9)),
                ("event_types", {}, dict(event_types={"tool_invocation": 21})), ("outcomes", {}, dict(outcomes={})),
                ("agents is 4, and counted 3", {}, dict(agents=4)), ("first is 0, and counted 2", dict(agent_did="did:example:a"), dict(first=0)),
                ("last", {}, dict(last=19)), ("actions", {}, dict(actions={"deny": 1})), ("of 22 entries, the log has 21", {}, dict(tree_size=22))):
            self.server.small.counts = lambda query: {**Small.counts(self.server.small, query), **changes}
            claim = reader.unverified().counts(**filters)
            with self.subTest(words), self.assertRaisesRegex(sealstream.CountsError, words):
                reader.verify(claim)
        self.server.small.counts = lambda query: {**Small.counts(self.server.small, query), "tree_size": 20}
        with self.assertRaisesRegex(F, "rolled back: the log had 21 entries, and the server shows 20"):
            reader.unverified().counts()
        self.server.small.counts = lambda query: []
        with self.assertRaisesRegex(sealstream.AnswerError, "no counts"):
            reader.unverified().counts()

    def test_another_log(self):
        audit = self.held(trust_first_use=True, key=None)
        other = Small()
        other.log = Log("default", seed=bytes(32))
        self.server.small = other
        with self.assertRaisesRegex(P, "not signed"):
            read_all(audit)

    def test_nothing_without_a_key(self):
        """Neither reading nor logging does anything that it could not prove."""
        audit = self.audit(key=None)
        for ask in (read_all, get, prove, follow, log, verify):
            with self.subTest(ask=ask), self.assertRaises(sealstream.NoKeyError):
                ask(audit)
        self.assertEqual(self.server.small.size(), 20)
        unverified = audit.reader.unverified()
        self.assertNotIsInstance(unverified, sealstream.Reader)

    def test_a_walk_is_of_one_moment(self):
        """Pages are all of the log as it was at the first."""
        audit = self.audit()
        entries = audit.reader.entries(page=PAGE)
        first = next(entries)
        self.server.small.log.put("tool_invocation", 40)
        self.assertEqual([entry.index for entry in entries][-1], 19)
        self.assertEqual(first.index, 0)


if __name__ == "__main__":
    unittest.main()
