package proof

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealstream/sealstream/internal/cosign"
)

// Cosignature is one witness's statement about a checkpoint: at that time, it was the largest that
// the log had shown to the witness, and consistent with all checkpoints shown before.
type Cosignature struct {
	Name string // name of the cosigner's key
	Time uint64 // when the witness signed, in POSIX seconds

	id uint32 // of the key
}

func (c Cosignature) sameKey(other Cosignature) bool { return c.Name == other.Name && c.id == other.id }

// cosignatures opens a note with cosigners' keys. It is no error if none has signed, but a wrong
// signature by one of them is.
func cosignatures(signed []byte, keys []note.Verifier) ([]Cosignature, error) {
	if len(signed) > maxNote {
		return nil, fmt.Errorf("%w: note of %d bytes", cosign.Err, len(signed))
	}
	n, err := note.Open(signed, note.VerifierList(keys...))
	if _, unsigned := errors.AsType[*note.UnverifiedNoteError](err); unsigned {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", cosign.Err, err)
	}
	list := make([]Cosignature, len(n.Sigs))
	for i, s := range n.Sigs {
		raw, err := base64.StdEncoding.Strict().DecodeString(s.Base64) // note.Open overlooks the bits left over
		if err != nil || len(raw) != 4+cosign.Size {
			return nil, fmt.Errorf("%w: signature of %.80q", cosign.Err, s.Name)
		}
		list[i] = Cosignature{s.Name, binary.BigEndian.Uint64(raw[4:]), s.Hash}
	}
	return list, nil
}
