package query_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
)

// narrow is a listener whose connections hold little, so that a reader that takes nothing is noticed soon.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(64 << 10)
	}
	return c, err
}

// narrowly serves the API on connections that hold little.
func (f *fixture) narrowly() {
	f.Helper()
	f.server = httptest.NewUnstartedServer(f.q.Handler())
	f.server.Listener = narrow{f.server.Listener}
	f.server.Start()
	f.Cleanup(f.server.Close)
}

// export begins an export from a local address, and reads its head alone.
func (f *fixture) begin(from string, header ...string) (net.Conn, *bufio.Reader, *http.Response) {
	f.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(f.Context(), "tcp", f.server.Listener.Addr().String())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close() })
	if err := c.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		f.Fatal(err)
	}
	fmt.Fprintf(c, "GET /v1/export HTTP/1.1\r\nHost: localhost\r\n%s\r\n", strings.Join(append(header, ""), "\r\n"))
	r := bufio.NewReaderSize(c, 512)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		f.Fatal(err)
	}
	return c, r, res
}

// manyBytes is a log whose export is far larger than what a connection holds.
func manyBytes(t *testing.T, cfg query.Config) *fixture {
	f := newFixture(t)
	f.publishAll(tau(t, 600), 100)
	cfg.Log, cfg.Keys = f.log, []string{f.key}
	f.serve(cfg)
	f.await()
	if n := len(f.export(nil)); n < 1<<20 {
		t.Fatalf("%d bytes", n)
	}
	return f
}

// TestExportPlacesPerClient: whoever takes nothing of his exports keeps others from theirs neither
// by number nor for long.
func TestExportPlacesPerClient(t *testing.T) {
	f := manyBytes(t, query.Config{MaxExports: 4})
	query.SetExportPace(f.q, time.Minute, 300*time.Millisecond)
	f.narrowly()
	for _, via := range []string{"", "X-Forwarded-For: 10.0.0.9"} {
		for range 2 {
			if _, _, res := f.begin("127.0.0.1", header(via)...); res.StatusCode != 200 {
				t.Fatal(res.Status)
			}
		}
	}
	// Four stand still. Whoever comes now gets a place of one of them, as soon as it has stood still for a while.
	for _, from := range []string{"127.0.0.2", "127.0.0.1"} {
		logtest.Until(f, "an export from "+from+" is served", func() bool {
			_, r, res := f.begin(from)
			if res.StatusCode == 503 && res.Header.Get("Retry-After") == "1" {
				return false
			}
			if n, err := io.Copy(io.Discard, res.Body); err != nil || n < 1<<20 {
				t.Fatalf("%s: %s, %d bytes, %v", from, res.Status, n, err)
			}
			return r != nil
		})
	}
}

func header(line string) []string {
	if line == "" {
		return nil
	}
	return []string{line}
}

// TestExportPlacesOfOne: no client has more than half of the places, though all of its exports go on.
func TestExportPlacesOfOne(t *testing.T) {
	f := manyBytes(t, query.Config{MaxExports: 4})
	query.SetExportPace(f.q, time.Minute, time.Minute)
	f.narrowly()
	for range 2 {
		if _, _, res := f.begin("127.0.0.1"); res.StatusCode != 200 {
			t.Fatal(res.Status)
		}
	}
	_, _, res := f.begin("127.0.0.1")
	if body, _ := io.ReadAll(res.Body); res.StatusCode != 503 ||
		!strings.Contains(string(body), "2 of them are yours") {
		t.Fatalf("%s %.200s", res.Status, body)
	}
	for range 2 {
		if _, _, res := f.begin("127.0.0.2"); res.StatusCode != 200 {
			t.Fatal(res.Status)
		}
	}
	if _, _, res := f.begin("127.0.0.3"); res.StatusCode != 503 {
		t.Fatal(res.Status)
	}
}

// TestExportFloor: a reader that takes less than it must is cut off, one that takes enough is not,
// however long it takes.
func TestExportFloor(t *testing.T) {
	f := manyBytes(t, query.Config{})
	query.SetExportPace(f.q, 500*time.Millisecond, time.Minute)
	f.narrowly()
	for name, c := range map[string]struct {
		bytes int64 // taken at a time, a hundred times a second
		whole bool
	}{"nothing": {0, false}, "a trickle": {20, false}, "enough": {12_000, true}} {
		t.Run(name, func(t *testing.T) {
			_, _, res := f.begin("127.0.0.1")
			if res.StatusCode != 200 {
				t.Fatal(res.Status)
			}
			n, err := int64(0), error(nil)
			for range 150 {
				var took int64
				took, err = io.CopyN(io.Discard, res.Body, c.bytes)
				if n += took; c.whole && err == io.EOF {
					err = nil
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if err == nil {
				var rest int64
				rest, err = io.Copy(io.Discard, res.Body)
				n += rest
			}
			if whole := err == nil && n > 1<<20; whole != c.whole {
				t.Fatalf("%d bytes, %v", n, err)
			}
		})
	}
}
