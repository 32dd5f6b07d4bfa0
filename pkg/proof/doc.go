// Package proof makes and checks the proofs of a log: signed checkpoints, inclusion and consistency
// proofs, the cosignatures of witnesses, and the lines of exports. Whoever has the log's verifier
// key can check a proof without trusting whoever runs the log.
//
// The package does no I/O, reads no clock and starts no goroutine. The tree is that of RFC 6962, as
// in golang.org/x/mod/sumdb/tlog. Signed notes are those of golang.org/x/mod/sumdb/note.
// docs/SPEC.md defines the formats.
//
// Functions come in pairs: Inclusion and CheckInclusion, Consistency and CheckConsistency,
// Signer.Sign and OpenCheckpoint, Format and Parse. A Parse function accepts exactly what its
// Format writes. The examples show how to use them. The API is kept stable.
package proof
