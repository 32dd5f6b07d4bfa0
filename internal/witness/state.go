package witness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/sealstream/sealstream/internal/durable"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// state is what a witness has cosigned: the newest checkpoint of each log, by origin. Its file is
// this as JSON.
type state struct {
	Version int                 `json:"sealstream_witness"` // 1
	Key     string              `json:"key"`                // verifier key of the witness
	Logs    map[string]cosigned `json:"logs"`
}

type cosigned struct {
	Size uint64 `json:"size"`
	Root root   `json:"root"`
	Note string `json:"note"` // the checkpoint, with the log's signatures and the witness's own
}

// root is a hash in hex.
type root entry.Hash

func (r root) MarshalText() ([]byte, error) { return []byte(entry.Hash(r).String()), nil }

func (r *root) UnmarshalText(text []byte) error {
	h, err := entry.ParseHash(string(text))
	*r = root(h)
	return err
}

// openState reads the state of the witness with this key. It refuses a damaged state, or another
// witness's: to begin anew would be to forget what was cosigned.
func openState(path, vkey string) (state, error) {
	s := state{Version: 1, Key: vkey, Logs: map[string]cosigned{}}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, s.write(path) // so that a state that cannot be written is found now
	} else if err != nil {
		return state{}, err
	}
	var read state
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&read); err != nil {
		return state{}, fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case read.Version != 1 || read.Logs == nil:
		return state{}, fmt.Errorf("%s: not the state of a witness", path)
	case read.Key != vkey:
		return state{}, fmt.Errorf("%s: it is of another witness: %.200q", path, read.Key)
	}
	for origin, c := range read.Logs {
		cp, err := proof.ParseForeignCheckpoint([]byte(c.Note))
		if err != nil || cp.Origin != origin || cp.Size != c.Size || cp.Root != entry.Hash(c.Root) {
			return state{}, fmt.Errorf("%s: the checkpoint of %.80q is damaged", path, origin)
		}
	}
	return read, nil
}

// put records a checkpoint. After an error nothing has changed.
func (s *state) put(path string, cp proof.Checkpoint, note []byte) error {
	old, known := s.Logs[cp.Origin]
	s.Logs[cp.Origin] = cosigned{cp.Size, root(cp.Root), string(note)}
	err := s.write(path)
	if err != nil && known {
		s.Logs[cp.Origin] = old
	} else if err != nil {
		delete(s.Logs, cp.Origin)
	}
	return err
}

// write replaces the file durably: after a crash there is the old or the new one.
func (s *state) write(path string) error {
	raw, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(raw, '\n'), 0o600)
}

// maxEvidence is the most bytes of the file of forks, in which one fork is enough.
const maxEvidence = 1 << 20

// keepEvidence appends two contradicting notes to a file, as a JSON line.
func keepEvidence(path string, notes ...string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() > maxEvidence {
		return err
	}
	if err := json.NewEncoder(f).Encode(notes); err != nil {
		return err
	}
	return f.Sync()
}

// nameOf returns the name in a verifier key, which is the origin of a log.
func nameOf(vkey string) string {
	name, _, _ := strings.Cut(vkey, "+")
	return name
}

// logSigned returns a note with only the signature lines of its origin. Other lines are not this
// witness's to keep.
func logSigned(note []byte) ([]byte, error) {
	end := bytes.LastIndex(note, []byte("\n\n"))
	origin, _, ok := bytes.Cut(note, []byte("\n"))
	if end < 0 || !ok {
		return nil, errSubmission
	}
	kept := bytes.Clone(note[:end+2])
	for line := range bytes.Lines(note[end+2:]) {
		if bytes.HasPrefix(line, fmt.Appendf(nil, "\u2014 %s ", origin)) {
			kept = append(kept, line...)
		}
	}
	return kept, nil
}
