// Package compliance looks in a log for evidence of the controls of a framework, and reports over a period.
//
//	framework (YAML) ─▶ Verifier ─▶ questions to the query service (Source) ─▶ entries with proofs ─▶ Attestation ─signed─▶ auditor
//	                                                                        └▶ Report (JSON, HTML, Markdown)
//
// What is said is "evidence for", never "compliant". A verdict rests on entries that are cited, each with its leaf and an inclusion proof under
// the attestation's checkpoint, checked here against the log's key and against the control's own filter: a server cannot pass a control by what it
// counts. Counts, and that there is no negative evidence, are the server's answer; who doubts it exports the log and counts.
//
// No compatibility is promised for this package yet.
package compliance
