package node

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestDirIsLockedAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d")
	d, err := OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDir(path); !errors.Is(err, ErrLocked) {
		t.Fatalf("second OpenDir: %v, want ErrLocked", err)
	}
	first, err := d.Keys("host.example", "default")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = OpenDir(path); err != nil {
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
	if _, err := d.Keys("host.example", "another"); !errors.Is(err, ErrKeys) {
		t.Fatalf("keys of another log: %v, want ErrKeys", err)
	}
	for name, mode := range map[string]os.FileMode{fileKey: 0o600, fileSecret: 0o600, filePublic: 0o644} {
		info, err := os.Stat(d.Join(name))
		if err != nil || info.Mode().Perm() != mode {
			t.Fatalf("%s: mode %v, %v; want %v", name, info.Mode().Perm(), err, mode)
		}
	}
}

// TestDirRefusesForeign: a folder that is something else, or of another format, is left as it is.
func TestDirRefusesForeign(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"another format": {fileFormat: "sealstream data directory, format 2\n"},
		"something else": {"precious": "mine"},
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			for f, text := range files {
				if err := os.WriteFile(filepath.Join(path, f), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := OpenDir(path); !errors.Is(err, ErrFormat) {
				t.Fatalf("OpenDir: %v, want ErrFormat", err)
			}
			list, err := os.ReadDir(path)
			if err != nil || len(list) != len(files) {
				t.Fatalf("the folder holds %d files, %v; want %d", len(list), err, len(files))
			}
		})
	}
}

// TestKeysAreNotMadeTwice: where streams are, keys that are gone must not be made anew; they would be another log's.
func TestKeysAreNotMadeTwice(t *testing.T) {
	d, err := OpenDir(filepath.Join(t.TempDir(), "d"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.Mkdir(d.Join(dirNATS), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Keys("host.example", "default"); !errors.Is(err, ErrKeys) {
		t.Fatalf("Keys: %v, want ErrKeys", err)
	}
	if _, err := GenerateKeys(d.Path, "host.example", "default"); err != nil {
		t.Fatal(err)
	}
	if _, err := GenerateKeys(d.Path, "host.example", "default"); !errors.Is(err, ErrKeys) {
		t.Fatalf("second GenerateKeys: %v, want ErrKeys", err)
	}
	if err := os.Chmod(d.Join(fileSecret), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Keys("host.example", "default"); !errors.Is(err, ErrKeys) {
		t.Fatalf("a secret that others can read: %v, want ErrKeys", err)
	}
}

func TestOnlyLoopbackIsServed(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1:0": true, "127.8.8.8:0": true, "[::1]:0": true, "localhost:0": true,
		"0.0.0.0:0": false, "[::]:0": false, ":0": false, "192.0.2.1:80": false, "example.com:80": false, "localhost": false} {
		if err := checkLoopback(addr); (err == nil) != want {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
