package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// errStatement is wrapped by every error of a statement that does not hold.
var errStatement = errors.New("statement does not hold")

// statementHeader is the first line of what is signed. A checkpoint has its origin there, and its
// size, a number, where a statement has its kind. So no statement is a checkpoint and no checkpoint
// a statement, though one key signs both.
const statementHeader = "sealstream-statement/v1"

// SignStatement signs a document of some kind: a signed note over the kind and the document's
// SHA-256. The kind consists of lower-case letters and hyphens. The Signer's first key signs.
func (s *Signer) SignStatement(kind string, document []byte) (string, error) {
	if err := checkKind(kind); err != nil {
		return "", err
	}
	signed, err := note.Sign(&note.Note{Text: statementText(kind, document)}, s.keys[0])
	return string(signed), err
}

// OpenStatement verifies that one of the keys has signed a document of this kind, and returns that
// key.
func OpenStatement(signed, kind string, document []byte, vkeys ...string) (vkey string, err error) {
	if err := checkKind(kind); err != nil {
		return "", err
	}
	if len(signed) > maxNote {
		return "", fmt.Errorf("%w: %d bytes", errStatement, len(signed))
	}
	for _, key := range vkeys {
		v, err := note.NewVerifier(key)
		if err != nil {
			return "", fmt.Errorf("%w: verifier key %.80q: %w", errStatement, key, err)
		}
		n, err := note.Open([]byte(signed), note.VerifierList(v))
		if err != nil {
			continue
		}
		if n.Text != statementText(kind, document) {
			return "", fmt.Errorf("%w: what was signed is not this %s", errStatement, kind)
		}
		return key, nil
	}
	return "", fmt.Errorf("%w: no key that was given has signed this %s", errStatement, kind)
}

func checkKind(kind string) error {
	if kind == "" || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz-") != "" {
		return fmt.Errorf("%w: kind %.40q", errStatement, kind)
	}
	return nil
}

func statementText(kind string, document []byte) string {
	sum := sha256.Sum256(document)
	return statementHeader + "\n" + kind + "\n" + hex.EncodeToString(sum[:]) + "\n"
}
