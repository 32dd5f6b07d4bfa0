package client_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestAnotherLogsCheckpoint: a checkpoint that the trusted key has signed for a log of another name
// is refused, whatever it comes with.
func TestAnotherLogsCheckpoint(t *testing.T) {
	w := memory(t)
	newLiar(t, w, 3)
	c := w.client(func(cfg *client.Config) { cfg.Log = "other" })
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		q.Set("log", "default")
		r.URL.RawQuery = q.Encode()
		w.back.ServeHTTP(a, r)
	})
	_, checkpoint := c.Checkpoint(bounded(t))
	_, verify := c.Verify(bounded(t))
	for name, err := range map[string]error{
		"checkpoint": checkpoint, "verify": verify, "export": c.Export(bounded(t), io.Discard, "jsonl"),
		"an empty page": last(c.ByType(bounded(t), "none")),
	} {
		if !errors.Is(err, client.ErrProof) {
			t.Errorf("%s: %v, want %v", name, err, client.ErrProof)
		}
	}
}

// TestEndlessAnswers: a line or an event without an end is refused, and not read again.
func TestEndlessAnswers(t *testing.T) {
	w := memory(t)
	l := newLiar(t, w, 3)
	endless := func(line string) {
		w.lie(func(a http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := io.WriteString(a, line); err != nil {
					return
				}
			}
		})
	}
	endless("data: " + strings.Repeat("x", 1<<20) + "\n")
	if err := last(l.c.Follow(bounded(t), client.Filter{})); !errors.Is(err, client.ErrProof) {
		t.Errorf("follow: %v", err)
	}
	endless(strings.Repeat("x", 1<<20))
	if _, err := l.c.Verify(bounded(t)); !errors.Is(err, client.ErrProof) {
		t.Errorf("verify: %v", err)
	}
}

// TestRefusedIndex: only an index behind what was seen may be refused as one that the log has not.
func TestRefusedIndex(t *testing.T) {
	w := memory(t)
	l := newLiar(t, w, 20)
	for _, c := range []struct {
		index     uint64
		parameter string
		want      error
		found     bool
	}{
		{7, "limit", client.ErrGap, true},
		{7, "from_index", client.ErrFork, true},
		{30, "limit", client.ErrRefused, true},
		{30, "from_index", client.ErrNotFound, false},
	} {
		w.lie(func(a http.ResponseWriter, _ *http.Request) {
			a.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(a, `{"status":400,"parameter":%q}`, c.parameter)
		})
		_, err := l.c.Entry(bounded(t), c.index)
		if !errors.Is(err, c.want) || c.found == errors.Is(err, client.ErrNotFound) {
			t.Errorf("index %d, %s: %v, want %v", c.index, c.parameter, err, c.want)
		}
	}
}

// TestVerifyBehind: a replica that is behind for a moment is no fork, and leaves nothing in the
// export that is written.
func TestVerifyBehind(t *testing.T) {
	w := memory(t)
	l := newLiar(t, w, 20)
	var old string
	w.rewrite("/v1/export", func(body string) string { old = body; return body })
	if _, err := l.c.Verify(bounded(t)); err != nil {
		t.Fatal(err)
	}
	w.lie(nil)
	client.SetRollBackAfter(l.c, 20*time.Second)
	if _, err := l.c.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); err != nil {
		t.Fatal(err)
	}
	asked, now := 0, ""
	w.rewrite("/v1/export", func(body string) string {
		if asked++; asked%2 == 1 {
			return old
		}
		now = body
		return body
	})
	if r, err := l.c.Verify(bounded(t)); err != nil || r.Checkpoint.Size != 21 {
		t.Errorf("verify: %+v %v", r, err)
	}
	var out strings.Builder
	if err := l.c.Export(bounded(t), &out, "jsonl"); err != nil || out.String() != now {
		t.Errorf("export: %d bytes, want %d: %v", out.Len(), len(now), err)
	}
	w.rewrite("/v1/export", func(string) string { return old })
	client.SetRollBackAfter(l.c, 20*time.Millisecond)
	_, err := l.c.Verify(bounded(t))
	if fault, ok := errors.AsType[*client.FaultError](err); !ok || fault.Kind != "cut" || fault.Index != 20 ||
		!errors.Is(err, client.ErrFork) {
		t.Errorf("a replica that stays behind: %v", err)
	}
}

