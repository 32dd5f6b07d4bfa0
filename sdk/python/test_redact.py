"""What sealstream_redact makes of the vectors that hold the Go package, too."""
import base64
import json
import pathlib
import tempfile
import unittest

import sealstream
import sealstream_redact

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "conformance" / "vectors" / "redaction.json"

SECRET = "S3cr3t-Zz9-kq"


class TestVectors(unittest.TestCase):
    def test_vectors(self):
        for case in json.loads(VECTORS.read_text("utf-8"))["set2"]["cases"]:
            raw = "".join(case["in"])
            if case["json"]:
                out, found = sealstream_redact.redact_json(raw, "/data")
            else:
                out, kinds = sealstream_redact.redact_text(raw)
                found = [(kind, "/data") for kind in kinds]
            want = [(r["kind"], r["path"]) for r in case.get("redactions", [])]
            with self.subTest(case["name"]):
                self.assertEqual(out, case["out"])
                self.assertEqual(list(dict.fromkeys(found)), want)

    def test_again(self):
        for case in json.loads(VECTORS.read_text("utf-8"))["set2"]["cases"]:
            with self.subTest(case["name"]):
                redact = sealstream_redact.redact_json if case["json"] else sealstream_redact.redact_text
                self.assertEqual(redact(case["out"]), (case["out"], []))


class TestEvents(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def spooled(self, **options):
        """What stands in the spool of a client whose server is away, after an event with a password in each place."""
        with sealstream.Client("http://127.0.0.1:1", spool=self.folder.name, sync=False, **options) as client:
            receipt = client.log("tool_invocation", "did:web:agent", resource="postgres://app:%s@db/app" % SECRET, extensions={"apikey": SECRET},
                                 data={"password": SECRET, "env": [{"name": "X_TOKEN", "value": SECRET}], "note": "password: '%s'" % SECRET, "n": 1.5})
            self.assertTrue(receipt.entry_id)
            client.close(timeout=0)
        return b"".join(file.read_bytes() for file in pathlib.Path(self.folder.name).iterdir() if file.is_file())

    def test_spool(self):
        text = self.spooled()
        self.assertNotIn(SECRET.encode(), text)
        event = json.loads(next(line for line in text.split(b"\n") if b"specversion" in line))
        self.assertEqual(event["subject"], "postgres://app:[REDACTED:url-password]@db/app")
        self.assertEqual(event["data"], {"password": "[REDACTED:password]", "env": [{"name": "X_TOKEN", "value": "[REDACTED:token]"}],
                                         "note": "password: '[REDACTED:password]'", "n": 1.5})
        self.assertEqual(event["redactions"], "api-key:/apikey url-password:/subject password:/data/password token:/data/env/0/value password:/data/note")

    def test_off(self):
        self.assertIn(SECRET.encode(), self.spooled(redaction=False))

    def test_ordinary(self):
        event = {"specversion": "1.0", "id": "1", "source": "did:web:a", "type": "t", "data": {"usage": {"prompt_tokens": 12}, "text": "the password is wrong"}}
        self.assertIs(sealstream_redact.redact_event(event), event)

    def test_no_json(self):
        event = {"id": "1", "source": "did:web:a", "type": "t", "data": {"password": object()}}
        self.assertIs(sealstream_redact.redact_event(event), event)  # the client refuses it itself

    def test_encoded(self):
        event = {"id": "1", "source": "a", "type": "t", "datacontenttype": "text/plain", "data_base64": base64.b64encode(b"password=" + SECRET.encode()).decode()}
        self.assertEqual(base64.b64decode(sealstream_redact.redact_event(event)["data_base64"]), b"password=[REDACTED:password]")


if __name__ == "__main__":
    unittest.main()
