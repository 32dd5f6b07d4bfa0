"""What compliance and integrity find, and which of it is refused."""
import base64
import json
import subprocess
import unittest

import sealstream
import sealstream_verify as verifier
from sealing import Log, audit_path, jcs, sha256, sign
from sealstream.results import check_manifest
from server import Case, command, setUpModule, tearDownModule  # noqa: F401: for unittest, too

AGENT = "did:web:agent.example.com"
P = sealstream.ProofError


def statement(log, kind, document):
    """A note of the log's key over a document (SPEC 8.2)."""
    text = "sealstream-statement/v1\n%s\n%s\n" % (kind, sha256(jcs(document).encode()).hex())
    signature = base64.b64encode(bytes.fromhex(log.vkey.split("+")[1]) + sign(log.seed, text.encode())).decode()
    return "%s\n\u2014 %s %s\n" % (text, log.origin, signature)


def sealed(log, members):
    """The text of an attestation with its hash, signed by the log's key."""
    document = dict(members, attestation_hash="", signature="")
    digest = sha256(jcs(document).encode()).hex()
    return jcs(dict(document, attestation_hash=digest, signature=statement(log, "attestation", document)))


class Altered(unittest.TestCase):
    """Attestations of a small log. What the log's own key has signed may be wrong, too."""

    def setUp(self):
        self.log = Log()
        self.log.put("tool_invocation", 8, data=b"{}")
        self.log.put("tool_invocation", 9, data=b"{}")
        controls = [{"id": "C%d" % n, "name": "n", "component": "c", "verdict": verdict, "reasons": []}
                    for n, verdict in enumerate(("pass", "fail", "not-applicable"))]
        proofs = [{"leaf_index": n, "leaf": self.log.leaves[n], "merkle_proof": audit_path(n, self.log.bytes())} for n in (1, 2)]
        self.members = {"schema": "sealstream-attestation/v1", "framework_title": "F", "passed": False, "coverage_pct": 50, "controls_passed": 1,
                        "controls_total": 2, "controls_not_applicable": 1, "tree_size": 3, "checkpoint": self.log.checkpoint(),
                        "log_valid": True, "controls": controls, "proofs": proofs}

    def check(self, text):
        sealstream.Attestation(text).check(self.log.vkey)

    def test_it_holds(self):
        found = sealstream.Attestation(sealed(self.log, self.members))
        self.assertIn("signature not checked", found.summary())
        self.assertIsNone(found.signed_by)
        found.check(self.log.vkey)
        self.assertEqual(found.signed_by, self.log.origin)
        self.assertIn("signed by " + self.log.origin, found.summary())

    def test_signatures(self):
        other = Log(seed=bytes(32))
        good = json.loads(sealed(self.log, self.members))
        document = dict(good, attestation_hash="", signature="")
        other_kind = statement(self.log, "integrity-manifest", document)
        other_document = statement(self.log, "attestation", dict(document, passed=True))
        damaged = good["signature"][:-10] + ("A" if good["signature"][-10] != "A" else "B") + good["signature"][-9:]
        for name, signature, words in (
                ("none", "", "not signed"), ("another key", statement(other, "attestation", document), "not signed by the key"),
                ("another kind", other_kind, "is not this attestation"), ("another document", other_document, "is not this attestation"),
                ("a checkpoint", self.log.checkpoint(), "is not this attestation"), ("damaged", damaged, "is wrong"),
                ("no note", "x", "not a signed note")):
            with self.subTest(name), self.assertRaisesRegex(P, words):
                self.check(jcs(dict(good, signature=signature)))

    def test_members(self):
        """Changed by someone who has not the key, with and without a new hash."""
        good = json.loads(sealed(self.log, self.members))
        for name in [*self.members, "other"]:
            changed = dict(good, **{name: "x"})
            with self.subTest(name), self.assertRaisesRegex(P, "attestation_hash is not"):
                self.check(jcs(changed))
            digest = sha256(jcs(dict(changed, attestation_hash="", signature="")).encode()).hex()
            with self.subTest(name), self.assertRaisesRegex(P, "is not this attestation"):
                self.check(jcs(dict(changed, attestation_hash=digest)))
        for text in ("", "[]", "{}", jcs(good)[:-1] + ',"passed":true}', '{"passed":1.5}'):
            with self.subTest(text[:20]), self.assertRaises(P):
                self.check(text)

    def test_wrong_and_signed(self):
        """Signed by the log's own key, and yet not so."""
        first, _ = self.members["proofs"]
        older = self.log.checkpoint(2)
        for words, changes in (
                ("totals", dict(passed=True)), ("totals", dict(controls_passed=2)), ("totals", dict(coverage_pct=51)),
                ("totals", dict(controls_total=3)), ("totals", dict(controls_not_applicable=0)), ("totals", dict(controls=[])),
                ("tree_size", dict(tree_size=4)), ("tree_size", dict(checkpoint=older)),
                ("not signed", dict(checkpoint=Log(seed=bytes(32)).checkpoint())),
                ("index", dict(proofs=[dict(first, leaf_index=2)])), ("lead to the root", dict(proofs=[dict(first, merkle_proof=[["00" * 32, side] for _, side in first["merkle_proof"]])])),
                ("sides", dict(proofs=[dict(first, merkle_proof=[])])),
                ("lead to the root", dict(proofs=[dict(first, leaf=first["leaf"].replace("did:example:a", "did:example:b"))])),
                ("missing member", dict(proofs=[{}]))):
            with self.subTest(words, **changes), self.assertRaisesRegex(P, words):
                self.check(sealed(self.log, dict(self.members, **changes)))

    def test_manifests(self):
        document = {"schema": "sealstream-integrity/v1", "modules": [], "signature": ""}
        good = dict(document, signature=statement(self.log, "integrity-manifest", document))
        self.assertEqual(check_manifest(jcs(good).encode(), self.log.vkey), self.log.origin)
        for changed in (dict(good, modules=[{"path": "x"}]), dict(good, signature=""), document,
                        dict(good, signature=statement(self.log, "attestation", document)),
                        dict(good, signature=statement(Log(seed=bytes(32)), "integrity-manifest", document)), {}, []):
            with self.subTest(jcs(changed)[:60]), self.assertRaises(P):
                check_manifest(jcs(changed).encode(), self.log.vkey)


