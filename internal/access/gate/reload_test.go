package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/health"
)

// stream opens a stream. The result is what it ends with.
func (f *fixture) stream(bearer string, quiet bool) <-chan string {
	f.t.Helper()
	before := f.opened.Load()
	r, err := http.NewRequestWithContext(f.t.Context(), "GET", f.server.URL+"/v1/stream", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	if quiet {
		r.Header.Set("Quiet", "1")
	}
	resp, err := f.server.Client().Do(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		f.t.Fatal(resp, err)
	}
	f.wait("the stream does not begin", func() bool { return f.opened.Load() > before })
	ended := make(chan string, 1)
	go func() {
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		ended <- string(b)
	}()
	return ended
}

// TestT33Revocation: a change of the file ends the streams whose callers may not go on, and those alone. A
// broken file changes nothing, and is reported. T33.
func TestT33Revocation(t *testing.T) {
	full := map[string]string{"a": "read: all", "b": "read: all"}
	f := newFixture(t, text(t, full), nil)
	f.run()
	a, b := f.stream(token("a"), false), f.stream(token("b"), false)
	before := f.Version()
	f.write([]byte("identities: [{id: a, may: {raed: all}}]"))
	f.wait("a broken file is not reported", func() bool { return f.board.State(condition) == health.Warning })
	if status, _, _ := f.get("GET", "/v1/entries", token("a")); status != http.StatusOK || f.Version() != before {
		t.Errorf("a broken file has changed the rules: %d", status)
	}
	if text := f.board.List()[0].Text; !strings.Contains(text, "raed: no such setting") {
		t.Errorf("the condition does not say what is wrong: %s", text)
	}
	started := time.Now()
	f.apply(text(t, map[string]string{"b": "read: all"}))
	if got := <-a; got != "" && got != access.ErrUnknown.Error() || time.Since(started) > time.Second {
		t.Errorf("the stream of a revoked token: %q after %v", got, time.Since(started))
	}
	if f.board.State(condition) != health.OK {
		t.Error("the condition stays")
	}
	if status, _, _ := f.get("GET", "/v1/entries", token("a")); status != http.StatusUnauthorized {
		t.Errorf("a revoked token: %d", status)
	}
	f.apply(text(t, map[string]string{"b": "read: all, export: true"}))
	if got := <-b; got != "" && got != ErrChanged.Error() { // or the write was cut off
		t.Errorf("the stream of changed rights: %q", got)
	}
	same := f.stream(token("b"), false)
	f.apply(text(t, map[string]string{"b": "read: all, export: true", "c": ""}))
	select {
	case got := <-same:
		t.Errorf("a stream whose rights are the same has ended: %q", got)
	default:
	}
	f.server.CloseClientConnections()
	<-same
}

// TestExpiry: a stream ends when its token expires, also when nobody reads it.
func TestExpiry(t *testing.T) {
	at := time.Now().Add(1100 * time.Millisecond).UTC().Truncate(time.Second).Add(time.Second)
	f := newFixture(t, text(t, map[string]string{"a": "read: all until " + at.Format(time.RFC3339)}), nil)
	if got := <-f.stream(token("a"), true); got != "" || time.Until(at) > 0 || time.Since(at) > time.Second {
		t.Errorf("%q, %v after its end", got, time.Since(at))
	}
	if status, body, _ := f.get("GET", "/v1/entries", token("a")); status != 401 || !strings.Contains(body, "expired") {
		t.Errorf("%d %s", status, body)
	}
}

// TestAnnounce: a version is in force only when it is sealed. Until then the one before decides,
// and before the first nobody is let in.
func TestAnnounce(t *testing.T) {
	var sealed sync.Map
	var down atomic.Bool
	down.Store(true)
	var n atomic.Uint64
	f := newFixture(t, text(t, map[string]string{"a": "read: all"}), func(cfg *Config) {
		cfg.Announce = func(_ context.Context, text []byte) (*uint64, error) {
			if down.Load() {
				return nil, errors.New("no sealer")
			}
			index := n.Add(1)
			sealed.Store(string(text), index)
			return &index, nil
		}
	})
	status, body, _ := f.get("GET", "/v1/entries", token("a"))
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "not in force") {
		t.Errorf("before the first version: %d %s", status, body)
	}
	if status, _, _ := f.get("GET", "/healthz", ""); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
	f.run()
	f.wait("a failure is not reported", func() bool { return f.board.State(condition) == health.Warning })
	down.Store(false)
	f.wait("the first version does not come into force", func() bool { return f.Version() != nil })
	if *f.Version().Entry != 1 || f.board.State(condition) != health.OK {
		t.Error("the entry is not known")
	}
	down.Store(true)
	next := text(t, map[string]string{"b": "read: all"})
	f.write(next)
	f.wait("a failure is not reported", func() bool { return f.board.State(condition) == health.Warning })
	if status, _, _ := f.get("GET", "/v1/entries", token("a")); status != http.StatusOK {
		t.Errorf("what is not sealed is in force: %d", status)
	}
	down.Store(false)
	f.wait("the second version does not come into force", func() bool { return *f.Version().Entry == 2 })
	if index, ok := sealed.Load(string(next)); !ok || index != uint64(2) {
		t.Errorf("%v", index)
	}
}

