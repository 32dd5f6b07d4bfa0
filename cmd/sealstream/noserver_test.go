package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/proof"
)

// TestNoServer: every verb that asks a server says with exit status 2, and in one line, that there is
// none, that it cannot answer now, or that something else answers: nothing was checked, and so
// nothing has failed.
func TestNoServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	l.Close()
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "come again", http.StatusServiceUnavailable)
	}))
	defer busy.Close()
	closing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		panic(http.ErrAbortHandler)
	}))
	defer closing.Close()
	foreign := httptest.NewServer(http.FileServer(http.Dir(t.TempDir())))
	defer foreign.Close()
	greets := listenNATS(t)
	dir := t.TempDir()
	_, key, err := proof.GenerateKey("a.example.com", "default")
	if err != nil {
		t.Fatal(err)
	}
	events := filepath.Join(dir, "events.jsonl")
	if err := os.WriteFile(events, []byte(`{"specversion":"1.0","id":"a","source":"did:web:a","type":"t"}`+"\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", dir)
	t.Setenv("XDG_STATE_HOME", dir)
	for _, server := range []string{nobody, busy.URL, closing.URL, foreign.URL, greets} {
		for _, args := range [][]string{
			{"import", events}, {"query"}, {"get", "1"}, {"get", "x"}, {"tail"}, {"trace", "x"}, {"trace", "x", "--session"},
			{"replay"}, {"prove", "1"}, {"verify", server}, {"verify", server, "--key", key}, {"export", "--out", filepath.Join(dir, "e.jsonl")}, {"export", "--format", "tiles", filepath.Join(dir, "tiles")}, {"tail", "-f"},
			{"archive", "list"}, {"archive", "verify"}, {"checkpoint"}, {"alerts"}, {"alerts", "--dead"}, {"alerts", "--status"}, {"alerts", "--redeliver"},
			{"compliance", "verify"}, {"compliance", "verify", "--badge"}, {"compliance", "verify", "--report", filepath.Join(dir, "r.html")}, {"report"}, {"report", "--format", "html"},
			{"component", "declare", "--agent", "a", "--name", "n", "--component-version", "1", "--digest", "sha256:" + strings.Repeat("0", 64)}, {"component", "declare", "--agent", "did:web:a", "--not-applicable", "ASI06", "--reason", "r"}, {"log", "--agent", "a", "--type", "t"},
		} {
			for _, flags := range [][]string{nil, {"--json"}} {
				var out, errs bytes.Buffer
				all := append(append(append([]string{}, args...), "--server", server), flags...)
				if exit := run(t.Context(), all, strings.NewReader(""), &out, &errs); exit != 2 {
					t.Errorf("%s: exit %d, want 2\n%s%s", strings.Join(all, " "), exit, &out, &errs)
				}
				lines := strings.Count(errs.String(), "\n")
				if stopped := strings.HasPrefix(errs.String(), "stopped after 0 events"); stopped {
					lines-- // replay says in any case where to go on
				}
				if lines > 1 {
					t.Errorf("%s: more than a line: %s", strings.Join(all, " "), &errs)
				}
				sanitized := flags != nil && (args[0] == "compliance" || args[0] == "report")
				if (server == foreign.URL || server == greets) && !sanitized && !strings.Contains(out.String()+errs.String(),
					"no sealstream answers at "+server) {
					t.Errorf("%s: %s%s", strings.Join(all, " "), &out, &errs)
				}
				if told := errs.String(); flags == nil &&
					!strings.Contains(told, strings.TrimPrefix(server, "http://")) &&
					!strings.Contains(told, "come again") && !strings.Contains(told, "Service Unavailable") {
					t.Errorf("%s: %s%s", strings.Join(all, " "), &out, told)
				}
			}
		}
	}
}

// listenNATS returns the address of a server that speaks first, as NATS does.
func listenNATS(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.Write([]byte("INFO {\"server_id\":\"N\"}\r\n"))
				io.Copy(io.Discard, conn)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}
