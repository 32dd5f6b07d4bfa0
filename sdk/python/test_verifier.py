"""Whole exports, good and bad, and the command itself."""
import json
import os
import unittest
import uuid

from sealing import LIMITS, TIME, Case, Log, sample


class WholeExports(Case):
    def check_lines(self, lines, index, words, *argv):
        self.bad(("export", self.lines(lines)) + argv, index, words)

    def test_good(self):
        log = sample()
        for argv in ((), ("--key", log.vkey), ("--key-file", self.file(log.vkey + "\n"))):
            result = self.good("export", self.lines(log.export()), *argv)
            self.assertEqual((result["tree_size"], result["root"]), (16, log.root().hex()))
            self.assertEqual(result["checked"],
                             {"checkpoints": 1, "entries": 16, "own_entries": 11, "data_opened": 6, "data_absent": 0})
        status, out = self.run_main("export", self.lines(log.export()))
        self.assertEqual((status, "one log, not whose" in out, log.origin in out), (0, True, True))
        status, out = self.run_main("export", self.lines(log.export()), "--key", log.vkey)
        self.assertEqual((status, "not whose" in out), (0, False))

    def test_erased_data(self):
        log = sample()
        lines = log.export()
        for index in (1, 5):
            del lines[1 + index]["data_raw"], lines[1 + index]["salt"]
        self.assertEqual(self.good("export", self.lines(lines))["checked"]["data_absent"], 2)
        del lines[1 + 12]["data_raw"], lines[1 + 12]["salt"]
        self.check_lines(lines, 12, "missing")

    def test_no_last_line_feed(self):
        path = self.lines(Log().export())
        with open(path, "rb") as file:
            self.good("export", self.file(file.read()[:-1]))

    def test_every_prefix_is_a_log(self):
        log = sample()
        while log.leaves:
            if len(log.leaves) == 11:  # data of 1 and 5 is still there
                self.assertNotIn("erasure", log.leaves[-1])
            self.good("export", self.lines(log.export()))
            log.leaves.pop()
        self.check_lines(log.export(), 0, "")

    def test_changed_lines(self):
        """What someone without the key can do to a file."""
        def change(i, **members):
            def work(lines):
                lines[i].update(members)
            return work

        def leaf(i, old, new):
            def work(lines):
                self.assertIn(old, lines[1 + i]["leaf"])
                lines[1 + i]["leaf"] = lines[1 + i]["leaf"].replace(old, new, 1)
            return work

        def raw(i, old, new):
            def work(lines):
                text = json.dumps(lines[i]).encode()
                self.assertIn(old, text)
                lines[i] = text.replace(old, new, 1)
            return work

        log, other = sample(), Log("other")
        cases = (
            ("an agent", leaf(3, "did:example:a", "did:example:b"), 4, "previous_hash"),
            ("the last leaf", leaf(15, "did:example:a", "did:example:b"), 15, "root"),
            ("white space", leaf(3, '"v":1', '"v": 1'), 3, "canonical"),
            ("an escape", leaf(3, "deny", "d\\u0065ny"), 3, "canonical"),
            ("a fraction", leaf(3, '"v":1', '"v":1.0'), 3, "bad member 'v'"),
            ("order", leaf(3, '"action":"deny",', ""), 4, "previous_hash"),
            ("a member twice", leaf(3, '"v":1', '"v":1,"v":1'), 3, "twice"),
            ("null", leaf(3, '"v":1', '"v":1,"z":null'), 3, "unknown member 'z'"),
            ("version", leaf(3, '"v":1', '"v":2'), 3, "bad member 'v'"),
            ("the index", leaf(3, '"index":3', '"index":4'), 3, "index 4"),
            ("log", leaf(3, '"log":"default"', '"log":"other"'), 3, "another log"),
            ("an action", leaf(3, '"deny"', '"maybe"'), 3, "bad member 'action'"),
            ("data", change(2, data_raw="{}"), 1, "does not open"),
            ("data of another kind", change(4, data_raw="x"), 3, "go together"),
            ("salt", change(2, salt="0" * 64), 1, "does not open"),
            ("upper-case salt", change(2, salt=log.records[1]["salt"].upper()), 1, "bad member 'salt'"),
            ("data without a hash", change(3, data_raw="{}", salt="0" * 64), 2, "go together"),
            ("salt alone", change(3, salt="0" * 64), 2, "go together"),
            ("a proof in a whole export", change(3, merkle_proof=[]), 2, "filters"),
            ("a member beside the leaf", change(3, entry={}), 2, "unknown member 'entry'"),
            ("a lone surrogate", change(2, data_raw="\ud800"), 1, "surrogates"),
            ("not JSON", raw(3, b"{", b"["), 2, ""),
            ("a member of the line twice", raw(3, b"{", b'{"leaf":"",'), 2, "twice"),
            ("an empty line", lambda lines: lines.insert(3, b""), 2, ""),
            ("an empty line in front", lambda lines: lines.insert(1, b""), 0, ""),
            ("an empty line before the last", lambda lines: lines.insert(-1, b"\r"), 15, "an empty line"),
            ("the last doubled, an empty line before", lambda lines: lines.extend([b"", lines[-1]]), 16, "an empty line"),
            ("a leaf left out", lambda lines: lines.pop(4), 3, "index 4"),
            ("a leaf doubled", lambda lines: lines.insert(4, lines[3]), 3, "index 2"),
            ("leaves swapped", lambda lines: lines.insert(3, lines.pop(4)), 2, "index 3"),
            ("the first left out", lambda lines: lines.pop(1), 0, "index 1"),
            ("the last left out", lambda lines: lines.pop(), 14, "cut"),
            ("cut, and the manifest fits", lambda lines: lines.pop() and lines[0].update(count=15, last=14), 15, "cut"),
            ("the last doubled", lambda lines: lines.append(lines[-1]), 16, "more entries"),
            ("no leaves", lambda lines: lines.__delitem__(slice(1, None)), None, "cut"),
            ("count", change(0, count=15), 15, "count"),
            ("first", change(0, first=1), 15, "first"),
            ("no last", lambda lines: lines[0].pop("last"), None, "last"),
            ("size", change(0, size=15), 16, "manifest 15"),
            ("root", change(0, root="0" * 64), 15, "manifest"),
            ("the manifest's log", change(0, log="other"), 0, "manifest"),
            ("the manifest's origin", change(0, origin="other"), 0, "manifest"),
            ("manifest version", change(0, sealstream_export=2), None, "bad member 'sealstream_export'"),
            ("manifest version true", change(0, sealstream_export=True), None, "bad member 'sealstream_export'"),
            ("a manifest member", change(0, more=1), None, "unknown member 'more'"),
            ("checkpoint of another log", change(0, checkpoint=other.checkpoint()), 0, "not signed"),
            ("unsigned root", change(0, checkpoint=log.checkpoint().replace("\n16\n", "\n15\n")), 0, "signature"),
            ("checkpoint of another root", change(0, checkpoint=log.checkpoint(16, bytes(32))), 0, "checkpoint"),
            ("no manifest", lambda lines: lines.pop(0), None, "manifest"),
            ("nothing", lambda lines: lines.clear(), None, ""),
        )
        for name, work, index, words in cases:
            with self.subTest(name):
                lines = log.export()
                work(lines)
                self.check_lines(lines, index, words, "--key", log.vkey)

    def test_key(self):
        log, other = sample(), Log(seed=bytes(32))
        self.check_lines(log.export(), 0, "not signed", "--key", other.vkey)
        self.check_lines(log.export(), 0, "not signed", "--key", log.make_vkey("log.example"))
        forged = Log(keys=[log.vkey])  # signed, but by a config that names another key
        self.good("export", self.lines(forged.export()))
        second = Log(seed=bytes(32))
        second.leaves = []
        second.config(7, keys=[second.make_vkey(second.origin, log.public)])
        self.check_lines(second.export(), 0, "origin", "--key", second.vkey)
        self.check_lines(second.export(), 0, "origin")

    def test_signature_first(self):
        """A wrong key is named before anything is called altered, and one that nobody gave is that of the log's config."""
        log, other = sample(), Log(seed=bytes(32))
        lines = log.export()
        lines[4]["leaf"] = lines[4]["leaf"].replace("deny", "allow")
        self.check_lines(lines, 0, "not-signed: not signed by the key that you gave", "--key", other.vkey)
        self.check_lines(lines, 4, "altered: ", "--key", log.vkey)
        lines = log.export()
        lines[0]["checkpoint"] = lines[0]["checkpoint"].replace(log.origin, other.origin)
        lines[0]["origin"] = other.origin
        self.check_lines(lines, 0, "other-log: ")

    def test_blank_lines_behind(self):
        for behind in (b"\n", b"\n\n", b"\r\n", b" \n\t", b"\r"):
            with open(self.lines(sample().export()), "rb") as file:
                raw = file.read()
            self.good("export", self.file(raw + behind))
            self.good("export", self.file(raw.replace(b"\n", b"\r\n") + behind))

    def sealed(self, build, index, words):
        """What someone with the key can seal."""
        log = Log()
        build(log)
        self.check_lines(log.export(), index, words, "--key", log.vkey)

    def test_configs(self):
        log = Log()
        for name, config, words in (
                ("origin", dict(origin="log.example/default/00000000"), "origin"), ("no key", dict(keys=[]), "bad member 'keys'"),
                ("limits", dict(limits={**LIMITS, "window": 5}), "bad member 'limits'"),
                ("rules", dict(rules=5), "bad member 'rules'"), ("verdicts", dict(rules=4, verdicts=True), "newer release"),
                ("private under rules 4", dict(rules=4, redaction=dict(set=0, private_fields=["actionsalt"])), "fit"),
                ("redaction under rules 1", dict(redaction=dict(set=0)), "fit"), ("redaction", dict(rules=2, redaction=dict(set=0, more=1)), "redaction"),
                ("previous", dict(previous=0), "fit"), ("epoch", dict(epoch=2), "fit"),
                ("open", dict(events_open=1), "events_open"),
                ("fingerprint", dict(secret_fingerprint="0" * 31), "secret_fingerprint"), ("more", dict(more="x"), "unknown"),
                ("less", dict(events_created=None), "missing"),
                ("epoch of the leaf", dict(leaf=dict(input_epoch=2)), "input_epoch"),
                ("a second key of another name", dict(keys=[log.vkey, log.make_vkey("other")]), "another name")):
            with self.subTest(name):
                self.check_lines(Log(**config).export(), 0, words, "--key", log.vkey)
        for name, config, words in (
                ("no previous", {}, "fit"), ("another previous", dict(previous=1), "newest config"),
                ("origin", dict(previous=0, origin=log.origin + "0"), "origin"), ("epoch", dict(previous=0, epoch=2), "changes"),
                ("keys", dict(previous=0, keys=[log.vkey] * 2), "changes"),
                ("events_created", dict(previous=0, events_created="2026-01-02T03:04:05.000000001Z"), "changes"),
                ("redaction under rules 1", dict(previous=0, redaction=dict(set=0)), "fit"),
                ("fingerprint", dict(previous=0, secret_fingerprint="1" * 32), "changes")):
            with self.subTest(name):
                self.sealed(lambda log: log.config(8, **config), 1, words)
        redacting = Log(rules=2, redaction=dict(set=1, hash="0" * 64, names=[dict(kind="a", name="b")], patterns=[dict(kind="a", match="b")], private_fields=["c"]))
        self.good("export", self.lines(redacting.export()), "--key", redacting.vkey)
        redacting.config(8, previous=0)
        self.check_lines(redacting.export(), 1, "changes", "--key", redacting.vkey)
        no_config = Log()
        no_config.leaves = []
        no_config.put("tool_invocation", 7)
        self.check_lines(no_config.export(), 0, "no config", "--key", log.vkey)

    def test_config_of_a_new_epoch(self):
        for epoch, created, ok in ((2, "2026-02-02T03:04:05.000000000Z", 1), (1, TIME, 1), (2, TIME, 0), (3, TIME, 0)):
            log = Log()
            log.epoch(2, 7)
            log.config(1, previous=0, epoch=epoch, events_created=created, leaf=dict(input_epoch=2))
            path = self.lines(log.export())
            self.good("export", path) if ok else self.bad(("export", path), 2, "changes")

    def test_leaves(self):
        for name, members, words in (
                ("an own type", dict(event_type="sealstream.config"), "detail"),
                ("an own type of no kind", dict(event_type="sealstream"), "no entries"),
                ("no type", dict(cloudevent_type=None), "cloudevent_type"), ("detail", dict(detail={}), "detail"),
                ("bool index", dict(position=False), "bad member 'position'"), ("string index", dict(position="0"), "position"),
                ("extensions", dict(extensions={}), "extensions"), ("extension value", dict(extensions={"a": 1}), "extensions"),
                ("extension name", dict(extensions={"A": "x"}), "extensions"), ("empty subject", dict(resource=""), "resource"),
                ("received_at", dict(received_at="2026-01-02T03:04:05Z"), "received_at"),
                ("time", dict(timestamp="2026-01-02 03:04:05Z"), "timestamp"), ("publisher", dict(publisher='a"b'), "publisher"),
                ("redactions", dict(redactions=[]), "redactions"), ("redaction", dict(redactions=[{"kind": "x"}]), "redactions"),
                ("agent_seq", dict(agent_seq="1"), "agent_seq"), ("hash", dict(agent_prev="A" * 64), "agent_prev"),
                ("too long", dict(extensions={"a%d" % i: "x" * 4096 for i in range(16)}), "65,535")):
            with self.subTest(name):
                self.sealed(lambda log: log.put("x", 8, **members) if "event_type" not in members else
                            log.put(members["event_type"], 8), 1, words)
        log = Log()
        log.put("sealstreamer", 8, redactions=[{"kind": "email", "path": "/a"}], agent_seq=0, agent_prev="0" * 64,
                resource="\u00e9\U0001f600")
        log.put("x", 9, extensions={"datacontenttype": "text/plain", "empty": ""}, resource="x" * 4096)
        self.good("export", self.lines(log.export()))

    def test_own_entries(self):
        gap, erasure = {"from": 8, "to": 8}, {"indexes": [0], "reason": "r", "authority": "a"}
        twice, later = [{"originals": [{"index": index, "position": 0}]} for index in (0, 1)]
        for name, build, words in (
                ("entry_id", lambda log: log.own("gap", 8, gap, entry_id=str(uuid.uuid4())), "UUIDv5"),
                ("agent_did", lambda log: log.own("gap", 8, gap, agent_did="did:example:a"), "agent_did"),
                ("timestamp", lambda log: log.own("gap", 8, gap, timestamp="2026-01-02T03:04:05Z"), "timestamp"),
                ("cloudevent_type", lambda log: log.own("gap", 8, gap, cloudevent_type="x"), "cloudevent_type"),
                ("unknown kind", lambda log: log.own("key", 8, {}), "no entries"),
                ("no detail", lambda log: log.own("gap", 8, None), "detail"),
                ("detail", lambda log: log.own("gap", 8, {"from": 8}), "missing member 'to'"),
                ("rejected digest", lambda log: log.rejected(8, b"x", digest="0" * 64), "fit"),
                ("rejected digest at 4,096", lambda log: log.rejected(8, b"x" * 4096, digest="0" * 64), "fit"),
                ("rejected size", lambda log: log.rejected(8, b"x", size=2), "first 4,096"),
                ("rejected long size", lambda log: log.rejected(8, b"x" * 10, size=4097), "first 4,096"),
                ("rejected field", lambda log: log.rejected(8, b"x", field=""), "field"),
                ("duplicate publisher", lambda log: log.own("duplicate", 8, twice, 1, publisher="p"), "fit"),
                ("duplicate of a later one", lambda log: log.own("duplicate", 8, later, 1), "fit"),
                ("equivocation", lambda log: log.own("equivocation", 8, {"entry_id": "i", "event_type": "x", "original": 1},
                                                     cloudevent_type="x"), "fit"),
                ("erasure of itself", lambda log: log.own("erasure", 8, {**erasure, "indexes": [1]}), "fit"),
                ("erasure order", lambda log: log.own("erasure", 8, {**erasure, "indexes": [0, 0]}), "fit"),
                ("erasure reason", lambda log: log.own("erasure", 8, {**erasure, "reason": 1}), "reason"),
                ("control", lambda log: log.own("control", 8, {"epoch": 2, "events_created": TIME, "reason": "r", "after": {
                    "input_epoch": 1, "input_seq": 7, "size": 1, "root": "0" * 64}}), "fit")):
            with self.subTest(name):
                self.sealed(build, 1, words)

    def test_input(self):
        """SPEC 10 item 3, each case after a config at input_seq 7."""
        def messages(*entries):
            def build(log):
                for entry in entries:
                    if entry[0] == "gap":
                        log.own("gap", entry[2], {"from": entry[1], "to": entry[2]})
                    elif entry[0] == "twice":
                        log.own("duplicate", entry[1], {"originals": [{"index": 0, "position": i} for i in entry[3:]]}, entry[2])
                    elif entry[0] == "epoch":
                        log.epoch(*entry[1:])
                    else:
                        log.put("x", entry[0], entry[1], input_epoch=entry[2] if len(entry) > 2 else 1)
            return build
        good = (
            messages((8, 0), (8, 1), (9, 0)), messages(("gap", 8, 10), (11, 0)), messages((8, 0), ("twice", 8, 2, 1), (9, 0)),
            messages(("twice", 8, 2, 0, 1), (9, 0)), messages((8, 1),
            ("twice", 8, 2, 0), (9, 0)), messages((8, 1)), messages((8, 0), (8, 2)),
            messages((8, 1), ("epoch", 2, 8), (1, 0, 2)), messages(("epoch", 2, 7), ("epoch", 3, 0), (5, 0, 3), (6, 0, 3)),
            messages(("gap", 8, 8)), messages(("gap", 8, 8), ("epoch", 2, 8)), messages(*((8, i) for i in range(256))),
            messages(*[(8, i) for i in range(255)], ("twice", 8, 256, 255)),
        )
        for build in good:
            log = Log()
            build(log)
            self.good("export", self.lines(log.export()), "--key", log.vkey)
        for name, build, index, words in (
                ("a message left out", messages((9, 0)), 1, "does not follow"),
                ("a message twice", messages((8, 0), (9, 0), (8, 0)), 3, "does not follow"),
                ("back", messages((6, 0)), 1, "does not follow"),
                ("the first position", messages((8, 1), (9, 0)), 2, "no entry"),
                ("a position in between", messages((8, 0), (8, 2), (8, 3), (9, 0)), 4, "no entry"),
                ("before a gap", messages((8, 0), (8, 2), ("gap", 9, 9)), 3, "no entry"),
                ("a position twice", messages((8, 0), (8, 0)), 2, "cannot follow"),
                ("position order", messages((8, 1), (8, 0)), 2, "cannot follow"),
                ("too many", messages(*((8, i) for i in range(257))), 257, "cannot follow"),
                ("config again", messages((7, 0)), 1, "cannot follow"),
                ("more after duplicates", messages((8, 0), ("twice", 8, 2, 1), (8, 3)), 3, "cannot follow"),
                ("originals short", messages((8, 0), ("twice", 8, 3, 1)), 2, "left out"),
                ("originals long", messages((8, 0), ("twice", 8, 2, 0, 1)), 2, "left out"),
                ("originals unordered", messages(("twice", 8, 2, 1, 0)), 1, "left out"),
                ("duplicate of nothing", messages((8, 0), ("twice", 8, 1)), 2, "bad member 'originals'"),
                ("gap from", messages(("gap", 9, 9)), 1, "does not follow"),
                ("gap overlaps", messages((8, 0), ("gap", 8, 9)), 2, "does not follow"),
                ("gap empty", messages(("gap", 8, 7)), 1, "fit"),
                ("after a gap", messages(("gap", 8, 9), (11, 0)), 2, "does not follow"),
                ("in a gap", messages(("gap", 8, 9), (9, 0)), 2, "cannot follow"),
                ("epoch unopened", messages((8, 0, 2)), 1, "input_epoch"),
                ("epoch back", messages(("epoch", 2, 7), (8, 0, 1)), 2, "input_epoch"),
                ("epoch skipped", messages(("epoch", 3, 7)), 1, "input_epoch"),
                ("epoch after", messages(("epoch", 2, 8)), 1, "after is not"),
                ("in the new epoch", messages(("epoch", 2, 7), (5, 0, 2), (7, 0, 2)), 3, "does not follow")):
            with self.subTest(name):
                self.sealed(build, index, words)
        for after in (dict(root="0" * 64), dict(size=0), dict(input_epoch=2)):
            self.sealed(lambda log: log.epoch(2, 7, **after), 1, "after is not")

    def test_checkpoints(self):
        log, fork = sample(), sample()
        path = self.lines(log.export())
        for size in range(0, 17):
            self.good("export", path, "--checkpoint", self.file(log.checkpoint(size)))
        both = ("--checkpoint", self.file(log.checkpoint(3)), "--checkpoint", self.file(log.checkpoint(9)))
        self.assertEqual(self.good("export", path, *both)["checked"]["checkpoints"], 3)
        fork.leaves[3] = fork.leaves[3].replace("deny", "allow")
        for size, root, words in ((5, fork.root(5), "history"), (16, fork.root(16), "history"), (0, b"\0" * 32, "history"),
                                  (17, b"\0" * 32, "cut")):
            argv = ("export", path, "--checkpoint", self.file(log.checkpoint(size, root)))
            self.bad(argv, 16 if words == "cut" else max(size, 1) - 1, words)
        self.good("export", path, "--checkpoint", self.file(fork.checkpoint(3)))
        other = Log(seed=bytes(32))
        self.bad(("export", path, "--checkpoint", self.file(other.checkpoint())), 0, "not signed by a key that the log's config names")
        forged = Log(seed=bytes(32))
        forged.origin = log.origin  # whoever has no key of the log can still write one
        for size in (16, 5, 99):
            note = forged.checkpoint(size, b"\0" * 32)
            self.bad(("export", path, "--key", log.vkey, "--checkpoint", self.file(note)), 0, "not signed by the key that you gave")
        self.bad(("export", path, "--checkpoint", self.file("x")), 0, "note")
        self.assertEqual(self.verdict("export", path, "--checkpoint", os.path.join(self.directory, "none"))[0], 2)


class Usage(Case):
    def test_wrong_use(self):
        log = Log()
        path = self.lines(log.export())
        for argv in ((), ("export",), ("what", path), ("export", path, "--key", "x"), ("export", path, "--key-file", path + "x"),
                     ("export", path + "x"), ("export", self.directory), ("checkpoint", path), ("proof", path),
                     ("path", "0", path)):
            self.assertEqual(self.run_main(*argv)[0], 2, argv)
        status, out = self.run_main("export", path + "x", "--json")
        self.assertEqual((status, json.loads(out)["valid"]), (2, False))

    def test_human_line(self):
        log = sample()
        lines = log.export()
        status, out = self.run_main("export", self.lines(lines), "--key", log.vkey)
        self.assertEqual((status, out), (0, "valid: all 16 entries of %s\n" % log.origin))
        lines[4]["leaf"] = "{}"
        status, out = self.run_main("export", self.lines(lines))
        self.assertEqual((status, out.count("\n")), (1, 1))
        self.assertTrue(out.startswith("NOT VALID at index 3: "), out)


if __name__ == "__main__":
    unittest.main()
