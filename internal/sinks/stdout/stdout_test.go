package stdoutsink_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	sinkrun "github.com/sealstream/sealstream/internal/sinks/run"
	stdoutsink "github.com/sealstream/sealstream/internal/sinks/stdout"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

// follow makes a runner that writes a log as lines.
func follow(l *logtest.Fixture, w io.Writer, wait time.Duration) *sinkrun.Runner {
	l.Helper()
	spec, err := sink.Schemes{"stdout": stdoutsink.Scheme(w)}.Parse("stdout:")
	if err != nil {
		l.Fatal(err)
	}
	r, err := sinkrun.New(sinkrun.Config{
		Log: l.Store, Keys: []string{l.Key}, Sink: spec, Wait: wait, Pause: 5 * time.Millisecond,
	})
	if err != nil {
		l.Fatal(err)
	}
	return r
}

// pipeSink is a runner that writes lines into a pipe, and the pipe's two ends.
func pipeSink(l *logtest.Fixture, wait time.Duration) (*sinkrun.Runner, *os.File, *os.File) {
	l.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { out.Close(); in.Close() })
	return follow(l, in, wait), out, in
}

// open opens the sink that writes to w.
func open(t *testing.T, w io.Writer) sink.Sink {
	t.Helper()
	spec, err := sink.Schemes{"stdout": stdoutsink.Scheme(w)}.Parse("stdout:")
	if err != nil {
		t.Fatal(err)
	}
	s, err := spec.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStdoutStalled: a reader that stops reading is told, does not keep the runner from ending, and
// gets every line once it reads again, in order.
func TestStdoutStalled(t *testing.T) {
	f := logtest.Memory(t)
	size := f.Grow(700)
	r, out, in := pipeSink(f, 100*time.Millisecond)
	stop := logtest.Run(f, "sink", r.Run)
	logtest.Until(f, "the stall to be told", func() bool { return strings.Contains(r.Status().Err, "does not read") })
	began := time.Now()
	stop()
	if d := time.Since(began); d > 5*time.Second {
		t.Fatalf("it ended after %v", d)
	}
	var text bytes.Buffer
	read := make(chan error, 1)
	go func() { _, err := io.Copy(&text, out); read <- err }()
	stop = logtest.Run(f, "sink", r.Run)
	logtest.Until(f, "the end", func() bool { return r.Status().Next == size })
	stop()
	in.Close()
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	next := uint64(0)
	for line := range strings.Lines(text.String()) {
		var e struct{ Index uint64 }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %.80q", err, line)
		}
		if e.Index > next {
			t.Fatalf("index %d comes where %d is due", e.Index, next)
		}
		next = max(next, e.Index+1)
	}
	if next != size {
		t.Fatalf("%d entries of %d", next, size)
	}
}

// TestStdoutGone: a reader that is gone is an error, again and again, and no more.
func TestStdoutGone(t *testing.T) {
	f := logtest.Memory(t)
	f.Grow(3)
	r, out, _ := pipeSink(f, time.Minute)
	out.Close()
	stop := logtest.Run(f, "sink", r.Run)
	logtest.Until(f, "the error", func() bool { return r.Status().Failures > 2 })
	stop()
	if s := r.Status(); !strings.Contains(s.Err, syscall.EPIPE.Error()) || s.Next != 0 {
		t.Fatalf("%+v", s)
	}
}

// halfWriter takes half of the first write.
type halfWriter struct {
	bytes.Buffer
	failed bool
}

func (w *halfWriter) Write(b []byte) (int, error) {
	if !w.failed {
		w.failed = true
		n, _ := w.Buffer.Write(b[:len(b)-10])
		return n, errors.New("no room")
	}
	return w.Buffer.Write(b)
}

// TestStdoutTorn: a line that was cut off by an error does not run into the next one.
func TestStdoutTorn(t *testing.T) {
	f := logtest.Memory(t)
	size := f.Grow(3)
	var w halfWriter
	r := follow(f, &w, time.Minute)
	stop := logtest.Run(f, "sink", r.Run)
	logtest.Until(f, "the end", func() bool { return r.Status().Next == size })
	stop()
	good := 0
	for line := range strings.Lines(w.String()) {
		if json.Valid([]byte(line)) {
			good++
		}
	}
	if uint64(good) < size {
		t.Fatalf("%d whole lines of %d:\n%s", good, size, w.String())
	}
}

// TestStdout: a line an entry, its names sorted (case 46 of conformance/cases_test.go).
func TestStdout(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Place {
		return sinktest.Place{Deaf: true, Shared: true, Open: func(context.Context) (sink.Sink, error) {
			return open(t, io.Discard), nil
		}}
	})
	var out bytes.Buffer
	list := sinktest.Records(20, 1)
	if err := open(t, &out).Write(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != len(list) {
		t.Fatalf("%d lines", len(lines))
	}
	for i, line := range lines {
		d := json.NewDecoder(strings.NewReader(line))
		var names []string
		if _, err := d.Token(); err != nil { // {
			t.Fatal(err)
		}
		for d.More() {
			name, err := d.Token()
			var value json.RawMessage
			if err == nil {
				err = d.Decode(&value)
			}
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			names = append(names, name.(string))
		}
		if !slices.IsSorted(names) || len(names) < 10 {
			t.Fatalf("members %v", names)
		}
		var m struct {
			Index uint64 `json:"index"`
			Hash  string `json:"entry_hash"`
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Index != uint64(i) ||
			m.Hash != list[i].Entry.EntryHash.String() {
			t.Fatalf("%s: %v", line, err)
		}
	}
	if !strings.Contains(out.String(), "\u00fc") || strings.Contains(out.String(), `\u003c`) {
		t.Fatal("text is not verbatim")
	}
}