// TestAnnounceUncertain: a version whose announcement failed may be in the log all the same. If its
// file is withdrawn, the version in force is announced again, so that the log does not name rules
// that nobody judges by.
func TestAnnounceUncertain(t *testing.T) {
	first := text(t, map[string]string{"a": "read: all"})
	var mu sync.Mutex
	var log []string
	newest := func() (n int, text string) {
		mu.Lock()
		defer mu.Unlock()
		if len(log) == 0 {
			return 0, ""
		}
		return len(log), log[len(log)-1]
	}
	f := newFixture(t, first, func(cfg *Config) {
		cfg.Announce = func(_ context.Context, text []byte) (*uint64, error) {
			mu.Lock()
			defer mu.Unlock()
			index := uint64(len(log))
			if log = append(log, string(text)); string(text) != string(first) {
				return nil, errors.New("no answer")
			}
			return &index, nil
		}
	})
	f.run()
	f.wait("the first version does not come into force", func() bool { return f.Version() != nil })
	for _, withdrawn := range [][]byte{first, []byte("identites: []")} {
		next := text(t, map[string]string{"b": "read: all"})
		f.write(next)
		f.wait("the next version is not announced", func() bool { _, text := newest(); return text == string(next) })
		f.write(withdrawn)
		f.wait("the log names rules that are not in force", func() bool { _, text := newest(); return text == string(first) })
		f.wait("the entry is not known", func() bool { n, _ := newest(); return *f.Version().Entry == uint64(n-1) })
	}
	f.wait("the broken file is not reported", func() bool { return f.board.State(condition) == health.Warning })
	if status, _, _ := f.get("GET", "/v1/entries", token("a")); status != http.StatusOK {
		t.Errorf("the first version is not in force: %d", status)
	}
}

