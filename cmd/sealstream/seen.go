package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealstream/sealstream/pkg/node"
	"github.com/sealstream/sealstream/pkg/proof"
)

// seen is what this machine has seen of logs, in a file: of each, by its verifier key, checkpoints that its key has signed. A log that was
// cut or rewritten since, or that shows others another history, contradicts them.
type seen struct {
	path string // "": nothing is remembered
	Logs map[string][]string
}

// maxSeen bounds how many checkpoints of one log are remembered that no audit has connected yet.
const maxSeen = 64

// seenFile is the file's form.
type seenFile struct {
	Version int                 `json:"sealstream_seen"` // 1
	Logs    map[string][]string `json:"logs"`
}

// seenPath is where the file is if nobody says otherwise.
func seenPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("no place for the state file: %w; give --state or --no-state", err)
	}
	return filepath.Join(dir, "sealstream", "seen.json"), nil
}

// openSeen reads the file. None is an empty one; one that cannot be read is an error, since what it says may matter.
func openSeen(path string) (*seen, error) {
	s := &seen{path: path, Logs: map[string][]string{}}
	if path == "" {
		return s, nil
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	} else if err != nil {
		return nil, fmt.Errorf("state file: %w", err)
	}
	var f seenFile
	if err := json.Unmarshal(raw, &f); err != nil || f.Version != 1 {
		return nil, fmt.Errorf("state file %s is damaged, or of a newer release; give --no-state to go on without it", path)
	}
	if f.Logs != nil {
		s.Logs = f.Logs
	}
	return s, nil
}

// known are the checkpoints that were seen of the log with a key.
func (s *seen) known(key string) ([]proof.Checkpoint, error) {
	var list []proof.Checkpoint
	for _, note := range s.Logs[key] {
		cp, err := proof.OpenCheckpoint([]byte(note), key)
		if err != nil {
			return nil, fmt.Errorf("state file %s: %w; give --no-state to go on without it", s.path, err)
		}
		list = append(list, cp)
	}
	return list, nil
}

// see remembers a checkpoint. If an audit has shown that it continues all that were seen, it stands for them; else it stands beside them, and is
// compared when somebody audits the log. A crash leaves the file as it was, or as it is to be.
func (s *seen) see(key string, cp proof.Checkpoint, audited bool) error {
	if s.path == "" || key == "" || cp.Size == 0 {
		return nil
	}
	now, err := openSeen(s.path) // another verify may have written meanwhile
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
	return now.write()
}

func (s *seen) write() error {
	raw, err := json.MarshalIndent(seenFile{1, s.Logs}, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	return node.WriteFile(s.path, append(raw, '\n'), 0o600)
}

// compareSeen holds a single checkpoint, which no tree stands behind, to what was seen of its log. Only two roots of one size contradict.
func compareSeen(cp proof.Checkpoint, list []proof.Checkpoint) (apart int, err error) {
	for _, k := range list {
		switch {
		case k.Size == cp.Size && k.Root != cp.Root:
			return 0, fmt.Errorf("the log has signed two roots for size %d: this one, and one that was seen here before; keep both, they prove it", cp.Size)
		case k.Size != cp.Size:
			apart++
		}
	}
	return apart, nil
}
