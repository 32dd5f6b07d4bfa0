// Package witness is both sides of c2sp.org/tlog-witness. A Collector asks others to cosign a log's checkpoints; a Witness cosigns those of other
// logs.
//
//	sealer ─▶ HEAD: newest checkpoint ─▶ Collector ─add-checkpoint, consistency proof─▶ witnesses
//	                HEAD: cosigned one ◀──────────────── cosignatures ◀────────────────────┘
//	                      └─▶ query (/checkpoint, proofs), ingest (wait=witnessed)
//
// A witness remembers the newest checkpoint that it has seen of each log, on disk, before it signs, and signs nothing that does not continue that one.
// So whoever sees k independent cosignatures knows that nobody was shown another history. The log never waits for a witness:
// without them it goes on, and says so.
//
// No compatibility is promised for this package yet.
package witness
