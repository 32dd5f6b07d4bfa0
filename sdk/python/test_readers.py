"""What a reader refuses, bears and waits for."""
import itertools
import json
import pathlib
import tempfile
import time
import tracemalloc
import unittest

import sealstream
from lying import Server, Small
from sealing import Log
from sealstream import follow
from sealstream.head import Head
from sealstream.moments import order, parse_time
from sealstream.pages import _check_whole


class Case(unittest.TestCase):
    def setUp(self):
        self.small = Small(8)
        self.server = Server(self.small)
        self.addCleanup(self.server.close)
        patience, Head.ROLLED_BACK_AFTER = Head.ROLLED_BACK_AFTER, 0.3
        self.addCleanup(setattr, Head, "ROLLED_BACK_AFTER", patience)

    def reader(self, **options):
        return sealstream.Reader(self.server.url, **{"key": self.small.log.vkey, **options})

    def refuse(self, path, status, times, parameter="", when=""):
        """Refuses the next requests for a path that have a parameter."""
        honest, left = self.server.get, [status] * times

        def get(handler, asked, query):
            if asked != path or when and when not in query or not left:
                return honest(handler, asked, query)
            body = json.dumps({"detail": "beyond", "parameter": parameter}).encode()
            return self.server.answer(handler, body, status=left.pop())

        self.server.get = get

    def answer(self, path, body):
        honest = self.server.get
        self.server.get = lambda handler, asked, query: (
            self.server.answer(handler, body) if asked == path else honest(handler, asked, query))

    def older(self, size):
        """Makes the server show an older checkpoint, with its signature."""
        old = self.small.log.checkpoint(size)
        self.small.checkpoint = lambda size=None: old if size is None else self.small.log.checkpoint(size)


class OtherLog(Case):
    def test_another_log_whose_key_is_trusted_too(self):
        other = Small(1)
        other.log = Log("other", seed=b"\7" * 32)
        other.log.put("tool_invocation", 8, data=b"{}", entry_id="x")
        keys = self.small.log.vkey + "\n" + other.log.vkey
        self.server.small = other
        for name, ask in (
                ("entries", lambda reader: list(reader.entries())), ("entry", lambda reader: reader.entry(1)),
                ("nothing", lambda reader: list(reader.entries(agent_did="did:example:none"))),
                ("checkpoint", lambda reader: reader.checkpoint()), ("verify", lambda reader: reader.verify()),
                ("follow", lambda reader: next(reader.follow(0)))):
            for options in ({"key": keys}, {"key": None, "trust_first_use": True}):
                with self.subTest(name, **options), self.assertRaisesRegex(sealstream.LogError, "other"):
                    ask(self.reader(**options))
        self.assertEqual(len(list(self.reader(key=keys, log="other").entries())), 2)


class Times(Case):
    def test_year_zero(self):
        text = "0000-02-29T00:00:00.5Z"
        self.small.log.put("tool_invocation", 15, data=b"{}", entry_id="y0", timestamp=text)
        entry = list(self.reader().entries())[-1]
        self.assertEqual((entry.timestamp.year, entry.to_dict()["timestamp"]), (1, text))
        self.assertTrue(entry.verify_hash())
        self.assertEqual(self.reader().verify().checkpoint.size, 9)
        old = list(self.reader().entries(end_time="0000-12-31T00:00:00Z", start=8))
        self.assertEqual([one.index for one in old], [8])

    def test_order(self):
        rising = ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.0000000001Z", "0000-12-31T00:00:00Z",
                  "0001-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.10Z",
                  "2026-01-01T00:00:00.1000000009Z", "9999-12-31T23:59:59Z")
        self.assertEqual(sorted(rising[::-1], key=order), list(rising))
        self.assertEqual(order("2026-01-01T00:00:00.10Z"), order("2026-01-01T02:00:00.1+02:00"))
        for text in ("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"):
            self.assertIn(parse_time(text).year, (1, 9999))


