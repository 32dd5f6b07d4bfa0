package httpsink_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/sinks/http"
	"github.com/sealstream/sealstream/internal/sinks/run"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

var schemes = sink.Schemes{"http": httpsink.Scheme, "https": httpsink.Scheme}

// openURL opens the sink of a URL.
func openURL(t *testing.T, url string) sink.Sink {
	t.Helper()
	spec, err := schemes.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	k, err := spec.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// follow makes a runner that writes a log to a URL.
func follow(l *logtest.Fixture, url string, wait time.Duration) *sinkrun.Runner {
	l.Helper()
	spec, err := schemes.Parse(url)
	if err != nil {
		l.Fatal(err)
	}
	r, err := sinkrun.New(sinkrun.Config{
		Log: l.Store, Keys: []string{l.Key}, Sink: spec, Wait: wait, Pause: 5 * time.Millisecond, Batch: 100,
	})
	if err != nil {
		l.Fatal(err)
	}
	return r
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

// TestHTTP: a receiver that refuses now and then gets each entry in the end, in order, and is asked
// at the URL that was given.
func TestHTTP(t *testing.T) {
	got := &receiver{}
	web := httptest.NewServer(got)
	defer web.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := logtest.Memory(t)
	size := f.Grow(600)
	r := follow(f, web.URL+"/in?tenant=7&token_file="+token+"&name=siem", 0)
	stop := logtest.Run(f, "sink", r.Run)
	logtest.Until(f, "the receiver", func() bool { return r.Status().Next == size })
	stop()
	got.mu.Lock()
	defer got.mu.Unlock()
	if len(got.indexes) != int(size) || got.auth != "Bearer s3cret" || got.query != "tenant=7" ||
		!strings.HasPrefix(got.kind, "application/cloudevents-batch+json") {
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
	for code, ok := range map[int]bool{
		200: true, 202: true, 204: true, 301: false, 307: false, 400: false, 413: false, 429: false, 500: false,
	} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
		}))
		err := openURL(t, web.URL+"/?key=hidden").Write(t.Context(), sinktest.Records(2, 1))
		web.Close()
		if (err == nil) != ok || strings.Contains(fmt.Sprint(err), "hidden") {
			t.Errorf("%d: %v", code, err)
		}
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
		err := openURL(t, web.URL).Write(t.Context(), sinktest.Records(600, 1))
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
