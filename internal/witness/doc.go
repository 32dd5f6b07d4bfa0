// Package witness is both sides of c2sp.org/tlog-witness. A Collector asks others to cosign a log's
// checkpoints; a Witness cosigns those of other logs.
//
//	sealer ─▶ HEAD: newest checkpoint ─▶ Collector ─add-checkpoint, consistency proof─▶ witnesses
//	                HEAD: cosigned one ◀──────────────── cosignatures ◀────────────────────┘
//	                      └─▶ query (/checkpoint, proofs), ingest (wait=witnessed)
//
// A witness records the newest checkpoint of each log on disk before it signs it, and signs nothing
// that does not continue the recorded one. So whoever sees k independent cosignatures knows that
// nobody was shown another history. The log never waits for a witness: without witnesses it goes
// on, and its health page says so.
//
// No compatibility is promised for this package yet.
package witness
