package natsd

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// damages are what happens to a small file.
var damages = map[string]func(path string, b []byte) error{
	"a flipped bit": func(path string, b []byte) error { b[len(b)/2] ^= 1; return os.WriteFile(path, b, 0o600) },
	"cut":           func(path string, b []byte) error { return os.WriteFile(path, b[:len(b)/2], 0o600) },
	"emptied":       func(path string, _ []byte) error { return os.WriteFile(path, nil, 0o600) },
	"zeroed":        func(path string, b []byte) error { return os.WriteFile(path, make([]byte, len(b)), 0o600) },
	"deleted":       func(path string, _ []byte) error { return os.Remove(path) },
}

// TestDamagedSettings: a stream whose settings are damaged keeps its messages and the time of its creation.
// Without a copy of the settings nothing starts, and nothing is changed.
func TestDamagedSettings(t *testing.T) {
	for _, file := range settings {
		for how, damage := range damages {
			for _, copied := range []bool{true, false} {
				t.Run(fmt.Sprint(file, " ", how, " copy ", copied), func(t *testing.T) {
					t.Parallel()
					dir := t.TempDir()
					created := begun(t, dir, copied)
					for _, name := range []string{"EVENTS_x", "KV_HEAD"} {
						path := filepath.Join(dir, "jetstream", accountLog, "streams", name, file)
						b, err := os.ReadFile(path)
						if err != nil {
							t.Fatal(err)
						}
						if err := damage(path, b); err != nil {
							t.Fatal(err)
						}
					}
					if copied {
						repaired(t, dir, created)
					} else {
						refused(t, dir)
					}
				})
			}
		}
	}
}

// begun makes a server's folder with a message in it, and returns when its stream was created.
func begun(t *testing.T, dir string, copied bool) time.Time {
	t.Helper()
	s := start(t, Config{StoreDir: dir, InProcess: true})
	_, js := connect(t, s)
	streams(t, js)
	if _, err := js.Publish(t.Context(), "audit.x.events.open", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	st, err := js.Stream(t.Context(), "EVENTS_x")
	if err != nil {
		t.Fatal(err)
	}
	if copied {
		if err := s.KeepSettings(); err != nil {
			t.Fatal(err)
		}
	}
	s.Shutdown()
	return st.CachedInfo().Created
}

func repaired(t *testing.T, dir string, created time.Time) {
	t.Helper()
	for i := range 2 { // the second start finds nothing to repair
		var said bytes.Buffer
		s := start(t, Config{
			StoreDir: dir, InProcess: true,
			Logger: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn})),
		})
		_, js := connect(t, s)
		st, err := js.Stream(t.Context(), "EVENTS_x")
		if err != nil {
			t.Fatal(err)
		}
		if m, err := st.GetMsg(t.Context(), 1); err != nil || string(m.Data) != "kept" {
			t.Errorf("%+v, %v", m, err)
		}
		if at := st.CachedInfo().Created; !at.Equal(created) {
			t.Errorf("created %v, not %v", at, created)
		}
		if text := strings.Join(s.Repaired(), "\n"); (i == 0) != (strings.Contains(text, "EVENTS_x") &&
			strings.Contains(text, "KV_HEAD")) {
			t.Errorf("start %d repaired %q", i, text)
		}
		if text := said.String(); (i == 0) != strings.Contains(text, "EVENTS_x were damaged and are repaired") {
			t.Errorf("start %d said %q", i, text)
		}
		s.Shutdown()
	}
}

func refused(t *testing.T, dir string) {
	t.Helper()
	for range 2 {
		s, err := Start(t.Context(), Config{StoreDir: dir, InProcess: true, Log: "x"})
		if err == nil {
			s.Shutdown()
		}
		if !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), "EVENTS_x") ||
			!strings.Contains(err.Error(), "meta.inf and meta.sum") {
			t.Fatalf("started, or said %v", err)
		}
	}
}

// TestHalfMadeStream: what a crash leaves of a stream that was being made is made whole by the next start.
func TestHalfMadeStream(t *testing.T) {
	dir := t.TempDir()
	s := start(t, Config{StoreDir: dir, InProcess: true})
	_, js := connect(t, s)
	streams(t, js)
	s.Shutdown()
	half := filepath.Join(dir, "jetstream", accountLog, "streams", "EVENTS_x")
	if err := errors.Join(os.Remove(filepath.Join(half, "meta.sum")),
		os.RemoveAll(filepath.Join(half, "msgs"))); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s = start(t, Config{StoreDir: dir, InProcess: true})
		_, js = connect(t, s)
		if _, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{
			Name: "EVENTS_x", Subjects: []string{"audit.x.events.*"},
		}); err != nil {
			t.Fatal(err)
		}
		s.Shutdown()
		if _, err := os.Stat(filepath.Join(half, "meta.sum")); err != nil {
			t.Error(err)
		}
	}
}

// TestRebuild: what a server says of each stream after it was killed is told once, and warns nobody.
func TestRebuild(t *testing.T) {
	var said bytes.Buffer
	l := &logger{log: slog.New(slog.NewTextHandler(&said, nil))}
	for _, stream := range []string{"SEALED_x", "EVENTS_x"} {
		l.Warnf("Filestore [%s] Stream state outdated, last block has additional entries, will rebuild", stream)
		l.Warnf("Filestore [%s] Recovering stream state from index errored: prior state file", stream)
		l.Warnf("Filestore [%s] Sourcing state is outdated; attempting to recover using backward scan (seq 1 to 2)", stream)
	}
	if text := said.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "level=INFO") {
		t.Error(text)
	}
	l.Warnf("Filestore [x] Recovering stream state from index errored: %v", "bad checksum")
	if text := said.String(); strings.Count(text, "level=WARN") != 1 {
		t.Error(text)
	}
}

// TestWarnings: what the server warns of is a warning here, but for what is meant to be so.
func TestWarnings(t *testing.T) {
	var said bytes.Buffer
	l := &logger{log: slog.New(slog.NewTextHandler(&said, nil))}
	l.Warnf("  Stream metafile %q: checksums do not match %q vs %q", "f", "a", "b")
	l.Errorf("no space left")
	l.Noticef("Server is ready")
	l.Warnf("Plaintext passwords detected, use nkeys or bcrypt")
	if text := said.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "level=WARN") ||
		!strings.Contains(text, "level=ERROR") {
		t.Error(text)
	}
}
