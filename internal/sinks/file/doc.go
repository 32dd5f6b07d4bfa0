// Package filesink is the sink that writes files: JSON lines, each of which the toolkit's own
// verifier (package agt) accepts under its HMAC key, and each of which holds the entry whole, so
// that it can be read back and checked against the log.
//
//	Runner ─Write─▶ audit.jsonl ─full or old─▶ audit.000000000000-000000000499.jsonl[.gz] ─▶ `sealstream sink verify`
//
// Beside the files lie audit.manifest.json, which names all closed files, and audit.head.json,
// which says from time to time how far the newest one has come, durably: so a file that is missing
// and a tail that was cut off are seen. Both are under a MAC by the same keys.
//
// The toolkit's chain (content_hash, previous_hash) begins anew in each file, as its verifier wants
// it. What joins the files is the log's own chain: each line has its leaf, and each leaf the hash
// of the one before.
//
// If somebody else removes, moves, cuts or overwrites the file that grows, the sink notices at its
// next sync (sync=batch: within 100 ms), tells, and writes the file again from the log. What stood
// in its place is kept beside it as audit.jsonl.lost-TIME. So programs that rotate logs (logrotate)
// do no harm, but the new file repeats what is in the one that they moved: let max_size and max_age
// rotate instead.
//
// Who has the HMAC key can forge all of this, and an old state of the whole folder passes for the
// newest: files are evidence only together with a checkpoint of the log, whose hashes they carry.
package filesink
