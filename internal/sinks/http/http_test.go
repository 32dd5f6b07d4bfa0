package httpsink_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

// particular is a receiver that answers as refuse says, and else takes what it gets.
type particular struct {
	mu       sync.Mutex
	refuse   func(w http.ResponseWriter, body []byte, events int) bool
	requests int
	taken    map[string]int // by index
}

func (p *particular) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	var batch []struct {
		Index string `json:"sealindex"`
	}
	if err := json.Unmarshal(body, &batch); err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	if p.refuse(w, body, len(batch)) {
		return
	}
	for _, e := range batch {
		p.taken[e.Index]++
	}
}

// TestHTTPSmaller: a receiver that takes only small requests, by bytes or by events, whichever way it says so, gets
// every entry, and the next ones without asking anew.
func TestHTTPSmaller(t *testing.T) {
	status := func(code int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(code) }
	}
	cut := func(w http.ResponseWriter) { panic(http.ErrAbortHandler) }
	for name, c := range map[string]struct {
		tooMany func(body []byte, events int) bool
		refuse  func(http.ResponseWriter)
	}{
		"413 beyond 20,000 bytes":  {func(b []byte, _ int) bool { return len(b) > 20_000 }, status(413)},
		"413 beyond 10 events":     {func(_ []byte, n int) bool { return n > 10 }, status(413)},
		"400 beyond 1 event":       {func(_ []byte, n int) bool { return n > 1 }, status(400)},
		"422 beyond 7 events":      {func(_ []byte, n int) bool { return n > 7 }, status(422)},
		"500 beyond 20,000 bytes":  {func(b []byte, _ int) bool { return len(b) > 20_000 }, status(500)},
		"403 beyond 20,000 bytes":  {func(b []byte, _ int) bool { return len(b) > 20_000 }, status(403)},
		"404 beyond 20,000 bytes":  {func(b []byte, _ int) bool { return len(b) > 20_000 }, status(404)},
		"502 beyond 7 events":      {func(_ []byte, n int) bool { return n > 7 }, status(502)},
		"520 beyond 7 events":      {func(_ []byte, n int) bool { return n > 7 }, status(520)},
		"504 beyond 50 events":     {func(_ []byte, n int) bool { return n > 50 }, status(504)},
		"broken off beyond 50":     {func(_ []byte, n int) bool { return n > 50 }, cut},
		"an error inside beyond 3": {func(_ []byte, n int) bool { return n > 3 }, func(w http.ResponseWriter) { fmt.Fprint(w, `{"errors":true}`) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := &particular{taken: map[string]int{}}
			got.refuse = func(w http.ResponseWriter, body []byte, events int) bool {
				if c.tooMany(body, events) {
					c.refuse(w)
					return true
				}
				return false
			}
			web := httptest.NewServer(got)
			defer web.Close()
			f := logtest.Memory(t)
			size := f.Grow(200)
			r := follow(f, web.URL, 0)
			stop := logtest.Run(f, "sink", r.Run)
			defer stop()
			logtest.Until(f, "the receiver", func() bool { return r.Status().Next == size })
			got.mu.Lock()
			defer got.mu.Unlock()
			if len(got.taken) != int(size) {
				t.Fatalf("%d entries of %d", len(got.taken), size)
			}
			for index, n := range got.taken {
				if n != 1 {
					t.Errorf("index %s was taken %d times", index, n)
				}
			}
		})
	}
}

// TestHTTPTooSlow: a receiver that does not come to the end of large requests in time gets smaller ones.
func TestHTTPTooSlow(t *testing.T) {
	got := &particular{taken: map[string]int{}}
	got.refuse = func(_ http.ResponseWriter, _ []byte, events int) bool {
		time.Sleep(time.Duration(events) * 5 * time.Millisecond)
		return false
	}
	web := httptest.NewServer(got)
	defer web.Close()
	f := logtest.Memory(t)
	size := f.Grow(100)
	r := follow(f, web.URL, 200*time.Millisecond)
	stop := logtest.Run(f, "sink", r.Run)
	defer stop()
	logtest.Until(f, "the receiver", func() bool { return r.Status().Next == size })
}

// TestHTTPOneTooLarge: what is refused alone is told with its index, and does not go round in circles.
func TestHTTPOneTooLarge(t *testing.T) {
	got := &particular{taken: map[string]int{}}
	got.refuse = func(w http.ResponseWriter, body []byte, _ int) bool {
		if strings.Contains(string(body), `"sealindex":"7"`) {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return true
		}
		return false
	}
	web := httptest.NewServer(got)
	defer web.Close()
	err := openURL(t, web.URL).Write(t.Context(), sinktest.Records(30, 1))
	if err == nil || !strings.Contains(err.Error(), "index 7 alone") || len(got.taken) != 7 || got.requests > 20 {
		t.Fatalf("%d requests, %d taken: %v", got.requests, len(got.taken), err)
	}
}

