package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/migrate"
)

// displacements are what somebody does to the data directory of a running log: whether its path still
// leads to what is locked, and what the log says when it does not.
var displacements = map[string]struct {
	change func(dir string) error
	says   string // "": the log goes on
}{
	"lock deleted":       {func(d string) error { return os.Remove(filepath.Join(d, "lock")) }, "lock was deleted"},
	"lock replaced":      {func(d string) error { return newInode(filepath.Join(d, "lock")) }, "lock was replaced"},
	"lock written":       {func(d string) error { return os.WriteFile(filepath.Join(d, "lock"), []byte("x"), 0o600) }, ""},
	"format deleted":     {func(d string) error { return os.Remove(filepath.Join(d, "format")) }, ""},
	"mark deleted":       {func(d string) error { return os.Remove(filepath.Join(d, datadir.FileMark)) }, ""},
	"key replaced":       {func(d string) error { return newInode(filepath.Join(d, datadir.FileKey)) }, ""},
	"directory renamed":  {func(d string) error { return os.Rename(d, d+".old") }, "/d was "},
	"directory replaced": {func(d string) error { return replaceDir(d) }, "was replaced"},
	"streams replaced":   {func(d string) error { return replaceDir(filepath.Join(d, datadir.DirNATS)) }, "nats was replaced"},
	"streams deleted":    {func(d string) error { return os.RemoveAll(filepath.Join(d, datadir.DirNATS)) }, "nats was deleted"},
	"block deleted":      {func(d string) error { return os.Remove(filepath.Join(d, sealedBlock)) }, "1.blk was deleted"},
	"block replaced":     {func(d string) error { return newInode(filepath.Join(d, sealedBlock)) }, "1.blk was deleted"},
	"block renamed": {func(d string) error {
		return os.Rename(filepath.Join(d, sealedBlock), filepath.Join(d, sealedBlock+".old"))
	}, "1.blk.old was deleted"},
	"symlink in place":    {func(d string) error { return errors.Join(os.Rename(d, d+".old"), os.Symlink(d+".old", d)) }, ""},
	"directory's mode":    {func(d string) error { return os.Chmod(d, 0o755) }, ""},
	"copy made beside it": {func(d string) error { return os.CopyFS(d+".copy", os.DirFS(d)) }, ""},
}

const sealedBlock = "nats/jetstream/LOG/streams/SEALED_default/msgs/1.blk"

// newInode gives a file's content a new inode, as editors and cp --remove-destination do.
func newInode(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(path+".new", b, 0o600), os.Rename(path+".new", path))
}

// replaceDir puts a copy of a directory in its place.
func replaceDir(path string) error {
	if err := os.Rename(path, path+".old"); err != nil {
		return err
	}
	return copyKept(path+".old", path)
}

// copyKept copies a tree with its modes, as cp -a does.
func copyKept(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if d.IsDir() {
			return os.MkdirAll(target, info.Mode())
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, info.Mode())
	})
}

func upOn(ctx context.Context, dir string) (*Node, error) {
	return Up(ctx, UpConfig{Plugins: withPlugins, Data: dir, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0"})
}

// sealOne records an event and returns index and hash of its entry, or an error if it was not sealed.
func sealOne(n *Node, id string) (index uint64, hash string, err error) {
	event := []byte(`{"specversion":"1.0","id":"` + id + `","source":"did:web:a","type":"ai.agentmesh.tool.invoked"}`)
	c := http.Client{Timeout: 2 * time.Second} // a log that cannot seal waits longer
	resp, err := c.Post(n.URL()+"/v1/events?wait=sealed", "application/cloudevents+json", bytes.NewReader(event))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	var answer struct {
		Receipts []struct {
			Index     *uint64 `json:"index"`
			EntryHash string  `json:"entry_hash"`
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return 0, "", err
	}
	if len(answer.Receipts) != 1 || answer.Receipts[0].Index == nil {
		return 0, "", errors.New("not sealed")
	}
	return *answer.Receipts[0].Index, answer.Receipts[0].EntryHash, nil
}

// TestLockReplaced: whatever is done to a data directory in use, no second log starts on it while the
// first one seals: of each index there is one acknowledged entry.
func TestLockReplaced(t *testing.T) {
	for name, c := range displacements {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "d")
			first, err := upOn(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			defer first.Close()
			if _, _, err := sealOne(first, "before"); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() { ended <- first.Wait(ctx) }()
			if err := c.change(dir); err != nil {
				t.Fatal(err)
			}
			second, err := upOn(t.Context(), dir)
			if err == nil {
				defer second.Close()
			} else if c.says == "" && !errors.Is(err, datadir.ErrLocked) && !errors.Is(err, datadir.ErrFormat) {
				t.Errorf("second start: %v", err)
			}
			ofFirst := map[uint64]string{}
			for _, id := range []string{"a", "b"} {
				if i, hash, err := sealOne(first, id); err == nil {
					ofFirst[i] = hash
				}
			}
			if second != nil {
				for _, id := range []string{"c", "d"} {
					if i, hash, err := sealOne(second, id); err == nil && ofFirst[i] != "" && ofFirst[i] != hash {
						t.Errorf("two acknowledged entries of index %d", i)
					}
				}
			}
			if c.says == "" {
				if second != nil || len(ofFirst) != 2 {
					t.Fatalf("the first log does not go on: %v, second %v", ofFirst, second)
				}
				return
			}
			select {
			case err = <-ended:
			case <-time.After(15 * time.Second):
				t.Fatal("the first log does not end")
			}
			if !errors.Is(err, datadir.ErrDisplaced) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the first log ended with %v, want %q", err, c.says)
			}
		})
	}
}

// TestLockDeletedIsSeen: those that ask whether a log is running do not believe a file that is gone.
func TestLockDeletedIsSeen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	d, err := datadir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Keys("h.example.com", "default"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(d.Join("lock")); err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.RotateKey(dir); !errors.Is(err, datadir.ErrLocked) {
		t.Errorf("key rotate: %v, want ErrLocked", err)
	}
	if _, err := datadir.RetireKey(dir); !errors.Is(err, datadir.ErrLocked) {
		t.Errorf("key retire: %v, want ErrLocked", err)
	}
	if _, _, err := datadir.AuditDir(t.Context(), dir, audit.Config{}); !errors.Is(err, datadir.ErrLocked) {
		t.Errorf("verify: %v, want ErrLocked", err)
	}
	if _, err := datadir.ListArchiveDir(t.Context(), dir); !errors.Is(err, datadir.ErrLocked) {
		t.Errorf("archive list: %v, want ErrLocked", err)
	}
	if _, err := migrate.Run(t.Context(), migrate.Config{From: dir}); !errors.Is(err, datadir.ErrLocked) {
		t.Errorf("migrate: %v, want ErrLocked", err)
	}
	for _, f := range datadir.Diagnose(dir) {
		if f.What == "lock" && f.State != datadir.Wrong {
			t.Errorf("doctor: %+v", f)
		}
	}
	if _, err := datadir.Open(dir); !errors.Is(err, datadir.ErrLocked) {
		t.Errorf("a second start: %v, want ErrLocked", err)
	}
}

// TestLockSharedByReaders: two verifications may run at once, on a directory that nobody may write
// to, and keep a log out.
func TestLockSharedByReaders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	d, err := datadir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	for range 2 {
		unlock, err := datadir.LockForReading(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
	}
	if _, err := datadir.Open(dir); !errors.Is(err, datadir.ErrLocked) {
		t.Errorf("a start beside readers: %v, want ErrLocked", err)
	}
}
