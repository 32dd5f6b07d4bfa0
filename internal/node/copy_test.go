package node

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/migrate"
)

// onCopies are all that open a data directory on a copy.
var onCopies = map[string]func(context.Context, string) error{
	"verify": func(ctx context.Context, dir string) error {
		_, _, err := datadir.AuditDir(ctx, dir, audit.Config{})
		return err
	},
	"archive list": func(ctx context.Context, dir string) error { _, err := datadir.ListArchiveDir(ctx, dir); return err },
	"archive verify": func(ctx context.Context, dir string) error {
		_, err := datadir.VerifyArchiveDir(ctx, dir, audit.Config{})
		return err
	},
	"migrate": func(ctx context.Context, dir string) error {
		_, err := migrate.Run(ctx, migrate.Config{From: dir})
		return err
	},
}

// TestCopyFails: where no copy can be made there is an error that says why, and nothing is left of it.
func TestCopyFails(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "d")
	n, err := upOn(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(whole, datadir.FilePublic))
	if err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	public := func(text []byte) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, datadir.FilePublic), text, 0o644) }
	}
	for name, c := range map[string]struct {
		ctx    context.Context
		change func(dir string) error
		tmp    string // "": an empty folder
		want   error
	}{
		"nothing wrong":   {t.Context(), public(key), "", nil},
		"no public key":   {t.Context(), func(dir string) error { return os.Remove(filepath.Join(dir, datadir.FilePublic)) }, "", datadir.ErrKeys},
		"an empty key":    {t.Context(), public(nil), "", datadir.ErrKeys},
		"no key":          {t.Context(), public([]byte("x+y\n")), "", datadir.ErrKeys},
		"no streams":      {t.Context(), func(dir string) error { return os.RemoveAll(filepath.Join(dir, datadir.DirNATS)) }, "", fs.ErrNotExist},
		"no TMPDIR":       {t.Context(), public(key), filepath.Join(file, "x"), datadir.ErrRoom},
		"TMPDIR a file":   {t.Context(), public(key), file, nil},
		"too large":       {t.Context(), func(dir string) error { return sparse(filepath.Join(dir, datadir.DirNATS, "large")) }, "", datadir.ErrRoom},
		"a folder inside": {t.Context(), func(dir string) error { return os.Symlink("/", filepath.Join(dir, datadir.DirNATS, "root")) }, "", nil},
		"interrupted":     {ended, public(key), "", context.Canceled},
	} {
		dir := filepath.Join(t.TempDir(), "d") // it is only read
		if err := errors.Join(copyKept(whole, dir), c.change(dir)); err != nil {
			t.Fatal(err)
		}
		for verb, call := range onCopies {
			t.Run(name+" "+verb, func(t *testing.T) {
				tmp := t.TempDir()
				if c.tmp != "" {
					tmp = c.tmp
				}
				t.Setenv("TMPDIR", tmp)
				err := call(c.ctx, dir)
				fails := c.want != nil || c.tmp != "" || verb == "migrate" // which has no target here
				if (err != nil) != fails || c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
				if list, err := os.ReadDir(tmp); err == nil && len(list) > 0 {
					t.Errorf("TMPDIR holds %v", list)
				}
			})
		}
	}
}

// sparse makes a file that takes no room here and more than any disk has when it is copied.
func sparse(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(1<<42), f.Close())
}