class Behind(Case):
    """A server may know less than was seen, but not for long."""

    def held(self):
        reader = self.reader()
        list(reader.entries())
        return reader

    def test_an_older_checkpoint(self):
        reader = self.held()
        self.older(5)
        for name, ask in (("checkpoint", reader.checkpoint), ("follow", lambda: next(reader.follow()))):
            with self.subTest(name), self.assertRaisesRegex(sealstream.ForkError, "rolled back"):
                ask()

    def test_an_older_checkpoint_for_a_while(self):
        reader = self.held()
        shown = [self.small.log.checkpoint(5), self.small.log.checkpoint(5)]
        self.small.checkpoint = lambda size=None: (
            shown.pop() if size is None and shown else self.small.log.checkpoint(size))
        self.assertEqual(reader.checkpoint().size, 8)

    def test_a_stream_under_an_older_checkpoint(self):
        reader = self.held()
        self.small.stream = lambda start: (
            [("", self.small.line(i)) for i in range(start, 5)] + [("proof", self.small.proof(range(start, 5), 5))])
        with self.assertRaisesRegex(sealstream.ForkError, "rolled back"):
            next(reader.follow(0))

    def test_a_cursor_beyond_the_log(self):
        with tempfile.TemporaryDirectory() as folder:
            cursor = pathlib.Path(folder) / "cursor"
            cursor.write_text(json.dumps({"origin": self.small.log.origin, "next_index": 9}))
            with self.assertRaisesRegex(sealstream.ForkError, "rolled back"):
                sealstream.Follower(self.reader(), None, cursor)


    def test_verify(self):
        """A replica that is behind catches up while verify waits."""
        reader, whole, older = self.held(), self.small.export, Small(5).export
        shown = [older, older]
        self.small.export = lambda: (shown.pop() if shown else whole)()
        self.assertEqual(reader.verify().checkpoint.size, 8)
        self.assertEqual(shown, [])
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "log.jsonl")
            shown += [older]
            self.assertEqual(reader.export(path).checkpoint.size, 8)
            self.assertEqual(len(path.read_text().splitlines()), 9)
            self.small.export = older
            with self.assertRaisesRegex(sealstream.ForkError, "rolled back: the log had 8 entries, and the server shows 5"):
                reader.export(path)
            self.assertEqual([one.name for one in pathlib.Path(folder).iterdir()], ["log.jsonl"])
        with self.assertRaisesRegex(sealstream.ForkError, "rolled back"):
            reader.verify()

    def test_verify_covers_what_was_written(self):
        reader = self.reader()
        reader.wrote(8)
        with self.assertRaisesRegex(sealstream.ForkError, "the log had 9 entries, and the server shows 8"):
            reader.verify()

    def test_manifests_that_are_none(self):
        for line in (b"", b"\n", b"[]\n", b"{}\n", b'{"size":null}\n', b"[" * 100000, b'{"size":1e400}\n', b"\xff\n"):
            self.server.get = lambda handler, path, query: self.server.answer(handler, line)
            with self.subTest(line[:20]), self.assertRaises(sealstream.ProofError):
                self.reader().verify()


class Withheld(Case):
    """Data that is not shown was erased, or it is withheld."""

    def test_withheld(self):
        log = self.small.log
        log.put("tool_invocation", 15, entry_id="without")
        log.own("erasure", 16, {"indexes": [2, 4], "reason": "asked", "authority": "court"})
        for index in (2, 3, 4):
            del log.records[index]
        log.records[3] = {"data_error": "block is damaged"}
        reader = self.reader()
        entries = list(reader.entries())
        self.assertEqual([entry.index for entry in entries if entry.withheld], [2, 3, 4])
        self.assertEqual([entry.data for entry in entries[2:6]], [None, None, None, {"n": 5}])
        self.assertEqual((entries[8].data, entries[8].withheld, reader.entry(2).withheld), ({}, False, True))
        self.assertEqual([entry.data_error for entry in entries[2:5]], ["", "block is damaged", ""])
        self.assertEqual(reader.erasure(2), entries[9])
        self.assertEqual((reader.erasure(3), reader.erasure(5)), (None, None))
        self.assertEqual(sealstream.AuditEntry("e", entries[2].timestamp, "t", "a").data_error, "")
        with self.assertRaisesRegex(sealstream.ProofError, "the data is missing and no erasure names it"):
            reader.verify()


class Sizes(Case):
    def test_nothing_of_a_huge_log(self):
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for indexes, expected, first in (
                ([], range(0, 1 << 50), 0), ([0, 1], range(0, 1 << 50), 2), ([0, 2], range(0, 1 << 50), 1),
                ([9, 8], range(9, -1, -1), 7)):
            with self.assertRaisesRegex(sealstream.IncompleteError, "entry %d is left out" % first):
                _check_whole(indexes, expected)
        self.assertLess(tracemalloc.get_traced_memory()[1], 1 << 20)

    def test_what_comes_without_a_proof(self):
        line = ("", self.small.line(0))
        self.small.stream = lambda start: [line] * 257
        with self.assertRaisesRegex(sealstream.ProofError, "257 entries"):
            next(self.reader().follow(0))
        self.addCleanup(setattr, follow, "MAX_UNPROVEN_BYTES", follow.MAX_UNPROVEN_BYTES)
        follow.MAX_UNPROVEN_BYTES = 3 * len(json.dumps(line[1]))
        with self.assertRaisesRegex(sealstream.ProofError, "4 entries"):
            next(self.reader().follow(0))


