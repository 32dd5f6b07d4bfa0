package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strings"
)

// TokenPrefix begins each bearer token, so that scanners for secrets recognise it.
const TokenPrefix = "sst_"

const (
	tokenSecret   = 52 // base32 of 256 bits
	tokenChecksum = 7  // base32 of a CRC-32
)

var tokenEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewToken makes a bearer token: TokenPrefix, 256 random bits and a CRC-32 of both, in lower-case
// base32. The checksum lets a typing error and a false alarm of a scanner be told from a token.
func NewToken() string {
	var secret [32]byte
	rand.Read(secret[:])
	body := TokenPrefix + tokenEncoding.EncodeToString(secret[:])
	return body + checksum(body)
}

func checksum(body string) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(body)))
	return tokenEncoding.EncodeToString(sum[:])
}

// IsToken reports whether a text has the form of a bearer token, with the right checksum. It says
// nothing about whether anybody accepts the token.
func IsToken(s string) bool {
	if len(s) != len(TokenPrefix)+tokenSecret+tokenChecksum || !strings.HasPrefix(s, TokenPrefix) {
		return false
	}
	body := s[:len(s)-tokenChecksum]
	raw, err := tokenEncoding.DecodeString(body[len(TokenPrefix):])
	return err == nil && tokenEncoding.EncodeToString(raw) == body[len(TokenPrefix):] && s[len(body):] == checksum(body)
}

// HashToken returns what the rules keep of a token. A token has 256 random bits, so that its hash
// needs no salt and no slow function: nobody can find the token by trying.
func HashToken(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// ParseTokenHash parses the hex digits of a hash. The error wraps ErrRules.
func ParseTokenHash(s string) (h [sha256.Size]byte, err error) {
	if raw, err := hex.DecodeString(s); err == nil && len(raw) == len(h) && s == strings.ToLower(s) {
		return [sha256.Size]byte(raw), nil
	}
	return h, fmt.Errorf("%w: a SHA-256 of 64 lower-case hex digits is required", ErrRules)
}
