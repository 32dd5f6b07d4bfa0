package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestHangingConsistency: while a proof of consistency does not come, callers with the same
// checkpoint wait for one request, each as long as it wants to, and others do not wait.
func TestHangingConsistency(t *testing.T) {
	w := memory(t)
	l := newLiar(t, w, 3)
	w.grow()
	release, asked := make(chan struct{}), atomic.Int64{}
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/consistency" {
			asked.Add(1)
			select {
			case <-release:
			case <-r.Context().Done():
				return
			}
		}
		w.back.ServeHTTP(a, r)
	})
	left, leave := context.WithCancel(t.Context())
	errs := make(chan error, 9)
	for i := range cap(errs) {
		ctx := bounded(t)
		if i == 0 {
			ctx = left
		}
		go func() {
			_, err := l.c.Checkpoint(ctx)
			errs <- err
		}()
	}
	logtest.Until(t, "a question", func() bool { return asked.Load() > 0 })
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := l.c.Checkpoint(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a caller in a hurry: %v", err)
	}
	if _, err := l.c.Counts(bounded(t), api.Filter{}); err != nil {
		t.Errorf("a caller with another question: %v", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("they took %v", took)
	}
	leave()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("who has left: %v", err)
	}
	close(release)
	for range cap(errs) - 1 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d requests for one checkpoint", n)
	}
}

// TestHangingLeft: a question that all have left is given up, and the next caller asks anew.
func TestHangingLeft(t *testing.T) {
	w := memory(t)
	l := newLiar(t, w, 3)
	w.grow()
	gone := make(chan struct{})
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/consistency" {
			<-r.Context().Done()
			close(gone)
			return
		}
		w.back.ServeHTTP(a, r)
	})
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := l.c.Checkpoint(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hanging: %v", err)
	}
	<-gone
	w.lie(nil)
	if cp, err := l.c.Checkpoint(bounded(t)); err != nil || cp.Size < 4 {
		t.Errorf("size %d, %v", cp.Size, err)
	}
}

// savedSize is that of the checkpoint in a state.
func savedSize(t *testing.T, path string) uint64 {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ Checkpoint string }
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	cp, err := proof.ParseCheckpointUnverified([]byte(s.Checkpoint))
	if err != nil {
		t.Fatal(err)
	}
	return cp.Size
}

// TestSharedState: of two clients with one state, the larger checkpoint stays, and both notice when
// they are shown two logs.
func TestSharedState(t *testing.T) {
	signer := logtest.Signer(t, logtest.Name)
	w := start(t, store.NewMemory(logtest.Name), signer)
	state := filepath.Join(t.TempDir(), "state")
	shared := func(c *client.Config) { c.State = state }
	ahead, behind := w.client(shared), w.client(shared)
	early := w.get("/checkpoint")
	for range 5 {
		if _, err := ahead.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); err != nil {
			t.Fatal(err)
		}
	}
	size := savedSize(t, state)
	w.rewrite("/checkpoint", func(string) string { return early })
	if cp, err := behind.Checkpoint(bounded(t)); err != nil || cp.Size >= size {
		t.Errorf("size %d of %d, %v", cp.Size, size, err)
	}
	if got := savedSize(t, state); got != size {
		t.Errorf("the state is of size %d, was %d", got, size)
	}
	w.lie(nil)
	group := []*client.Client{ahead, behind, w.client(shared), w.client(shared)}
	parallel(len(group), func(i int) {
		for range 5 {
			if _, err := group[i].Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); err != nil {
				t.Error(err)
			}
		}
	})
	if got := savedSize(t, state); got < size+20 {
		t.Errorf("the state is of size %d, of at least %d", got, size+20)
	}

	fork := start(t, store.NewMemory(logtest.Name), signer)
	for _, log := range []int{3, 60} { // shorter and longer than what the other client has seen
		own := filepath.Join(t.TempDir(), "own")
		victim := fork.client(func(c *client.Config) { c.State = own })
		client.SetRollBackAfter(victim, 20*time.Millisecond)
		for len(fork.entries()) < log {
			if _, err := fork.client().Log(bounded(t), client.Event{Type: "y"}, client.WaitSealed); err != nil {
				t.Fatal(err)
			}
		}
		raw, err := os.ReadFile(state)
		if err == nil {
			err = os.WriteFile(own, raw, 0o600) // as if the other client had written it
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := victim.Checkpoint(bounded(t)); !errors.Is(err, client.ErrFork) {
			t.Errorf("two logs, %d entries: %v", log, err)
		}
		if got, err := os.ReadFile(own); err != nil || string(got) != string(raw) {
			t.Errorf("the state was replaced: %s, %v", got, err)
		}
	}
}

