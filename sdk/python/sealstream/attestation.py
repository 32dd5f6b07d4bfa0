"""Attestation, the result of `sealstream compliance verify`."""
from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import sealstream_verify as sv

from .errors import ProofError
from .settings import Path
from .verifier import Key, check_entries, open_checkpoint, parse_keys, read_keys, refused

_TOTALS = ("controls_not_applicable", "controls_total", "controls_passed", "coverage_pct", "passed")


class Control(NamedTuple):
    """A control, and what was found of it. verdict is pass, partial, fail, no-evidence or
    not-applicable."""

    id: str
    name: str
    component: str
    verdict: str
    reasons: Sequence[str]

    @property
    def passed(self) -> bool:
        return self.verdict == "pass"


class Attestation:
    """What was found of a framework's controls in a log, under one checkpoint. members are those of
    the JSON; to_json gives the text that `sealstream compliance check` checks offline.

    It raises ProofError if attestation_hash is not that of the rest. signed_by is the name of the
    key that has signed it, once check has verified that, and None before."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.signed_by: Optional[str] = None
        with refused("attestation", {"kind": "malformed"}):
            self.members: Dict[str, Any] = sv.parse(text.encode())
            members = self.members
            self.passed: bool = members["passed"]
            self.controls_passed: int = members["controls_passed"]
            self.controls_total: int = members["controls_total"]
            self.attestation_hash: str = members["attestation_hash"]
            digest = sv.sha256(sv.canonical(self._document())).hex()
            same = self.attestation_hash == digest
            sv.check(same, "attestation_hash is not that of the attestation", "altered")

    def _document(self) -> Dict[str, Any]:
        """What is hashed and signed."""
        return dict(self.members, attestation_hash="", signature="")

    def check(self, key: Path, *, signed: bool = True) -> None:
        """Checks it under the log's key, without a server: that the key has signed it (unless
        signed is False) and the checkpoint, that every cited entry is in the log, and that the
        totals follow from the verdicts. Raises ProofError.

        That each verdict follows from the cited entries, `sealstream compliance check` checks."""
        keys = parse_keys(read_keys(key))
        if signed:
            self._check_signature(keys)
        held = open_checkpoint(self.members["checkpoint"], keys)
        with refused("attestation", {"kind": "altered"}):
            sv.check(self.members["tree_size"] == held.size, "tree_size is not the checkpoint's")
            check_entries(self.members["proofs"], held)
            self._check_totals()

    def _check_signature(self, keys: Sequence[Key]) -> None:
        note = self.members["signature"]
        if not note:
            raise ProofError("attestation: not-signed: it is not signed")
        with refused("attestation", {"kind": "not-signed"}):
            self.signed_by = sv.check_statement(note, "attestation", self._document(), keys)

    def _check_totals(self) -> None:
        verdicts = [one.verdict for one in self.controls if one.verdict != "not-applicable"]
        left_out, total = len(self.controls) - len(verdicts), len(verdicts)
        passed = verdicts.count("pass")
        whole = bool(self.members["log_valid"] and total > 0 and passed == total)
        expected = [left_out, total, passed, passed * 100 // total if total else 0, whole]
        same = [self.members[name] for name in _TOTALS] == expected
        sv.check(same, "the totals do not follow from the controls")

    @property
    def controls(self) -> List[Control]:
        """The controls, in the order of the framework."""
        names = Control._fields
        return [Control(**{name: one[name] for name in names}) for one in self.members["controls"]]

    def coverage_pct(self) -> int:
        """How many of the controls that apply pass, in percent, rounded down."""
        return int(self.members["coverage_pct"])

    def summary(self) -> str:
        """The result for a person, a line per control."""
        word = "PASSED" if self.passed else "INCOMPLETE"
        lines = [
            "%s: evidence in the log, %s" % (self.members["framework_title"], word),
            "Coverage: %d/%d (%d%%)"
            % (self.controls_passed, self.controls_total, self.coverage_pct()),
            "Attestation: %s (%s)" % (self.attestation_hash, self._signed()),
        ]
        for one in self.controls:
            lines.append("%-7s %-12s %s" % (one.id, one.verdict, one.name))
            lines += ["        - " + reason for reason in one.reasons]
        return "\n".join(lines)

    def _signed(self) -> str:
        if self.signed_by:
            return "signed by " + self.signed_by
        return "signature not checked" if self.members["signature"] else "not signed"

    def to_json(self) -> str:
        """The attestation as JSON."""
        return self._text
