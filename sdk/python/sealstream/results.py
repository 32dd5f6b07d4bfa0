"""What `sealstream compliance` and `sealstream integrity` find, as objects.

The work is the command's: it looks for evidence in the log, cites entries with their proofs, and
hashes the program. Nothing here decides whether a control passes. Signatures and proofs are checked
here."""
from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
from typing import Any, Dict, List, Optional, Sequence, Union

import sealstream_verify as sv

from .attestation import Attestation
from .errors import LogError, ProofError
from .settings import Path, key_or_default, log_or_default, server_or_default
from .verifier import parse_keys, read_keys, refused


class IntegrityReport:
    """How a program compares with the manifest of the one that was built."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.members: Dict[str, Any] = json.loads(text)
        self.passed: bool = self.members["passed"]
        self.modules_checked: int = self.members["modules_checked"]
        self.modules_missing: List[str] = self.members["modules_missing"]

    def summary(self) -> str:
        """The result for a person."""
        members = self.members
        lines = ["Integrity verification: %s" % ("PASSED" if self.passed else "FAILED")]
        lines.append("Signed by: %s" % members["signed_by"])
        checked = (self.modules_checked, members["functions_checked"], members["files_checked"])
        lines.append("Checked: %d modules, %d functions, %d source files" % checked)
        for kind in ("module", "function", "file"):
            for one in members[kind + "_results"]:
                lines.append("%s %s: %s" % (kind, one["name"], one["state"]))
        return "\n".join(lines)

    def to_json(self) -> str:
        """The report as JSON."""
        return self._text


class GovernanceVerifier:
    """Looks in a log for evidence of a framework's controls, by `sealstream compliance verify`.

    server, log, key  as for AuditLog
    framework         owasp-asi-2026, agt-legacy, or the path of a YAML file
    window            length of the time up to now, such as 30d, 12h or all
    sign              path of the log's signing key, to sign the attestation with
    command           the program; by default it is found in $PATH
    """

    def __init__(
        self,
        *,
        server: Optional[str] = None,
        key: Optional[Path] = None,
        log: Optional[str] = None,
        framework: Optional[str] = None,
        window: str = "30d",
        sign: Optional[Path] = None,
        command: Optional[Path] = None,
    ) -> None:
        self._command, self._key, self._sign = command, key_or_default(key), sign
        self._args = ["compliance", "verify", "--json", "--window", window]
        self._args += ["--server", server_or_default(server), "--log", log_or_default(log)]
        for flag, value in (("--key", self._key), ("--framework", framework), ("--sign", sign)):
            if value:
                self._args += [flag, os.fspath(value)]

    def verify(self) -> Attestation:
        """The attestation, whether the controls pass or not. With a key it was checked here, as by
        Attestation.check, and with sign the signature, too. Raises LogError if none was made, and
        ProofError if it does not hold."""
        found = Attestation(_run(self._command, self._args))
        if self._key:
            found.check(self._key, signed=self._sign is not None)
        return found


class IntegrityVerifier:
    """Compares the program `sealstream` with a manifest, by `sealstream integrity verify`.

    manifest_path  of the manifest that was made where the program was built
    key            public key that must have signed it, or its file
    binary         program to check; by default the command itself
    """

    def __init__(
        self,
        manifest_path: Union[str, "os.PathLike[str]"],
        *,
        key: Optional[Path] = None,
        binary: Optional[Path] = None,
        command: Optional[Path] = None,
    ) -> None:
        self._manifest, self._command, self._key = pathlib.Path(manifest_path), command, key
        self._args = ["integrity", "verify", "--json", "--manifest", str(manifest_path)]
        for flag, value in (("--key", key), ("--binary", binary)):
            if value:
                self._args += [flag, os.fspath(value)]

    def verify(self) -> IntegrityReport:
        """The report. With a key, the manifest's signature was checked here, too. Raises
        FileNotFoundError without a manifest, ProofError if the key has not signed it, and LogError
        if no report was made."""
        if not self._manifest.exists():
            raise FileNotFoundError("there is no manifest %s" % self._manifest)
        if self._key:
            check_manifest(self._manifest.read_bytes(), self._key)
        report = IntegrityReport(_run(self._command, self._args))
        if self._key and report.members["signed_by"] not in read_keys(self._key):
            raise ProofError("the report is of a manifest that another key has signed")
        return report


def check_manifest(raw: bytes, key: Path) -> str:
    """The name of the key that has signed a manifest. Raises ProofError if the key that was given,
    or its file, has not."""
    keys = parse_keys(read_keys(key))
    with refused("manifest", {"kind": "not-signed"}):
        manifest = sv.parse(raw)
        document = dict(manifest, signature="")
        return sv.check_statement(manifest["signature"], "integrity-manifest", document, keys)


def _run(command: Optional[Path], args: Sequence[str]) -> str:
    """What the command prints. It exits with 1 where a check failed, which is a result."""
    program = os.fspath(command) if command else shutil.which("sealstream")
    if program is None:
        raise FileNotFoundError("the command sealstream is not in $PATH: give command=")
    done = subprocess.run([program, *args], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or not done.stdout.lstrip().startswith('{"schema"'):
        raise LogError("sealstream %s: %s" % (" ".join(args[:2]), done.stderr.strip()))
    return done.stdout