// TestFirstUseIsMarked: a state says that its key is the server's word, and whether reading was to
// trust that.
func TestFirstUseIsMarked(t *testing.T) {
	w, ctx := memory(t), bounded(t)
	state := filepath.Join(t.TempDir(), "state")
	unpinned := func(c *client.Config) { c.Key, c.State = "", state }
	accepting := func(c *client.Config) { c.TrustFirstUse = true }
	marked := func(want string) {
		t.Helper()
		raw, err := os.ReadFile(state)
		var s struct {
			FirstUse string `json:"first_use"`
		}
		if err == nil {
			err = json.Unmarshal(raw, &s)
		}
		if err != nil || s.FirstUse != want {
			t.Errorf("%s, want %q: %v", raw, want, err)
		}
	}
	if _, err := w.client(unpinned).Log(ctx, client.Event{Type: "x"}, client.WaitSealed); err != nil {
		t.Fatal(err)
	}
	marked("receipts")
	if _, err := w.client(unpinned).Checkpoint(ctx); !errors.Is(err, client.ErrNoKey) {
		t.Errorf("reading with a key that only receipts have trusted: %v", err)
	}
	if _, err := w.client(unpinned, accepting).Checkpoint(ctx); err != nil {
		t.Error(err)
	}
	marked("reading")
	if _, err := w.client(unpinned).Checkpoint(ctx); err != nil {
		t.Errorf("reading with a key that reading has trusted: %v", err)
	}
	given := w.client(func(c *client.Config) { c.State = state })
	if _, err := given.Log(ctx, client.Event{Type: "x"}, client.WaitSealed); err != nil {
		t.Fatal(err)
	}
	marked("")
}

// rotation is a world whose log hands its key on.
type rotation struct {
	*world
	fixture *logtest.Fixture
	keys    []string
}

func newRotation(t *testing.T) *rotation {
	skey, first, err := proof.GenerateKey("test.example.com", logtest.Name)
	if err != nil {
		t.Fatal(err)
	}
	origin, _, _ := strings.Cut(first, "+")
	next, second, err := proof.GenerateNextKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := proof.NewSigner(skey)
	both, err2 := proof.NewSigner(skey, next)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	r := &rotation{keys: []string{first, second}}
	log := store.NewMemory(logtest.Name)
	r.fixture = logtest.New(t, log, func(c *sealer.Config) { c.Signer = alone })
	r.fixture.Config.Signer = both
	r.fixture.Grow(2)
	q, err := query.New(query.Config{Log: log, Keys: r.keys})
	if err != nil {
		t.Fatal(err)
	}
	logtest.Run(t, "query", q.Run)
	r.world = serve(t, log, first, q.Handler())
	return r
}

// announce lets the log name keys, and seals some events after it.
func (r *rotation) announce(keys ...string) {
	r.Helper()
	if did, err := sealer.AnnounceKeys(r.Context(), r.fixture.Config, keys); err != nil || !did {
		r.Fatal(did, err)
	}
	r.fixture.Seal()
	r.grow()
}

// grow seals some events, and waits until they are served.
func (r *rotation) grow() {
	r.Helper()
	size := r.fixture.Grow(3)
	logtest.Until(r, "query to come to the end", func() bool {
		cp, err := proof.ParseCheckpointUnverified([]byte(r.get("/checkpoint")))
		return err == nil && cp.Size == size
	})
}

