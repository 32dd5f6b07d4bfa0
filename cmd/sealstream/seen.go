package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/pkg/proof"
)

// seen is what this machine has seen of logs. A log that was cut or rewritten since, or that shows
// others another history, contradicts it. It is stored in a file.
type seen struct {
	path     string              // file; "" remembers nothing
	Logs     map[string][]string // verifier key to notes of checkpoints that the key has signed
	Outlines map[string]*outline // verifier key to the longest tree that was verified whole
}

// maxSeen is how many checkpoints of one log are remembered that no audit has connected yet.
const maxSeen = 64

// seenFile is the form of the file.
type seenFile struct {
	Version  int                 `json:"sealstream_seen"` // 1
	Logs     map[string][]string `json:"logs"`
	Outlines map[string]*outline `json:"outlines,omitempty"`
}

// seenPath returns the file's default path.
func seenPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the folder of the state file: %w; give --state or --no-state", err)
	}
	return filepath.Join(dir, "sealstream", "seen.json"), nil
}

// openSeen reads the file. A missing file is the same as an empty one. A file that cannot be read
// is an error, because it may hold the checkpoint that reveals a rollback.
func openSeen(path string) (*seen, error) {
	s := &seen{path: path, Logs: map[string][]string{}, Outlines: map[string]*outline{}}
	if path == "" {
		return s, nil
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	} else if err != nil {
		return nil, fmt.Errorf("read state file: %w", err)
	}
	var f seenFile
	if err := json.Unmarshal(raw, &f); err != nil || f.Version != 1 {
		return nil, fmt.Errorf("state file %s is damaged or was written by a newer release; "+
			"give --no-state to continue without it", path)
	}
	if f.Logs != nil {
		s.Logs = f.Logs
	}
	if f.Outlines != nil {
		s.Outlines = f.Outlines
	}
	return s, nil
}

// outline returns the outline of the log with a key, or nil if the log was never verified whole. An
// outline counts only if a remembered checkpoint has its root, because outlines are not signed.
func (s *seen) outline(key string) *outline {
	o := s.Outlines[key]
	list, err := s.known(key)
	if o == nil || err != nil {
		return nil
	}
	for _, k := range list {
		if root, ok := o.root(o.size); ok && k.Size == o.size && k.Root == root {
			return o
		}
	}
	return nil
}

// known returns the checkpoints that were seen of the log with a key.
func (s *seen) known(key string) ([]proof.Checkpoint, error) {
	var list []proof.Checkpoint
	for _, note := range s.Logs[key] {
		cp, err := proof.OpenCheckpoint([]byte(note), key)
		if err != nil {
			return nil, fmt.Errorf("state file %s: %w; give --no-state to continue without it", s.path, err)
		}
		list = append(list, cp)
	}
	return list, nil
}

// see remembers a checkpoint, and the outline of the whole log if it was audited. audited means
// that the log continues all remembered checkpoints: the new one then replaces them. Otherwise it
// is kept beside them, until an audit of the log compares it. A crash leaves the old or the new
// file.
func (s *seen) see(key string, cp proof.Checkpoint, audited bool, whole *outline) error {
	if s.path == "" || key == "" || cp.Size == 0 {
		return nil
	}
	now, err := openSeen(s.path) // another process may have written since
	if err != nil {
		return err
	}
	list, err := now.known(key)
	if err != nil {
		return err
	}
	kept := []string{}
	for _, k := range list {
		if k.Size == cp.Size && k.Root == cp.Root {
			cp = k
		} else if !audited || k.Size > cp.Size {
			kept = append(kept, string(k.Note))
		}
	}
	if len(kept) < maxSeen {
		kept = append(kept, string(cp.Note))
	}
	now.Logs[key] = kept
	if o := now.outline(key); audited && whole != nil && whole.size == cp.Size && (o == nil || o.size < whole.size) {
		now.Outlines[key] = whole
	}
	return now.write()
}

func (s *seen) write() error {
	raw, err := json.MarshalIndent(seenFile{1, s.Logs, s.Outlines}, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	return datadir.WriteFile(s.path, append(raw, '\n'), 0o600)
}

// compareSeen compares a checkpoint without its tree with the remembered ones of its log. Two roots
// of one size are an error. apart is the number of checkpoints of other sizes, which cannot be
// compared without the tree.
func compareSeen(cp proof.Checkpoint, list []proof.Checkpoint) (apart int, err error) {
	for _, k := range list {
		switch {
		case k.Size == cp.Size && k.Root != cp.Root:
			return 0, fmt.Errorf("the log has signed two roots for size %d: this one, and one that was seen here before; "+
				"keep both checkpoints, they prove it", cp.Size)
		case k.Size != cp.Size:
			apart++
		}
	}
	return apart, nil
}
