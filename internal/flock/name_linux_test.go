package flock

import (
	"errors"
	"testing"
)

// TestName: a name is held by one at a time, and is free when its holder has ended.
func TestName(t *testing.T) {
	name := "sealstream-" + t.TempDir()
	for range 2 {
		l, err := Name(name)
		if err != nil || l == nil {
			t.Fatalf("%v, %v", l, err)
		}
		if _, err := Name(name); !errors.Is(err, ErrLocked) {
			t.Errorf("a second holder: %v, want ErrLocked", err)
		}
		l.Close()
	}
}
