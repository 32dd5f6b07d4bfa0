// Package filesink is the sink that writes files: JSON lines, each of which the toolkit's own verifier (package agt) accepts under its HMAC key,
// and each of which holds the entry whole, so that it can be read back and checked against the log.
//
//	Runner ─Write─▶ audit.jsonl ─full or old─▶ audit.000000000000-000000000499.jsonl[.gz] ─▶ Verify, `sealstream sink verify`
//
// Beside the files lie audit.manifest.json, which names all closed files, and audit.head.json, which says from time to time how far the
// newest one has come, durably: so a file that is missing and a tail that was cut off are seen. Both are under a MAC by the same keys.
//
// The toolkit's chain (content_hash, previous_hash) begins anew in each file, as its verifier wants it. What joins the files is the log's
// own chain: each line has its leaf, and each leaf the hash of the one before.
//
// Who has the HMAC key can forge all of this, and an old state of the whole folder passes for the newest: files are evidence only together
// with a checkpoint of the log, whose hashes they carry.
package filesink
