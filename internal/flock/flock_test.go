package flock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestHeld: whatever is done to the path of a lock, the holder notices, and the next one gets a
// lock of its own only where the path is another file.
func TestHeld(t *testing.T) {
	for name, c := range map[string]struct {
		change func(path string) error
		held   bool
	}{
		"nothing":       {func(string) error { return nil }, true},
		"written":       {func(p string) error { return os.WriteFile(p, []byte("x"), 0o600) }, true},
		"another mode":  {func(p string) error { return os.Chmod(p, 0o644) }, true},
		"linked":        {func(p string) error { return os.Link(p, p+".2") }, true},
		"deleted":       {os.Remove, false},
		"renamed":       {func(p string) error { return os.Rename(p, p+".2") }, false},
		"replaced":      {func(p string) error { return replace(p) }, false},
		"folder moved":  {func(p string) error { return os.Rename(filepath.Dir(p), filepath.Dir(p)+".2") }, false},
		"another there": {func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "d", "lock")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			l, err := Create(path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if err := c.change(path); err != nil {
				t.Fatal(err)
			}
			if err := l.Held(); (err == nil) != c.held {
				t.Errorf("held: %v", err)
			}
			if _, err := Open(path, Exclusive); c.held && !errors.Is(err, ErrLocked) {
				t.Errorf("a second one: %v", err)
			}
		})
	}
}

func replace(path string) error {
	if err := os.WriteFile(path+".new", nil, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// TestKinds: readers share a directory, a writer has it alone, and whoever only looks is in nobody's way.
func TestKinds(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		first, second Kind
		want          error
	}{
		{Exclusive, Exclusive, ErrLocked}, {Exclusive, Shared, ErrLocked}, {Shared, Exclusive, ErrLocked},
		{Shared, Shared, nil}, {Exclusive, None, nil}, {None, Exclusive, nil},
	} {
		a, err := Open(dir, c.first)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Open(dir, c.second)
		if !errors.Is(err, c.want) {
			t.Errorf("%v after %v: %v, want %v", c.second, c.first, err, c.want)
		}
		if b != nil {
			b.Close()
		}
		a.Close()
	}
}
