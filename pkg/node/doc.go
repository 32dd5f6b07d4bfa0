// Package node wires the parts of sealstream into programs: the whole pipeline in one process (Up), the same inside a Go
// program (Embedded), and ingest, sealer, query and alert as services of their own against a NATS server (IngestService,
// SealerService, QueryService, AlertService). Nothing here knows how a log works; it knows who must be started before whom, and stopped after whom.
//
//	cmd ─▶ node ─▶ natsd, natsstore, sealer, ingest, query, alert
//
// This package owns the data directory of an embedded log (Dir): its format, its lock, and its keys.
//
// No compatibility is promised for this package yet, but for Embedded.
package node
