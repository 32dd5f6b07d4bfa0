import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

from agentmesh.governance.audit import AuditLog
from agentmesh.governance.audit_backends import FileAuditSink
from agent_compliance.integrity import IntegrityVerifier
from agent_compliance.verify import GovernanceVerifier


def generate_compliance_report(audit: AuditLog, output_path: str = "compliance_report.json", days: int = 30) -> dict:
    now = datetime.now(timezone.utc)
    start = now - timedelta(days=days)
    entries = audit.export(start_time=start, end_time=now)["entries"]
    event_counts = {}
    outcome_counts = {}
    for e in entries:
        event_counts[e["event_type"]] = event_counts.get(e["event_type"], 0) + 1
        outcome_counts[e["outcome"]] = outcome_counts.get(e["outcome"], 0) + 1
    chain_valid, chain_error = audit.verify_integrity()
    attestation = GovernanceVerifier().verify()
    try:
        integrity_passed = IntegrityVerifier(manifest_path="integrity.json").verify().passed
    except FileNotFoundError:
        integrity_passed = None
    report = {
        "report_generated": now.isoformat(),
        "period_start": start.isoformat(),
        "audit_trail": {
            "total_entries": len(entries),
            "events_by_type": event_counts,
            "events_by_outcome": outcome_counts,
            "chain_integrity_valid": chain_valid,
            "chain_integrity_error": chain_error,
            "merkle_root": audit._chain.get_root_hash(),
        },
        "owasp_asi_2026": {
            "passed": attestation.passed,
            "controls_passed": attestation.controls_passed,
            "controls_total": attestation.controls_total,
            "coverage_pct": attestation.coverage_pct(),
            "attestation_hash": attestation.attestation_hash,
        },
        "supply_chain_integrity": {"passed": integrity_passed},
    }
    Path(output_path).write_text(json.dumps(report, indent=2, default=str), encoding="utf-8")
    return report


sink = FileAuditSink(path="audit_trail.jsonl", secret_key=b"change-me-to-a-real-secret")
audit = AuditLog(sink=sink)
for outcome in ("success", "denied"):
    audit.log(event_type="tool_invocation", agent_did="did:web:agent.example.com", action="allow", outcome=outcome)
report = generate_compliance_report(audit, days=30)
print(report["audit_trail"]["chain_integrity_valid"], report["audit_trail"]["events_by_outcome"])
print(sink.verify_integrity())
sink.close()
