// Package canonical reads and writes the text that the log hashes: the canonical JSON of RFC 8785
// in the shapes that leaves and payload records have, strict JSON, and canonical RFC 3339 times.
// The writer is written by hand for these few shapes: names in the order of their UTF-16 code
// units, no white space, shortest escapes. That is fast, and it keeps every byte of the format in
// sight.
//
// Section numbers are those of docs/SPEC.md.
package canonical

// MaxInteger is the largest integer that JSON carries exactly everywhere: 2^53−1.
const MaxInteger = 1<<53 - 1