class Refusals(Case):
    def test_a_quiet_stream_and_one_refusal(self):
        """The time for which the log was quiet does not count."""
        honest, asked = self.server.get, []

        def get(handler, path, query):
            asked.append(path)
            turn = asked.count("/v1/stream") if path == "/v1/stream" else 0
            if turn == 2:
                time.sleep(2 * Head.ROLLED_BACK_AFTER)
                handler.close_connection = True
                return None
            if turn == 3:
                body = b'{"detail":"beyond","parameter":"from_index"}'
                return self.server.answer(handler, body, status=400)
            if turn == 4:
                self.small.log.put("tool_invocation", 50, data=b"{}", entry_id="late")
            return honest(handler, path, query)

        self.server.get = get
        stream = self.reader().follow(0)
        self.assertEqual([entry.index for entry in itertools.islice(stream, 9)], list(range(9)))
        stream.close()

    def test_a_page_that_the_server_cannot_show_yet(self):
        for parameter, when in (("size", "size"), ("cursor", "cursor")):
            with self.subTest(parameter):
                self.refuse("/v1/entries", 400, 2, parameter, when)
                found = [entry.index for entry in self.reader().entries(page=3)]
                self.assertEqual(found, list(range(8)))
        reader = self.reader()
        list(reader.entries())
        self.refuse("/v1/entries", 400, 2, "from_index", "from_index")
        self.assertEqual([entry.index for entry in reader.entries(start=6)], [6, 7])

    def test_a_page_that_the_server_cannot_show_any_more(self):
        self.refuse("/v1/entries", 400, 1 << 10, "size", "size")
        with self.assertRaisesRegex(sealstream.ForkError, "rolled back"):
            list(self.reader().entries(page=3))

    def test_an_entry_that_was_seen(self):
        reader = self.reader()
        reader.checkpoint()
        for status in (404, 400):
            self.refuse("/v1/entries/3/proof", status, 2)
            self.assertEqual(reader.entry(3).index, 3)
        self.refuse("/v1/entries/3/proof", 404, 1 << 10)
        with self.assertRaisesRegex(sealstream.ForkError, "rolled back"):
            reader.entry(3)
        self.refuse("/v1/entries/8/proof", 404, 1 << 10)
        with self.assertRaises(sealstream.NotFoundError):
            reader.entry(8)


class Ahead(Case):
    """Pages are asked for while the one before is checked."""

    def ask(self, break_every):
        honest, asked = self.server.get, []

        def get(handler, path, query):
            asked.append(query.get("cursor"))
            if break_every and len(asked) % break_every == 0:
                handler.close_connection = True
                return None
            return honest(handler, path, query)

        self.server.get = get
        found = [entry.index for entry in self.reader().entries(page=2)]
        self.server.get = honest
        self.assertEqual(found, list(range(8)))
        return asked

    def test_each_page_once(self):
        self.assertEqual(self.ask(0), [None, "2", "4", "6"])

    def test_connections_that_break(self):
        for every in (2, 3):
            asked = self.ask(every)
            self.assertGreater(len(asked), 4)
            self.assertEqual(sorted(set(asked), key=str), ["2", "4", "6", None])

    def test_a_first_page_is_not_followed_unasked(self):
        honest, asked = self.server.get, []
        self.server.get = lambda handler, path, query: (asked.append(query), honest(handler, path, query))[1]
        entries = self.reader().entries(page=2)
        self.assertEqual([next(entries).index for _ in range(2)], [0, 1])
        entries.close()
        self.assertEqual(len(asked), 1)


class Answers(Case):
    def test_an_event_of_a_newer_server(self):
        honest = self.small.stream
        self.small.stream = lambda start: [("hello", {"x": 1})] + honest(start)
        stream = self.reader().follow(0)
        self.assertEqual(next(stream).index, 0)
        stream.close()

    def test_answers_that_are_none(self):
        reader = self.reader(key=None, trust_first_use=True)
        for path, body, ask in (
                ("/v1/stats", b"{", reader.checkpoint), ("/v1/stats", b"{}", reader.checkpoint),
                ("/v1/stats", b'{"keys":[]}', reader.checkpoint), ("/v1/stats", b'{"keys":[1]}', reader.checkpoint),
                ("/v1/stats", b"[" * 100000, reader.checkpoint),
                ("/checkpoint", b"\xff", self.reader().checkpoint),
                ("/checkpoint", b"x" * ((8 << 20) + 1), self.reader().checkpoint),
                ("/checkpoint", b"\xff", lambda: next(self.reader().follow())),
                ("/v1/stream", b"event: \xff\ndata: {}\n\ndata: \xff\n\n", lambda: next(self.reader().follow(0))),
                ("/v1/stream", b"data: " + b"x" * (8 << 20), lambda: next(self.reader().follow(0)))):
            with self.subTest(path, body=body[:20]), self.assertRaises(sealstream.LogError):
                honest = self.server.get
                self.answer(path, body)
                try:
                    ask()
                finally:
                    self.server.get = honest


if __name__ == "__main__":
    unittest.main()
