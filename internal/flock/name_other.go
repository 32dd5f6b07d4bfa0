//go:build !linux

package flock

// Name returns no lock: only Linux has names that end with their process.
func Name(string) (*NameLock, error) { return nil, nil }
