// Package redact takes secrets out of events before they are stored: what is found in a string becomes [REDACTED:kind], and everything else keeps
// its bytes. It is ground: no I/O, no clock, no state, so that sealing the same events again gives the same bytes.
//
//	Rules (in the log's config entry) ─Compile─▶ Set ─▶ JSON, Text, Attribute: redacted bytes and what was found
//	                                             └─▶ May: whether there can be anything at all, which decides what an ordinary event costs
//
// The built-in rules are numbered sets. A set that was released never changes, since it decides bytes of leaves: its table is hashed, the hash
// stands in the config entry, and a sealer that has another table under that number refuses. A change of what is found is a new set.
//
// Redacting is idempotent: what was redacted once, by the SDK or by ingest, is not redacted again by the sealer. It is linear in the length of the
// text: no matcher looks back over what another has consumed, and failing ones stop at a character that all of them stop at.
//
// What is encoded (base64 inside a string, compressed, encrypted), split over several strings, or of no known form is not seen. Do not rely on it.
package redact

// Finding says that something of a kind was taken out at a path: a JSON Pointer (RFC 6901) below /data, or / and an attribute's name.
type Finding struct{ Kind, Path string }

const (
	open      = "[REDACTED:"
	maxRounds = 4 // of one string: a replacement can uncover a secret beside it
)

// Mark is what stands in place of a secret.
func Mark(kind string) string { return open + kind + "]" }

// IsMark says whether a text is one mark and nothing else.
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
