// Package proof holds what makes a log provable: the tree over its leaves, signed checkpoints, inclusion and consistency
// proofs, the batches that SEALED is made of, and Audit, the one oracle that checks a whole log again.
//
// Like pkg/entry it is ground: it does no I/O, reads no clock and starts no goroutine. Tree arithmetic is that of
// golang.org/x/mod/sumdb/tlog, signed notes are those of golang.org/x/mod/sumdb/note; the formats are those of pkg/SPEC.md.
//
// Proofs come in pairs: Inclusion and CheckInclusion, Consistency and CheckConsistency, Sign and OpenCheckpoint,
// Format and Parse. What a Parse takes is what its Format writes, and nothing else.
//
// This is promised API: see the examples.
package proof
