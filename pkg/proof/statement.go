package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// ErrStatement is wrapped by every error of a statement that does not hold.
var ErrStatement = errors.New("statement does not hold")

// statementHeader begins what is signed. It stands where a checkpoint has its origin and the kind where it has its size, which is a number:
// no statement is a checkpoint, and no checkpoint a statement, though one key signs both.
const statementHeader = "sealstream-statement/v1"

// SignStatement signs that a document of some kind has this content: a signed note over kind and SHA-256. kind is a word that is no number.
func (s *Signer) SignStatement(kind string, document []byte) (string, error) {
	if err := checkKind(kind); err != nil {
		return "", err
	}
	signed, err := note.Sign(&note.Note{Text: statementText(kind, document)}, s.keys[0])
	return string(signed), err
}

// OpenStatement says whether one of the keys has signed a document of this kind, and which.
func OpenStatement(signed, kind string, document []byte, vkeys ...string) (vkey string, err error) {
	if err := checkKind(kind); err != nil {
		return "", err
	}
	if len(signed) > maxNote {
		return "", fmt.Errorf("%w: %d bytes", ErrStatement, len(signed))
	}
	for _, key := range vkeys {
		v, err := note.NewVerifier(key)
		if err != nil {
			return "", fmt.Errorf("%w: verifier key %.80q: %w", ErrStatement, key, err)
		}
		n, err := note.Open([]byte(signed), note.VerifierList(v))
		if err != nil {
			continue
		}
		if n.Text != statementText(kind, document) {
			return "", fmt.Errorf("%w: what was signed is not this %s", ErrStatement, kind)
		}
		return key, nil
	}
	return "", fmt.Errorf("%w: no key that was given has signed this %s", ErrStatement, kind)
}

func checkKind(kind string) error {
	if kind == "" || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz-") != "" {
		return fmt.Errorf("%w: kind %.40q", ErrStatement, kind)
	}
	return nil
}

func statementText(kind string, document []byte) string {
	sum := sha256.Sum256(document)
	return statementHeader + "\n" + kind + "\n" + hex.EncodeToString(sum[:]) + "\n"
}