// TestSuccession: a reader that was given the first key learns the next one while both sign, keeps it
// in its state, and refuses what only the replaced key has signed.
func TestSuccession(t *testing.T) {
	r := newRotation(t)
	state := filepath.Join(t.TempDir(), "state")
	kept := func(c *client.Config) { c.State = state }
	c := r.client(kept)
	read := func(c *client.Client) error {
		n := uint64(0)
		for e, err := range c.Entries(bounded(t), client.Filter{}) {
			if err != nil {
				return err
			}
			if e.Index != n {
				t.Errorf("index %d, want %d", e.Index, n)
			}
			n++
		}
		return nil
	}
	size, follows, at := r.fixture.Grow(0), make(chan error, 1), atomic.Uint64{}
	follower := r.client()
	go func() {
		for e, err := range follower.Follow(bounded(t), client.Filter{}) {
			if at.Store(e.Index); err != nil || e.Index == size+10 {
				follows <- err
				return
			}
		}
	}()
	if err := read(c); err != nil {
		t.Fatal(err)
	}
	r.announce(r.keys...)
	if err := read(c); err != nil {
		t.Errorf("while both sign: %v", err)
	}
	if raw, err := os.ReadFile(state); err != nil || !strings.Contains(string(raw), r.keys[1]) {
		t.Errorf("the state has not the second key: %s, %v", raw, err)
	}
	logtest.Until(t, "follow to come to the end", func() bool { return at.Load() == size+3 || len(follows) > 0 })
	r.announce(r.keys[1])
	r.grow()
	only := func(keys ...string) func(*client.Config) {
		return func(c *client.Config) { c.Key, c.Keys = "", keys }
	}
	for name, again := range map[string]*client.Client{
		"the same client": c, "the next": r.client(kept), "both keys": r.client(only(r.keys...)),
		"the second key": r.client(only(r.keys[1])),
	} {
		if err := read(again); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := <-follows; err != nil {
		t.Errorf("follow: %v", err)
	}
	r.grow()
	newer, err := proof.ParseCheckpointUnverified([]byte(r.get("/checkpoint")))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := r.fixture.Config.Signer.Sign(newer.Size, newer.Root, r.keys[0])
	if err != nil {
		t.Fatal(err)
	}
	r.rewrite("/checkpoint", func(string) string { return string(forged) })
	if _, err := c.Checkpoint(bounded(t)); !errors.Is(err, client.ErrProof) {
		t.Errorf("signed by the replaced key: %v", err)
	}
}

// TestSuccessionMissed: a reader that was away while both keys signed finds the announcement, by all
// that it reads, and across a state. One that has seen another log does not.
func TestSuccessionMissed(t *testing.T) {
	r := newRotation(t)
	state := filepath.Join(t.TempDir(), "state")
	kept := func(c *client.Config) { c.State = state }
	if _, err := r.client(kept).Checkpoint(bounded(t)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	r.announce(r.keys...)
	r.announce(r.keys[1])
	r.grow()
	ctx := bounded(t)
	for name, read := range map[string]func(*client.Client) error{
		"entries":    func(c *client.Client) error { return last(c.Entries(ctx, client.Filter{})) },
		"entry":      func(c *client.Client) error { return second(c.Entry(ctx, 1)) },
		"prove":      func(c *client.Client) error { return third(c.Prove(ctx, 1)) },
		"checkpoint": func(c *client.Client) error { return second(c.Checkpoint(ctx)) },
		"verify":     func(c *client.Client) error { return second(c.Verify(ctx)) },
		"page":       func(c *client.Client) error { return second(c.PageAt(ctx, client.Filter{}, 0)) },
		"follow": func(c *client.Client) error {
			for _, err := range c.Follow(ctx, client.Filter{}) {
				return err
			}
			return nil
		},
	} {
		if err := read(r.client()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.WriteFile(state, before, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := read(r.client(kept)); err != nil {
			t.Errorf("%s, with the state of before: %v", name, err)
		}
	}
	other := newRotation(t)
	other.announce(other.keys...)
	other.announce(other.keys[1])
	r.lie(other.back.ServeHTTP)
	if err := last(r.client().Entries(ctx, client.Filter{})); !errors.Is(err, client.ErrProof) {
		t.Errorf("another log, whose keys it announces: %v", err)
	}
}

// TestNoSuccession: a key that the log does not announce is not trusted, though it signs beside one
// that is.
func TestNoSuccession(t *testing.T) {
	r := newRotation(t)
	c := r.client()
	cp, err := proof.ParseCheckpointUnverified([]byte(r.get("/checkpoint")))
	if err != nil {
		t.Fatal(err)
	}
	signed := func(keys ...string) string {
		note, err := r.fixture.Config.Signer.Sign(cp.Size, cp.Root, keys...)
		if err != nil {
			t.Fatal(err)
		}
		return string(note)
	}
	for _, step := range []struct {
		note string
		want error
	}{{signed(r.keys...), nil}, {signed(r.keys[1]), client.ErrProof}} {
		r.rewrite("/checkpoint", func(string) string { return step.note })
		if _, err := c.Checkpoint(bounded(t)); !errors.Is(err, step.want) {
			t.Errorf("%s%v", step.note, err)
		}
	}
}

// grow seals an event, and waits until query shows it: a receipt with its proof does not wait for
// that.
func (w *world) grow() {
	w.Helper()
	r, err := w.client().Log(bounded(w), client.Event{Type: "x"}, client.WaitSealed)
	if err != nil {
		w.Fatal(err)
	}
	logtest.Until(w, "query", func() bool {
		cp, err := w.client().Checkpoint(bounded(w))
		return err == nil && cp.Size > r.Index
	})
}
