package sink_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

// openURL opens the sink of a URL.
func openURL(t *testing.T, s sink.Schemes, url string) sink.Sink {
	t.Helper()
	spec, err := s.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	k, err := spec.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestStdout: a line an entry, its names sorted (case 46 of pkg/cases_test.go).
func TestStdout(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Place {
		return sinktest.Place{Deaf: true, Shared: true, Open: func(context.Context) (sink.Sink, error) {
			return openURL(t, sink.Schemes{"stdout": sink.Lines(io.Discard)}, "stdout:"), nil
		}}
	})
	var out bytes.Buffer
	list := sinktest.Records(20, 1)
	if err := openURL(t, sink.Schemes{"stdout": sink.Lines(&out)}, "stdout:").Write(t.Context(), list); err != nil {
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
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Index != uint64(i) || m.Hash != list[i].Entry.EntryHash {
			t.Fatalf("%s: %v", line, err)
		}
	}
	if !strings.Contains(out.String(), "\u00fc") || strings.Contains(out.String(), `\u003c`) {
		t.Fatal("text is not verbatim")
	}
}

// receiver takes CloudEvents batches, and refuses each second request.
type receiver struct {
	mu      sync.Mutex
	n       int
	indexes []string
	auth    string
	query   string
	kind    string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n++; r.n%2 == 0 {
		http.Error(w, "come again", http.StatusServiceUnavailable)
		return
	}
	r.auth, r.query, r.kind = req.Header.Get("Authorization"), req.URL.RawQuery, req.Header.Get("Content-Type")
	var batch []struct {
		Spec  string `json:"specversion"`
		Type  string `json:"type"`
		Index string `json:"sealindex"`
	}
	if err := json.NewDecoder(req.Body).Decode(&batch); err != nil || len(batch) == 0 || len(batch) > 256 {
		http.Error(w, fmt.Sprint(len(batch), err), http.StatusBadRequest)
		return
	}
	for _, e := range batch {
		if e.Spec != "1.0" || !strings.HasPrefix(e.Type, "sealstream.replay.") {
			http.Error(w, e.Type, http.StatusBadRequest)
		}
		if !slices.Contains(r.indexes, e.Index) {
			r.indexes = append(r.indexes, e.Index)
		}
	}
	w.WriteHeader(http.StatusAccepted)
}

// TestHTTP: a receiver that refuses now and then gets each entry in the end, in order, and is asked at the URL that was given.
func TestHTTP(t *testing.T) {
	got := &receiver{}
	web := httptest.NewServer(got)
	defer web.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	spec, err := sink.Schemes{"http": sink.HTTP}.Parse(web.URL + "/in?tenant=7&token_file=" + token + "&name=siem")
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t)
	size := f.seal(600)
	r := f.runner(spec.Open)
	stop := f.run(r.Run)
	f.until("the receiver", func() bool { return r.Status().Next == size })
	stop()
	got.mu.Lock()
	defer got.mu.Unlock()
	if len(got.indexes) != int(size) || got.auth != "Bearer s3cret" || got.query != "tenant=7" || !strings.HasPrefix(got.kind, "application/cloudevents-batch+json") {
		t.Fatalf("%d entries of %d, %q, %q, %q", len(got.indexes), size, got.auth, got.query, got.kind)
	}
	for i, index := range got.indexes {
		if index != fmt.Sprint(i) {
			t.Fatalf("index %s at place %d", index, i)
		}
	}
	if r.Status().Failures == 0 {
		t.Fatal("nothing was refused")
	}
}

// TestHTTPAnswers: nothing but 2xx acknowledges, and no redirection is followed.
func TestHTTPAnswers(t *testing.T) {
	for code, ok := range map[int]bool{200: true, 202: true, 204: true, 301: false, 307: false, 400: false, 413: false, 429: false, 500: false} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
		}))
		err := openURL(t, sink.Schemes{"http": sink.HTTP}, web.URL+"/?key=hidden").Write(t.Context(), sinktest.Records(2, 1))
		web.Close()
		if (err == nil) != ok || strings.Contains(fmt.Sprint(err), "hidden") {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// TestParts: an outlet that takes only a part of what it is given has all entries in the end, and each once.
func TestParts(t *testing.T) {
	f := newFixture(t)
	size := f.seal(300)
	var got []uint64
	r := f.runner(func(context.Context) (sink.Sink, error) {
		return sink.NewOutlet(func(_ context.Context, records []sink.Record) error {
			n := min(len(records), 20)
			for i := range records[:n] {
				got = append(got, records[i].Entry.Index)
			}
			if n < len(records) {
				return sink.Part(n, errors.New("the time is over"))
			}
			return nil
		}, nil), nil
	})
	stop := f.run(r.Run)
	f.until("the outlet", func() bool { return r.Status().Next == size })
	stop()
	for i, index := range got {
		if index != uint64(i) {
			t.Fatalf("index %d at place %d", index, i)
		}
	}
	if s := r.Status(); len(got) != int(size) || s.Written != size || s.Failures == 0 {
		t.Fatalf("%d of %d, %+v", len(got), size, s)
	}
}

// TestHTTPPart: of a batch that needs several requests, the error tells how many entries were acknowledged.
func TestHTTPPart(t *testing.T) {
	for refused, want := range []int{0, 256, 512} {
		n := 0
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n++; n == refused+1 {
				w.WriteHeader(http.StatusGatewayTimeout)
			}
		}))
		err := openURL(t, sink.Schemes{"http": sink.HTTP}, web.URL).Write(t.Context(), sinktest.Records(600, 1))
		web.Close()
		taken := 0
		if part, ok := errors.AsType[*sink.PartError](err); ok {
			taken = part.Taken
		}
		if err == nil || taken != want || n != refused+1 {
			t.Errorf("request %d refused: %v, of %d requests", refused+1, err, n)
		}
	}
}
