package subject

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// AgentToken is the subject token of an agent: the first 26 characters of the lower-case base32 of
// SHA-256(source). It is never the DID itself, whose dots and wildcards would speak NATS.
func AgentToken(source string) string {
	s := sha256.Sum256([]byte(source))
	return strings.ToLower(base32.StdEncoding.EncodeToString(s[:]))[:26]
}

// IsAgentToken reports whether a token has the form of an agent's.
func IsAgentToken(token string) bool {
	return len(token) == 26 && strings.Trim(token, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// Publisher returns the publisher of an event that came on the subject of an agent token. Only the
// sealer gives it (docs/SPEC-rules4.md, 4.6).
func Publisher(token string) string { return "subject:" + token }
