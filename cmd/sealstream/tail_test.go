package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// TestTailFollows: what comes is shown once and in order, though the connection is cut again and
// again, and a signal ends it.
func TestTailFollows(t *testing.T) {
	n := upWith(t)
	to, err := url.Parse(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
	}, FlushInterval: -1})
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	proxy.Config.ConnState = func(c net.Conn, s http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		open[c] = true
	}
	proxy.Start()
	defer proxy.Close()
	cut := func() {
		mu.Lock()
		defer mu.Unlock()
		for c := range open {
			c.Close()
			delete(open, c)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	done := make(chan int)
	var told bytes.Buffer
	go func() {
		code := run(ctx,
			[]string{"tail", "-f", "-n", "2", "--type", "beat", "--type", "policy_evaluation", "--json", "--server",
				proxy.URL}, nil, writer, &told)
		writer.Close()
		done <- code
	}()
	lines := bufio.NewScanner(reader)
	last, ids := -1, []string{}
	next := func() {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the tail has ended: %v", lines.Err())
		}
		var e struct {
			Index   int
			EntryID string `json:"entry_id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Index <= last {
			t.Fatalf("after index %d: %s %v", last, lines.Bytes(), err)
		}
		last, ids = e.Index, append(ids, e.EntryID)
	}
	next()
	next()
	for i := range 12 {
		if i%3 == 1 {
			cut()
		}
		if _, errs, code := call(t.Context(), n, "log", "--agent", "a", "--type", "beat", "--id",
			fmt.Sprint(i)); code != 0 {
			t.Fatal(errs)
		}
		if i%3 != 1 { // what was recorded while the connection was away comes too
			for len(ids) < 2+i+1 {
				next()
			}
		}
	}
	for i, id := range ids[2:] {
		if id != fmt.Sprint(i) {
			t.Fatalf("%v", ids)
		}
	}
	cancel()
	go io.Copy(io.Discard, reader)
	if code := <-done; code != 0 {
		t.Errorf("exit %d", code)
	}
	for line := range strings.Lines(told.String()) {
		if !strings.HasPrefix(line, "sealstream: the connection was lost, retrying: ") {
			t.Errorf("told: %s", line)
		}
	}
	if n := strings.Count(told.String(), "\n"); n < 1 || n > 4 { // once for each time it was cut
		t.Errorf("told %d times: %s", n, &told)
	}
}
