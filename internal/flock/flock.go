// Package flock locks a file or directory against other processes, and detects when its path no
// longer leads to it. A plain lock protects nothing once somebody has deleted the file.
package flock

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrLocked reports that another process, or another part of this one, holds the lock.
var ErrLocked = errors.New("locked by another process")

// Kind is the kind of lock that Open takes.
type Kind int

// The kinds of locks.
const (
	None      Kind = iota // no lock; Held still checks the path
	Shared                // several may hold it, but not together with an exclusive one
	Exclusive             // only one may hold it
)

// Lock is an open file or directory under a lock. The kernel releases the lock when the process
// ends.
type Lock struct {
	path string
	f    *os.File
}

// Create locks the file at path exclusively. It creates an empty file if there is none.
func Create(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return take(path, f, Exclusive)
}

// Open locks the file or directory at path, which must exist. It only reads, so it works on a
// read-only medium. The error is errors.ErrUnsupported if the file system has no such locks.
func Open(path string, k Kind) (*Lock, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return take(path, f, k)
}

func take(path string, f *os.File, k Kind) (*Lock, error) {
	l := &Lock{path, f}
	err := lock(f, k)
	// replaced between open and lock: another process has the new one
	if err == nil && l.Held() != nil {
		err = ErrLocked
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

// Held returns an error if the path no longer leads to the locked file: it was deleted, renamed or
// replaced, or something was mounted over it. It takes two system calls.
func (l *Lock) Held() error {
	mine, err := l.f.Stat()
	if err != nil {
		return fmt.Errorf("%s: %w", l.path, err)
	}
	there, err := os.Stat(l.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s was deleted or renamed", l.path)
	case err != nil:
		return err
	case !os.SameFile(mine, there):
		return fmt.Errorf("%s was replaced", l.path)
	}
	return nil
}

// Close releases the lock. The file stays.
func (l *Lock) Close() error { return l.f.Close() }

// NameLock is a lock on a name, taken by Name. A nil NameLock is no lock.
type NameLock struct{ io.Closer }

// Close releases the lock.
func (l *NameLock) Close() error {
	if l == nil {
		return nil
	}
	return l.Closer.Close()
}
