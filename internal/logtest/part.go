package logtest

import (
	"context"
	"sync"
	"testing"
	"time"
)

// Bound is the longest time that Until waits.
const Bound = 90 * time.Second

// Run runs a part of a program until the returned function stops it or the test ends. An error of
// the part fails the test. The returned function waits for the part, and may be called more than
// once.
func Run(t testing.TB, name string, part func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := part(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

// Until waits until a condition holds. After Bound it fails the test and says what it waited for.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Bound); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s", what)
		}
	}
}

// Run is Run for the fixture's test.
func (l *Fixture) Run(name string, part func(context.Context) error) (stop func()) {
	return Run(l, name, part)
}

// Until is Until for the fixture's test.
func (l *Fixture) Until(what string, holds func() bool) {
	l.Helper()
	Until(l, what, holds)
}
