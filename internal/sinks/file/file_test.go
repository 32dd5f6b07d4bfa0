package filesink_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/sinks/file"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

var (
	ring  = filesink.Ring{filesink.NewKey([]byte("my-hmac-secret"))}
	other = filesink.NewKey([]byte("another"))
)

// open opens a sink that is closed with the test.
func open(t testing.TB, cfg filesink.Config) *filesink.File {
	t.Helper()
	s, err := filesink.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func write(t testing.TB, s sink.Sink, records []sink.Record) {
	t.Helper()
	if err := s.Write(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

func closeSink(t testing.TB, s sink.Sink) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// edit changes the line of a file in which a text stands.
func edit(t testing.TB, dir, find string, change func(line []byte) []byte) (name string) {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(dir, "*.jsonl*"))
	for _, path := range paths {
		text := plain(t, path)
		lines := bytes.SplitAfter(text, []byte("\n"))
		for i, line := range lines {
			if !bytes.Contains(line, []byte(find)) {
				continue
			}
			lines[i] = change(bytes.Clone(line))
			text = bytes.Join(lines, nil)
			if filepath.Ext(path) == ".gz" {
				var b bytes.Buffer
				z := gzip.NewWriter(&b)
				z.Write(text)
				z.Close()
				text = b.Bytes()
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			return filepath.Base(path)
		}
	}
	t.Fatalf("no line with %s", find)
	return ""
}

func plain(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if filepath.Ext(path) == ".gz" {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestConformance(t *testing.T) {
	for name, cfg := range map[string]filesink.Config{
		"batch": {}, "interval": {Sync: 5 * time.Millisecond}, "rotating": {MaxSize: 4000},
		"compressed": {MaxSize: 20000, Gzip: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, func(t *testing.T) sinktest.Place {
				dir := t.TempDir()
				cfg := cfg
				cfg.Path, cfg.Keys = filepath.Join(dir, "audit.jsonl"), ring
				return sinktest.Place{
					Open: func(ctx context.Context) (sink.Sink, error) {
						s, err := filesink.Open(ctx, cfg)
						if err != nil {
							return nil, err
						}
						return s, nil
					},
					Tamper: func(t *testing.T, index uint64) {
						edit(t, dir, `"index": 6,`, func(line []byte) []byte {
							return bytes.Replace(line, []byte(`"agent_did": "did:web:agent-`),
								[]byte(`"agent_did": "did:web:agenT-`), 1)
						})
					},
				}
			})
		})
	}
}