// TestChangesUnderLoad changes the file 1,000 times, every third time to something broken, while
// requests come in. Each request is judged by one whole version, and each version that judged one
// was announced before. Version n allows publishing as v<n> and reading of v<n>.
func TestChangesUnderLoad(t *testing.T) {
	const changes = 1000
	rules := func(n int) []byte {
		return fmt.Appendf(nil,
			"identities: [{id: a, tokens: [{name: t, sha256: %x}], may: {publish: [v%d], read: [v%d]}}]",
			access.HashToken(token("a")), n, n)
	}
	var announced sync.Map
	f := newFixture(t, rules(0), func(cfg *Config) {
		cfg.Announce = func(_ context.Context, text []byte) (*uint64, error) {
			v, err := cfg.Parse("", text)
			if err == nil {
				announced.Store(v.Identity("a").Grants.Read[0], true)
			}
			return nil, err
		}
	})
	f.look(t.Context(), time.Now())
	stop := make(chan struct{})
	var judged atomic.Int64
	h := f.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c := access.From(r.Context())
		agent := c.Grants().Publish[0]
		_, ok := announced.Load(agent)
		if !ok || !c.Sees(agent) || !c.MayPublish(agent) || c.Version().Identity("a").Grants.Read[0] != agent {
			t.Errorf("%s: judged by parts of versions, or by one that was not announced", agent)
		}
		judged.Add(1)
	}))
	var load sync.WaitGroup
	load.Go(func() {
		r, _ := http.NewRequest("POST", "/v1/events", nil)
		r.Header.Set("Authorization", "Bearer "+token("a"))
		for {
			select {
			case <-stop:
				return
			default:
				h.ServeHTTP(discard{}, r)
			}
		}
	})
	for n := 1; n <= changes; n++ {
		good := rules(n)
		if n%3 == 0 {
			f.write(good[:len(good)-n%40-1])
		} else {
			f.write(good)
		}
		f.look(t.Context(), time.Now())
		f.look(t.Context(), time.Now())
		want := fmt.Sprint("v", n-map[bool]int{true: 1, false: 0}[n%3 == 0])
		if got := f.Version().Identity("a").Grants.Read[0]; got != want {
			t.Fatalf("change %d: %s is in force, want %s", n, got, want)
		}
	}
	close(stop)
	load.Wait()
	if s := f.Stats(); s.Versions != 1+changes-changes/3 || s.Broken != changes/3 || judged.Load() == 0 {
		t.Errorf("%+v, %d requests", s, judged.Load())
	}
	t.Logf("%d changes, %d requests", changes, judged.Load())
}

// discard is an answer that nobody reads.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// TestHalfWritten: a file that grows while it is read does not come into force half.
func TestHalfWritten(t *testing.T) {
	f := newFixture(t, text(t, map[string]string{"a": "read: all"}), nil)
	whole := text(t, map[string]string{"b": "read: all", "c": "read: all"})
	half := whole[:bytes.LastIndexByte(whole[:len(whole)-1], '\n')+1]
	before := f.Version()
	f.write(half)
	f.look(t.Context(), time.Now())
	f.write(whole)
	f.look(t.Context(), time.Now())
	if f.Version() != before {
		t.Error("half of the file is in force")
	}
	f.look(t.Context(), time.Now())
	if f.Version() == before || f.Version().Identity("c") == nil || f.Version().Identity("b") == nil {
		t.Error("the whole file is not in force")
	}
}

// TestShorterExpiry: a running stream ends when the expiry that is in force by then has come.
func TestShorterExpiry(t *testing.T) {
	f := newFixture(t, text(t, map[string]string{"a": "read: all until 2099-01-01T00:00:00Z"}), nil)
	f.run()
	ended := f.stream(token("a"), false)
	f.apply(text(t, map[string]string{"a": "read: all until 2098-01-01T00:00:00Z"}))
	select {
	case <-ended: // the client connects again, under the new expiry
	case <-time.After(5 * time.Second):
		t.Error("the stream goes on until the expiry of before")
	}
	f.server.CloseClientConnections()
}

// TestT44PublicPaths: wrong JWTs are counted where anybody may ask, too.
func TestT44PublicPaths(t *testing.T) {
	checked := 0
	rules := []byte("issuers: [{url: 'https://i.example', audience: x}]\nidentities: [{id: a, may: {read: all}}]")
	f := newFixture(t, rules, func(cfg *Config) {
		cfg.VerifyJWT = func(context.Context, []access.Issuer, string) (access.Credential, error) {
			checked++
			return access.Credential{}, access.ErrUnknown
		}
	})
	for range maxGuesses + 1 {
		if status, _, _ := f.get("GET", "/healthz", "a.b.c"); status != 200 {
			t.Fatal(status)
		}
	}
	if !f.guesses.add("127.0.0.1:1", time.Now()) {
		t.Errorf("%d signatures of wrong JWTs were checked, and none was counted", checked)
	}
}