// TestLogDoesNotVerify: that is the server's last word, and no trouble that passes.
func TestLogDoesNotVerify(t *testing.T) {
	w := memory(t)
	c := w.client()
	for _, problem := range []string{
		`{"type":"about:blank","status":500,"index":3}`, `{"type":"urn:sealstream:problem:x","status":500}`,
	} {
		w.lie(func(a http.ResponseWriter, _ *http.Request) {
			a.WriteHeader(http.StatusInternalServerError)
			io.WriteString(a, problem)
		})
		_, verify := c.Verify(bounded(t))
		for name, err := range map[string]error{
			"entries": last(c.Entries(bounded(t), client.Filter{})), "verify": verify,
			"follow": last(c.Follow(bounded(t), client.Filter{})),
		} {
			if !errors.Is(err, client.ErrRefused) {
				t.Errorf("%s, %s: %v", name, problem, err)
			}
		}
	}
}

// TestCountsOfLess: counts of fewer entries than the client has seen prove nothing of the log.
func TestCountsOfLess(t *testing.T) {
	w := memory(t)
	l := newLiar(t, w, 20)
	sized := func(size int) {
		w.rewrite("/v1/counts", func(string) string { return fmt.Sprintf(`{"tree_size":%d}`, size) })
	}
	for _, size := range []int{0, 19} {
		sized(size)
		if _, err := l.c.Counts(bounded(t), api.Filter{}); !errors.Is(err, client.ErrFork) {
			t.Errorf("%d entries: %v", size, err)
		}
	}
	claim := client.ClaimedCounts{}
	if _, err := l.c.Verify(bounded(t), claim); !errors.Is(err, client.ErrCounts) {
		t.Errorf("verify of a claim of nothing: %v", err)
	}
}

// TestUnverifiedEmptyPages: pages that bring nothing and go on have no end.
func TestUnverifiedEmptyPages(t *testing.T) {
	w := memory(t)
	c := w.client()
	w.lie(func(a http.ResponseWriter, _ *http.Request) {
		io.WriteString(a, `{"entries":[],"next_cursor":"x","tree_size":1}`)
	})
	var err error
	for _, err = range c.Unverified().Entries(bounded(t), client.Filter{}) {
	}
	if !errors.Is(err, client.ErrProof) {
		t.Error(err)
	}
}

// TestStateOfReplacedKey: a state whose checkpoint an earlier key of the log has signed is no fork.
func TestStateOfReplacedKey(t *testing.T) {
	signer := logtest.Signer(t, logtest.Name)
	w := start(t, store.NewMemory(logtest.Name), signer)
	state := filepath.Join(t.TempDir(), "state")
	old := w.client(func(c *client.Config) { c.State = state })
	if _, err := old.Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); err != nil {
		t.Fatal(err)
	}
	_, next, err := proof.GenerateNextKey(signer.Origin())
	if err != nil {
		t.Fatal(err)
	}
	c := w.client(func(c *client.Config) { c.State, c.Key = state, next })
	if _, err := c.Checkpoint(bounded(t)); !errors.Is(err, client.ErrProof) || errors.Is(err, client.ErrFork) {
		t.Errorf("a new checkpoint of the replaced key: %v", err)
	}
}

// TestStateNotWritten: a state that could not be written is an error until it is written.
func TestStateNotWritten(t *testing.T) {
	w := memory(t)
	newLiar(t, w, 3)
	dir := filepath.Join(t.TempDir(), "later")
	c := w.client(func(c *client.Config) { c.State = filepath.Join(dir, "state") })
	for range 2 {
		if _, err := c.Checkpoint(bounded(t)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no directory: %v", err)
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Checkpoint(bounded(t)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "state")); err != nil {
		t.Error(err)
	}
}

// TestNoConsistencyProof: an answer that is no proof, as a login page is none, shows no fork.
func TestNoConsistencyProof(t *testing.T) {
	w := memory(t)
	l := newLiar(t, w, 3)
	if _, err := w.client().Log(bounded(t), client.Event{Type: "x"}, client.WaitSealed); err != nil {
		t.Fatal(err)
	}
	for _, answer := range []string{"<html>", `{"proof":["x"]}`} {
		w.rewrite("/v1/consistency", func(string) string { return answer })
		if _, err := l.c.Checkpoint(bounded(t)); !errors.Is(err, client.ErrProof) || errors.Is(err, client.ErrFork) {
			t.Errorf("%s: %v", answer, err)
		}
	}
}
