// Package redact removes secrets from events before they are stored. A secret that is found in a
// string becomes [REDACTED:kind]; everything else keeps its bytes. The package does no I/O, reads
// no clock and has no state, so that sealing the same events again gives the same bytes.
//
//	Rules (in the log's config entry) ─Compile─▶ Set ─▶ JSON, Text, Value: redacted bytes and what was found
//	                                             └─▶ May: whether there may be a secret
//
// Most events have no secret. May finds that out quickly, and the other methods need not run.
//
// The built-in rules are numbered sets. A released set never changes, because the bytes of leaves
// depend on it. To find more secrets, a release adds a new set. The config entry of a log holds the
// number of its set and the hash of the set's table. A sealer whose table has another hash refuses
// to start.
//
// Redaction is idempotent: the sealer does not change what the SDK or ingest have redacted. The
// time is linear in the length of the text, because no part of the text is scanned again and again.
//
// Redaction does not find secrets that are encoded (base64 inside a string, compressed, encrypted),
// split over several strings, or of an unknown form. Do not rely on it alone.
package redact

// Finding reports a secret that was removed: its kind, and its path, which is a JSON Pointer (RFC
// 6901) below /data, or / and the name of an attribute.
type Finding struct{ Kind, Path string }

const (
	open      = "[REDACTED:"
	maxRounds = 4 // rounds for one string: a replacement can uncover another secret
)

// Mark returns the text that replaces a secret of a kind.
func Mark(kind string) string { return open + kind + "]" }

// IsMark reports whether a text is exactly one mark.
func IsMark[T string | []byte](t T) bool {
	if len(t) < len(open)+2 || string(t[:len(open)]) != open || t[len(t)-1] != ']' {
		return false
	}
	return validKind(string(t[len(open) : len(t)-1]))
}

func validKind(kind string) bool {
	for i := range len(kind) {
		if c := kind[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return kind != "" && len(kind) <= 40
}
