"""The parameters of log that are given by name alone."""
import datetime
import tempfile
import unittest

import sealstream
from sealstream.details import describe

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
GIVEN = {  # parameter: its value, and the attribute of the event
    "session_id": ("s", "sessionid", "s"), "target_did": ("did:web:b", "targetdid", "did:web:b"), "matched_rule": ("r", "matchedrule", "r"),
    "arguments_hash": ("ab", "argumentshash", "ab"), "approver_did": ("did:web:c", "approverdid", "did:web:c"),
    "policy_version": ("7", "policyversion", "7"), "issued_at": (NOW, "issuedat", "2026-01-02T00:00:00Z"),
    "completed_at": ("2026-01-02T00:00:00Z", "completedat", "2026-01-02T00:00:00Z"), "extensions": ({"x1": "y"}, "x1", "y")}


class Details(unittest.TestCase):
    def test_each(self):
        self.assertEqual(set(GIVEN), set(sealstream.Details.__annotations__))
        for name, (value, attribute, expected) in GIVEN.items():
            event = describe("t", "did:web:a", **{name: value})
            self.assertEqual(event[attribute], expected)
            plain, none = describe("t", "did:web:a"), describe("t", "did:web:a", **{name: None})
            self.assertEqual(plain.keys(), none.keys())
            self.assertEqual(event.keys() - plain.keys(), {attribute})

    def test_others(self):
        with tempfile.TemporaryDirectory() as folder:
            audit = sealstream.AuditLog(server="http://127.0.0.1:9", key=None, state=None, spool=folder + "/a")
            with sealstream.Client("http://127.0.0.1:9", folder + "/b") as client:
                for log in (client.log, audit.log):
                    for wrong in ("colour", "_session_id", "sessionid", "subject"):
                        with self.subTest(log=log, wrong=wrong), self.assertRaisesRegex(TypeError, wrong):
                            log("t", "did:web:a", "allow", **{wrong: "x"})
                for wrong in ("entry_id", "timestamp", "wait"):  # an entry of AuditLog is its own
                    with self.subTest(wrong), self.assertRaisesRegex(TypeError, wrong):
                        audit.log("t", "did:web:a", "allow", **{wrong: "x"})
                with self.assertRaisesRegex(ValueError, "extensions name what has a parameter: sessionid"):
                    client.log("t", "did:web:a", session_id="s", extensions={"sessionid": "x"})
                self.assertEqual(client.status()["pending"], 0)


if __name__ == "__main__":
    unittest.main()
