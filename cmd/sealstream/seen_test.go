package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestSeenForks: two checkpoints of one size, both signed by the log, are a fork, whichever came
// first; others of it are remembered side by side.
func TestSeenForks(t *testing.T) {
	skey, key, err := proof.GenerateKey("log.example", "default")
	if err != nil {
		t.Fatal(err)
	}
	s, err := proof.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(size uint64, root byte) string {
		t.Helper()
		note, err := s.Sign(size, entry.Hash{root})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, fmt.Sprintf("%d-%d.checkpoint", size, root))
		if err := os.WriteFile(path, note, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	state := filepath.Join(dir, "deep", "seen.json")
	verify := func(path string) (int, result) {
		t.Helper()
		var out, errs bytes.Buffer
		exit := run(t.Context(), []string{"--json", "verify", path, "--key", key, "--state", state},
			strings.NewReader(""), &out, &errs)
		var r result
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatalf("exit %d: %s %s", exit, out.String(), errs.String())
		}
		return exit, r
	}
	for _, x := range []struct {
		size uint64
		root byte
		exit int
	}{{9, 1, 0}, {5, 2, 0}, {9, 1, 0}, {12, 3, 0}, {9, 4, 1}, {5, 5, 1}, {12, 3, 0}, {12, 6, 1}} {
		exit, r := verify(write(x.size, x.root))
		if exit != x.exit || r.Valid != (x.exit == 0) {
			t.Errorf("size %d, root %d: exit %d, %+v", x.size, x.root, exit, r)
		}
		if failed := r.Verdicts[len(r.Verdicts)-1]; x.exit == 1 &&
			(failed.State != "failed" || !strings.Contains(failed.Why, "two roots")) {
			t.Errorf("%+v", failed)
		}
	}
	kept, err := openSeen(state)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := kept.known(key); err != nil || len(list) != 3 {
		t.Errorf("%d remembered: %v", len(list), err)
	}
}
