package node

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/datadir"
)

// TestCopiedDirectory: a copy is named as one when it starts, and once more when its original is running.
func TestCopiedDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	first, err := upOn(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	for _, name := range []string{".beside", ".copy"} {
		if err := copyKept(dir, dir+name); err != nil {
			t.Fatal(err)
		}
	}
	if text := warned(t, dir+".beside"); !strings.Contains(text, "with the same key is running") ||
		!strings.Contains(text, fmt.Sprint("process ", os.Getpid())) || !strings.Contains(text, "this is a copy") {
		t.Errorf("a copy beside its original says %q", text)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"this is a copy", ""} { // the second time it is at home
		host, _ := os.Hostname()
		if text := warned(t, dir+".copy"); want == "" && strings.Contains(text, "copy") ||
			want != "" &&
				(!strings.Contains(text, want) || !strings.Contains(text, host) || !strings.Contains(text, dir)) {
			t.Errorf("the log says %q, want %q", text, want)
		}
	}
}

// warned starts a log, stops it, and returns what it warned of.
func warned(t *testing.T, dir string) string {
	t.Helper()
	var said bytes.Buffer
	n, err := Up(t.Context(), UpConfig{
		Plugins: withPlugins, Data: dir, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
		Logger: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	return said.String()
}

// TestEmptied: streams and mark that are gone do not make the log a new one under the old key.
func TestEmptied(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	n, err := upOn(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{datadir.DirNATS, datadir.FileMark} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err = upOn(t.Context(), dir); !errors.Is(err, datadir.ErrEmptied) {
		t.Errorf("a second log of one key: %v, want ErrEmptied", err)
	}
	if err == nil {
		n.Close()
	}
}