// TestHTTPErrorInside: a 2xx whose body says that something was refused does not acknowledge; one that says
// that nothing was does.
func TestHTTPErrorInside(t *testing.T) {
	for body, ok := range map[string]bool{
		``: true, `ok`: true, `{}`: true, `[]`: true, `null`: true, `{"ok":true}`: true, `{"errors":false,"items":[{"index":{"status":201}}]}`: true,
		`{"success":true,"error":null}`: true, `{"error":""}`: true, `{"errors":[]}`: true, `{"text":"Success","code":0}`: true, `{"status":"success"}`: true,
		`{"status":200}`: true, `{"accepted":3,"rejected":0}`: true, `{"FailedRecordCount":0}`: true, `{"partialSuccess":{}}`: true,
		`{"partialSuccess":{"rejectedLogRecords":"0"}}`: true, `{"receipts":[{"status":"stored","input_seq":9}]}`: true,
		`[{"specversion":"1.0","id":"1","status":"failed","error":"x"}]`: true, // the events, sent back
		`<html>ok</html>`: true, `{"offsets":[{"partition":0,"offset":1,"error_code":null,"error":null}]}`: true, `{"success":null}`: true,
		`{"ingested":2,"failed":0,"failures":[]}`: true, `[{"status":202},{"status":202}]`: true, `{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`: true,

		`{"errors":true,"items":[]}`: false, `{"errors":[{"message":"no"}]}`: false, `{"error":"no"}`: false, `{"error":{"code":3}}`: false, `{"ok":false}`: false,
		`{"success":false}`: false, `{"status":"error"}`: false, `{"status":500}`: false, `{"statusCode":403}`: false, `{"code":401,"message":"no"}`: false,
		`{"accepted":1,"rejected":2}`: false, `{"FailedRecordCount":1}`: false, `{"failed":["1"]}`: false, "\n {\"result\":\"failure\"}": false,
		`{"partialSuccess":{"rejectedLogRecords":"3"}}`: false, `{"partial_success":{"rejected_log_records":3}}`: false,
		`{"receipts":[{"status":"stored"},{"status":"rejected","error":{"reason":"no"}}]}`: false, `[{"ok":true},{"ok":false}]`: false,
		`{"offsets":[{"offset":1},{"error_code":2,"error":"full"}]}`: false, `{"success":"false"}`: false, `{"requestId":"1","errorMessage":"no"}`: false,
		`[{"status":202},{"status":400,"error":"no"}]`: false, `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"ThrottlingException"}]}`: false,
	} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, body)
		}))
		err := openURL(t, web.URL).Write(t.Context(), sinktest.Records(2, 1))
		web.Close()
		if (err == nil) != ok {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// TestHTTPRedirect: a redirect is told with where it leads, and without what may be secret of it.
func TestHTTPRedirect(t *testing.T) {
	for location, want := range map[string]string{
		"https://siem.example.com/in?key=hidden": "https://siem.example.com", "/hidden": "another path",
	} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusPermanentRedirect)
		}))
		err := openURL(t, web.URL).Write(t.Context(), sinktest.Records(2, 1))
		web.Close()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%v", err)
		}
	}
}

// TestHTTPInClear: a token or password goes over http to the loopback alone, unless that is asked for.
func TestHTTPInClear(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for url, ok := range map[string]bool{
		"http://siem.example.com/in":                                           true,
		"http://siem.example.com/in?token_file=" + token:                       false,
		"http://10.0.0.1/in?token_file=" + token:                               false,
		"http://localhost.example.com/in?token_file=" + token:                  false,
		"http://127.0.0.1.example.com/in?token_file=" + token:                  false,
		"http://user:s3cret@siem.example.com/in":                               false,
		"http://s3cret@siem.example.com/in":                                    false,
		"https://siem.example.com/in?token_file=" + token:                      true,
		"https://user:s3cret@siem.example.com/in":                              true,
		"http://127.0.0.1:80/in?token_file=" + token:                           true,
		"http://127.9.9.9/in?token_file=" + token:                              true,
		"http://[::1]:80/in?token_file=" + token:                               true,
		"http://localhost/in?token_file=" + token:                              true,
		"http://siem.example.com/in?allow_http=yes&token_file=" + token:        true,
		"http://user:s3cret@siem.example.com/in?allow_http=yes":                true,
		"http://siem.example.com/in?allow_http=maybe&token_file=" + token:      false,
		"http://siem.example.com/in?token_file=" + filepath.Dir(token) + "/no": false,
	} {
		_, err := schemes.Parse(url)
		if (err == nil) != ok || strings.Contains(fmt.Sprint(err), "s3cret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// TestHTTPTokenChanged: a token that was replaced in its file is used after the next failure.
func TestHTTPTokenChanged(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer new" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer web.Close()
	f := logtest.Memory(t)
	size := f.Grow(3)
	r := follow(f, web.URL+"?token_file="+token, 0)
	stop := logtest.Run(f, "sink", r.Run)
	defer stop()
	logtest.Until(f, "a refusal", func() bool { return r.Status().Failures > 0 })
	if err := os.WriteFile(token, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	logtest.Until(f, "the receiver", func() bool { return r.Status().Next == size })
}

// TestHTTPEcho: a receiver that repeats the request's path, parameters or token does not bring them into the error.
func TestHTTPEcho(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{200, 207, 302, 404} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"error":"cannot %s %s with %s"}`, r.Method, r.URL.RequestURI(),
				r.Header.Get("Authorization"))
		}))
		err := openURL(t, web.URL+"/services/s3cret-path?key=s3cret-key&token_file="+token).Write(t.Context(),
			sinktest.Records(2, 1))
		web.Close()
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%d: %v", status, err)
		}
	}
}
