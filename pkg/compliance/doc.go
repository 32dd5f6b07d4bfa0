// Package compliance looks in a log for evidence of the controls of a framework, and reports over a
// period.
//
//	framework (YAML) ─▶ Verifier ─▶ questions to the query service (Source) ─▶ entries with proofs
//	entries with proofs ─▶ Attestation ─signed─▶ auditor
//	                  └──▶ Report (JSON, HTML, Markdown)
//
// A verdict says "evidence for", never "compliant". It is based on cited entries, each with its
// leaf and an inclusion proof under the attestation's checkpoint. This package verifies them with
// the log's key and compares them with the control's filter. A server can therefore not make a
// control pass with wrong counts. It could hide negative evidence: counts, and the absence of
// negative evidence, are what the server says. To check them, export the log and count.
//
// Negative evidence, such as a policy violation, speaks against a control. Some of it is handled: a
// later entry of the same trace, session or agent shows that the violation was dealt with.
//
// No compatibility is promised for this package yet.
package compliance
