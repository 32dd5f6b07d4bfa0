package witness

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// maxSubmission is the most bytes that the body of an add-checkpoint request may have.
const maxSubmission = 32 << 10

// maxSubmitted is the most bytes of the checkpoint in it: with the cosignature it must still be
// readable as a note.
const maxSubmitted = 15 << 10

// maxProof is the most hashes that a consistency proof may have.
const maxProof = 63

// Submission is the body of an add-checkpoint request.
type Submission struct {
	Old   uint64       // size of the checkpoint that was cosigned last
	Proof []entry.Hash // consistency proof from that size
	Note  []byte       // the signed checkpoint
}

// Format returns the body.
func (s Submission) Format() []byte {
	b := fmt.Appendf(nil, "old %d\n", s.Old)
	for _, h := range s.Proof {
		b = append(base64.StdEncoding.AppendEncode(b, h[:]), '\n')
	}
	return append(append(b, '\n'), s.Note...)
}

var errSubmission = errors.New("not an add-checkpoint request")

// ParseSubmission reads what Format writes.
func ParseSubmission(body []byte) (Submission, error) {
	head, note, ok := bytes.Cut(body, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	number, isOld := strings.CutPrefix(lines[0], "old ")
	old, err := strconv.ParseUint(number, 10, 63)
	switch {
	case !ok || !isOld || err != nil || strconv.FormatUint(old, 10) != number:
		return Submission{}, fmt.Errorf("%w: it begins with `old SIZE`", errSubmission)
	case len(note) > maxSubmitted:
		return Submission{}, fmt.Errorf("%w: the checkpoint has more than %d bytes", errSubmission, maxSubmitted)
	case len(lines)-1 > maxProof:
		return Submission{}, fmt.Errorf("%w: more than %d hashes", errSubmission, maxProof)
	}
	s := Submission{Old: old, Note: note}
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != len(entry.Hash{}) {
			return Submission{}, fmt.Errorf("%w: %.60q is no hash", errSubmission, line)
		}
		s.Proof = append(s.Proof, entry.Hash(h))
	}
	if _, err := proof.ParseForeignCheckpoint(note); err != nil {
		return Submission{}, fmt.Errorf("%w: %w", errSubmission, err)
	}
	return s, nil
}