class Results(Case):
    """What the command makes."""

    def keygen(self, name):
        subprocess.run([command(), "keygen", "--out", self.folder / name, "--host", "build.example.com"], check=True, capture_output=True)
        return self.folder / name / "log.key", self.folder / name / "log.pub"

    def test_compliance(self):
        server = self.server()
        data = server.folder / "data"
        with sealstream.AuditLog(server=server.url, key=data / "log.pub", state=None, spool=self.spool) as audit:
            for name in ("PolicyEngine", "ToolPolicy"):
                audit.log("component_declared", AGENT, "audit", name)
        options = dict(server=server.url, key=data / "log.pub", command=command())
        attestation = sealstream.GovernanceVerifier(**options).verify()
        self.assertEqual((attestation.passed, attestation.controls_total, attestation.signed_by), (False, 10, None))
        self.assertEqual(attestation.coverage_pct(), attestation.controls_passed * 10)
        self.assertIn("%s (not signed)" % attestation.attestation_hash, attestation.summary())
        self.assertIn("ASI01", attestation.summary())
        with self.assertRaisesRegex(P, "not signed"):
            attestation.check(data / "log.pub")
        with self.assertRaisesRegex(P, "attestation_hash"):
            sealstream.Attestation(attestation.to_json().replace('"passed":false', '"passed":true'))
        signed = sealstream.GovernanceVerifier(sign=data / "log.key", **options).verify()
        self.assertEqual(signed.signed_by, verifier.read_key((data / "log.pub").read_text().strip())[0])
        _, other = self.keygen("other")
        with self.assertRaisesRegex(P, "not signed by the key"):
            signed.check(other)
        with self.assertRaises(sealstream.LogError):
            sealstream.GovernanceVerifier(**dict(options, server="http://127.0.0.1:9")).verify()

    def test_integrity(self):
        manifest = self.folder / "integrity.json"
        with self.assertRaises(FileNotFoundError):
            sealstream.IntegrityVerifier(manifest_path=manifest, command=command()).verify()
        secret, public = self.keygen("key")
        subprocess.run([command(), "integrity", "generate", "--out", manifest, "--sign", secret], check=True, capture_output=True)
        report = sealstream.IntegrityVerifier(manifest, key=public, command=command()).verify()
        self.assertTrue(report.passed, report.summary())
        self.assertGreater(report.modules_checked, 10)
        self.assertEqual(report.modules_missing, [])
        _, other = self.keygen("other")
        with self.assertRaisesRegex(P, "not signed by the key"):
            sealstream.IntegrityVerifier(manifest, key=other, command=command()).verify()
        manifest.write_text(manifest.read_text().replace('"go"', '"go "', 1))
        with self.assertRaisesRegex(P, "is not this integrity-manifest"):
            sealstream.IntegrityVerifier(manifest, key=public, command=command()).verify()


if __name__ == "__main__":
    unittest.main()
