package witness

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealstream/sealstream/internal/flock"
)

// TestStateTaken: a witness whose lock is gone cosigns nothing more: a second one may have its state by now,
// and each would forget what the other has cosigned.
func TestStateTaken(t *testing.T) {
	l := newLog(t)
	l.grow(3, "a")
	state := filepath.Join(t.TempDir(), "state")
	lock, err := flock.Create(state + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	w, err := New(Config{
		Cosigner: newCosigner(t, "w.example/w"), Logs: []string{l.signer.VerifierKey()}, State: state, Guard: lock.Held,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Add(l.submit(0, 1)); err != nil {
		t.Fatal(err)
	}
	if err := replaced(state + ".lock"); err != nil {
		t.Fatal(err)
	}
	if line, err := w.Add(l.submit(1, 2)); err == nil {
		t.Errorf("cosigned without the lock: %q", line)
	}
	if conflict, ok := errors.AsType[*ConflictError](func() error {
		_, err := w.Add(l.submit(2, 3))
		return err
	}()); !ok || conflict.Size != 1 {
		t.Errorf("it remembers what it did not cosign: %v", conflict)
	}
}

// replaced puts another file in the place of one.
func replaced(path string) error {
	return errors.Join(os.WriteFile(path+".new", nil, 0o600), os.Rename(path+".new", path))
}
