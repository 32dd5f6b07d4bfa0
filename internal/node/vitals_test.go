package node

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/store"
)

// TestNearlyFull: each stream and bucket that comes near its limit is told of, twice, on every
// channel; and taken back when it has room again.
func TestNearlyFull(t *testing.T) {
	n := upForTest(t)
	record(t, n, 0, 50)
	await(t, n)
	js, err := jetstream.New(n.conn)
	if err != nil {
		t.Fatal(err)
	}
	log := n.pipeline.log
	for _, kv := range []store.KV{log.Head, log.Cursors} {
		if err := kv.Put(t.Context(), "other/x", make([]byte, 100<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Archive.Put(t.Context(), "other/x", strings.NewReader(strings.Repeat("x", 100<<10))); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "audit.default.alerts.other.x", make([]byte, 100<<10)); err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{
		"sealed": "SEALED_default", "payloads": "PAYLOADS_default", "head": "KV_HEAD", "cursors": "KV_CURSORS",
		"archive": "OBJ_ARCHIVE",
	}
	for _, c := range []struct {
		percent uint64
		state   health.State
	}{{85, health.Warning}, {96, health.Urgent}, {10, health.OK}} {
		for _, name := range parts {
			fillTo(t, js, name, c.percent)
		}
		begin := time.Now()
		for part := range parts {
			state := c.state
			// of so small a limit, what is left is too little for an event
			if state == health.Urgent && (part == "sealed" || part == "payloads") {
				state = health.Failing
			}
			awaitTold(t, n, begin, part, state, true)
		}
	}
	fillTo(t, js, "ALERTS_default", 85)
	awaitTold(t, n, time.Now(), "alerts", health.Warning, true)
	fillTo(t, js, "ALERTS_default", 99) // one more alert does not fit
	awaitTold(t, n, time.Now(), "alerts", health.Urgent, false)
	if status, page := pageOf(t, n, "/readyz"); status != http.StatusOK {
		t.Errorf("events are not accepted while ALERTS is full: %s", page.body)
	}
	_, list := fetch(n.http.Addr().String(), "/v1/alerts", map[string][]string{"type": {"log-condition"}})
	if got := strings.Count(string(list), `"condition":"head"`); got != 2 {
		t.Errorf("%d alerts of HEAD, want 2: %s", got, list)
	}
}

// fillTo gives a stream a limit of which it uses so many percent.
func fillTo(t *testing.T, js jetstream.JetStream, name string, percent uint64) {
	t.Helper()
	s, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxBytes = int64(s.CachedInfo().State.Bytes*100/percent) + 1
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// awaitTold wants a condition on the page, as a metric, by doctor and as an alert, within five seconds.
func awaitTold(t *testing.T, n *Node, begin time.Time, part string, state health.State, alert bool) {
	t.Helper()
	for {
		_, page := pageOf(t, n, "/readyz")
		_, list := fetch(n.http.Addr().String(), "/v1/alerts", map[string][]string{"type": {"log-condition"}})
		metric := scrape(t, n.http.Addr().String())[fmt.Sprintf("sealstream_condition{name=%q}", part)]
		alert = alert && state != health.OK &&
			!strings.Contains(string(list), fmt.Sprintf(`"condition":%q,"state":%q`, part, state))
		if page.state(part) == state.String() && metric == float64(state) && !alert &&
			doctorSays(t, n, part) == (state != health.OK) {
			return
		}
		if time.Since(begin) > 5*time.Second {
			t.Fatalf("%s is not told to be %s within 5 s: %s, %v; alerts %s", part, state, page.body, metric, list)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestStatedLimits: a limit that is stated at a later start is applied; one below what is stored is
// wrong use, and changes nothing.
func TestStatedLimits(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	for _, c := range []struct {
		stated, want settings.Bytes
		refused      bool
	}{
		{1 << 20, 1 << 20, false}, {8 << 20, 8 << 20, false}, {0, 8 << 20, false}, {1000, 8 << 20, true},
		{512 << 10, 512 << 10, false},
	} {
		n, err := Up(t.Context(), UpConfig{
			Plugins: withPlugins, Data: dir, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
			Streams: cluster.StreamFlags{SealedMaxBytes: c.stated},
		})
		if c.refused {
			if !errors.Is(err, settings.ErrInvalid) || !strings.Contains(err.Error(), "SEALED_default holds") {
				t.Errorf("%d: %v", c.stated, err)
			}
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		info, err := n.pipeline.log.Sealed.Info(t.Context())
		if err != nil || info.Limit != uint64(c.want) {
			t.Errorf("stated %d: the limit is %d, want %d: %v", c.stated, info.Limit, c.want, err)
		}
		record(t, n, 0, 3)
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
