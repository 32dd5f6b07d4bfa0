package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/httpapi"
)

func TestDirIsLockedAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d")
	d, err := datadir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.Open(path); !errors.Is(err, datadir.ErrLocked) {
		t.Fatalf("second OpenDir: %v, want ErrLocked", err)
	}
	first, err := d.Keys("host.example", "default")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = datadir.Open(path); err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	again, err := d.Keys("other.example", "default")
	if err != nil {
		t.Fatal(err)
	}
	if first.Signer.VerifierKey() != again.Signer.VerifierKey() || string(first.Secret) != string(again.Secret) {
		t.Fatal("the keys are others after a restart")
	}
	if _, err := d.Keys("host.example", "another"); !errors.Is(err, datadir.ErrKeys) {
		t.Fatalf("keys of another log: %v, want ErrKeys", err)
	}
	for name, mode := range map[string]os.FileMode{
		datadir.FileKey: 0o600, datadir.FileSecret: 0o600, datadir.FilePublic: 0o644,
	} {
		info, err := os.Stat(d.Join(name))
		if err != nil || info.Mode().Perm() != mode {
			t.Fatalf("%s: mode %v, %v; want %v", name, info.Mode().Perm(), err, mode)
		}
	}
}

// TestDirRefusesForeign: a folder that is something else, or of another format, is left as it is.
func TestDirRefusesForeign(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"another format": {"format": "sealstream data directory, format 3\n"},
		"something else": {"precious": "mine"},
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			for f, text := range files {
				if err := os.WriteFile(filepath.Join(path, f), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := datadir.Open(path); !errors.Is(err, datadir.ErrFormat) {
				t.Fatalf("OpenDir: %v, want ErrFormat", err)
			}
			list, err := os.ReadDir(path)
			if err != nil || len(list) != len(files) {
				t.Fatalf("the folder holds %d files, %v; want %d", len(list), err, len(files))
			}
		})
	}
}

// TestDirOfOlderFormat: a directory of format 1 is taken over if its streams are where they belong, and
// says what to do if they are not. What it says is right.
func TestDirOfOlderFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d")
	n, err := upOn(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := sealOne(n, "before"); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	accounts := filepath.Join(path, datadir.DirNATS, "jetstream")
	old, now := filepath.Join(accounts, "$G"), filepath.Join(accounts, "LOG")
	err = errors.Join(os.WriteFile(filepath.Join(path, "format"), []byte("sealstream data directory, format 1\n"),
		0o644),
		os.RemoveAll(filepath.Join(path, datadir.DirNATS, "settings")), os.Remove(filepath.Join(path, "home")),
		os.Rename(now, old))
	if err != nil {
		t.Fatal(err)
	}
	for _, empty := range []bool{false, true} { // true: a release that did not know made streams of its own
		if err := os.MkdirAll(filepath.Join(now, "streams", "SEALED_default", "msgs"), 0o700); empty && err != nil {
			t.Fatal(err)
		}
		if n, err = upOn(t.Context(), path); err == nil {
			n.Close()
		}
		if !errors.Is(err, datadir.ErrFormat) || !strings.Contains(err.Error(), "mv '"+old+"' '"+now+"'") {
			t.Fatalf("start: %v", err)
		}
		if _, _, err := datadir.AuditDir(t.Context(), path, audit.Config{}); !errors.Is(err, datadir.ErrFormat) {
			t.Fatalf("verify: %v", err)
		}
	}
	if err := errors.Join(os.RemoveAll(now), os.Rename(old, now)); err != nil {
		t.Fatal(err)
	}
	if r, _, err := datadir.AuditDir(t.Context(), path, audit.Config{}); err != nil || r.Size != 2 {
		t.Errorf("verify: size %d, %v", r.Size, err)
	}
	if n, err = upOn(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if index, _, err := sealOne(n, "after"); err != nil || index != 2 {
		t.Errorf("index %d, %v", index, err)
	}
	if b, err := os.ReadFile(filepath.Join(path, "format")); err != nil ||
		string(b) != "sealstream data directory, format 2\n" {
		t.Errorf("format says %q, %v", b, err)
	}
}

// TestKeysAreNotMadeTwice: where streams are, keys that are gone must not be made anew; they would be another log's.
func TestKeysAreNotMadeTwice(t *testing.T) {
	d, err := datadir.Open(filepath.Join(t.TempDir(), "d"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.Mkdir(d.Join(datadir.DirNATS), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Keys("host.example", "default"); !errors.Is(err, datadir.ErrKeys) {
		t.Fatalf("Keys: %v, want ErrKeys", err)
	}
	if _, err := datadir.GenerateKeys(d.Path, "host.example", "default"); err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.GenerateKeys(d.Path, "host.example", "default"); !errors.Is(err, datadir.ErrKeys) {
		t.Fatalf("second GenerateKeys: %v, want ErrKeys", err)
	}
	if err := os.Chmod(d.Join(datadir.FileSecret), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Keys("host.example", "default"); !errors.Is(err, datadir.ErrKeys) {
		t.Fatalf("a secret that others can read: %v, want ErrKeys", err)
	}
}

func TestOnlyLoopbackIsServed(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1:0": true, "127.8.8.8:0": true, "[::1]:0": true,
		"localhost:0": true,
		"0.0.0.0:0":   false, "[::]:0": false, ":0": false, "192.0.2.1:80": false, "example.com:80": false, "localhost": false} {
		if err := httpapi.CheckLoopback(addr); (err == nil) != want {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
