package node

import (
	"github.com/sealstream/sealstream/internal/access/accessfile"
	"github.com/sealstream/sealstream/internal/alert/rulesfile"
	pgsink "github.com/sealstream/sealstream/internal/sinks/postgres"
	redactfile "github.com/sealstream/sealstream/pkg/redact/rulesfile"
	"github.com/sealstream/sealstream/pkg/sink"

	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/metrics"
	"github.com/sealstream/sealstream/internal/store"
)

// scrape reads /metrics: each series as it is written there, without the label of the log.
func scrape(t *testing.T, addr string) map[string]float64 {
	t.Helper()
	status, body := fetch(addr, "/metrics", nil)
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d %s", status, body)
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		n, err := strconv.ParseFloat(value[strings.LastIndex(value, " ")+1:], 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if strings.HasPrefix(series, "sealstream_") && !strings.Contains(series, `log="default"`) {
			t.Errorf("%s does not name its log", series)
		}
		for _, label := range []string{`{log="default"}`, `log="default",`, `,log="default"`} {
			series = strings.Replace(series, label, "", 1)
		}
		all[series] = n
	}
	return all
}

// expect waits until series have values: what is counted after an answer may come after it.
func expect(t *testing.T, addr string, want map[string]float64) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		all, wrong := scrape(t, addr), []string(nil)
		for series, n := range want {
			if have, there := all[series]; !there || have != n {
				wrong = append(wrong, fmt.Sprintf("%s is %v (there: %t), want %v", series, have, there, n))
			}
		}
		if wrong == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(strings.Join(wrong, "\n"))
		}
	}
}

// withPlugins are those of the programs.
var withPlugins = Plugins{
	Metrics:        func(log string) Metrics { return metrics.New(log) },
	Schemes:        sink.Schemes{"postgres": pgsink.Scheme},
	ParseAlerts:    rulesfile.Parse,
	ParseRedaction: redactfile.Parse,
	ParseAccess:    accessfile.Parse,
}

// TestMetrics: what happens shows, in figures that can be added up.
func TestMetrics(t *testing.T) {
	n := upForTest(t)
	addr := n.http.Addr().String()
	if _, err := receipts(addr, "sealed", airline()[:200]...); err != nil {
		t.Fatal(err)
	}
	bad := []byte(`{"specversion":"1.0","id":"b","source":"a","type":"t","outcome":"fine"}`)
	if _, err := receipts(addr, "stored", bad, airline()[0]); err != nil {
		t.Fatal(err)
	}
	if ack, err := n.conn.Request("audit.default.events.open", bad, 10*time.Second); err != nil {
		t.Fatal(err, ack)
	}
	n.pipeline.drain(t.Context())
	await(t, n)
	resp, err := http.Get(n.URL() + "/v1/stream?from_index=100")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, path := range []string{
		"/v1/entries?limit=1", "/v1/entries/0", "/v1/entries/7", "/v1/entries/99999", "/nowhere/at/all",
		"/v1/traces/x%2Fy",
	} {
		resp, err := http.Get(n.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	expect(t, addr, map[string]float64{
		`sealstream_ingest_events_total{status="sealed"}`: 200, `sealstream_ingest_events_total{status="stored"}`: 1, `sealstream_ingest_events_total{status="rejected"}`: 1,
		`sealstream_ingest_events_total{status="failed"}`: 0, `sealstream_ingest_group_events_sum`: 201, `sealstream_ingest_group_events_count`: 2, `sealstream_ingest_ack_seconds_count`: 2,
		`sealstream_ingest_group_failures_total`: 0,
		// The config, 200 events, a repeat that is named, and what came over NATS and was rejected.
		`sealstream_sealed_entries_total`: 203, `sealstream_log_entries`: 203, `sealstream_seal_batch_entries_sum`: 203,
		`sealstream_sealed_own_entries_total{type="sealstream.config"}`: 1, `sealstream_sealed_own_entries_total{type="sealstream.rejected"}`: 1,
		`sealstream_sealed_own_entries_total{type="sealstream.duplicate"}`: 1, `sealstream_sealed_own_entries_total{type="sealstream.gap"}`: 0,
		`sealstream_seal_lag_messages`: 0, `sealstream_seal_lag_seconds`: 0, `sealstream_sealer_recoveries_total`: 0, `sealstream_index_lag_messages`: 0,
		`sealstream_follower_entries{follower="index"}`: 203, `sealstream_follower_lag_entries{follower="index"}`: 0, `sealstream_follower_ok{follower="index"}`: 1,
		`sealstream_follower_events_total{event="void",follower="index"}`: 0,
		`sealstream_streams_open`: 1, `sealstream_streams_entries_total`: 103, `sealstream_streams_dropped_total`: 0,
		`sealstream_http_requests_total{method="POST",route="/v1/events",status="200"}`: 2, `sealstream_http_requests_total{method="GET",route="/v1/entries",status="200"}`: 1,
		`sealstream_http_requests_total{method="GET",route="/v1/entries/",status="200"}`: 2, `sealstream_http_requests_total{method="GET",route="/v1/entries/",status="404"}`: 1,
		`sealstream_http_requests_total{method="GET",route="other",status="404"}`: 1, `sealstream_http_requests_total{method="GET",route="/v1/traces/",status="404"}`: 1,
		`sealstream_http_request_seconds_count{route="/v1/entries/"}`: 3,
	})
	if n := scrape(t, addr)[`sealstream_seal_age_seconds_count`]; n < 3 {
		t.Errorf("%v batches are timed", n)
	}
	problems, err := testutil.GatherAndLint(n.pipeline.metrics.(*metrics.Registry).Gatherer())
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	if status, body := fetch(addr, "/metrics", map[string][]string{"x": {"1"}}); status != http.StatusBadRequest {
		t.Errorf("/metrics?x=1: %d %s", status, body)
	}
}

// TestSealLag: what is stored and not sealed shows by number and age.
func TestSealLag(t *testing.T) {
	n := upForTest(t)
	n.pipeline.parts.stop() // nobody seals any more
	for range 3 {
		if _, err := n.conn.Request("audit.default.events.open", airline()[0], 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	all := scrape(t, n.http.Addr().String())
	if all["sealstream_seal_lag_messages"] != 3 || all["sealstream_seal_lag_seconds"] <= 0 {
		t.Errorf("lag %v messages, %v s", all["sealstream_seal_lag_messages"], all["sealstream_seal_lag_seconds"])
	}
}

// TestReadyTellsOfFollowers: one in trouble is named; one that finds the log bad is a reason not to send.
func TestReadyTellsOfFollowers(t *testing.T) {
	n := upForTest(t)
	await(t, n)
	state := health.FollowerState{Size: 0, Err: errors.New("out of order"), Counts: map[string]uint64{"sent": 7}}
	n.pipeline.followers = append(n.pipeline.followers, health.Follower{
		Name: "mine", Look: func() health.FollowerState { return state },
	})
	addr := n.http.Addr().String()
	status, body := fetch(addr, "/readyz", nil)
	var answer struct {
		Status    string
		Followers map[string]followerReport
	}
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK || answer.Status != "ready" ||
		answer.Followers["mine"] != (followerReport{0, 1, "out of order"}) ||
		answer.Followers["index"] != (followerReport{1, 0, "ready"}) {
		t.Fatalf("%d %s", status, body)
	}
	expect(t, addr,
		map[string]float64{`sealstream_follower_ok{follower="mine"}`: 0,
			`sealstream_follower_lag_entries{follower="mine"}`:               1,
			`sealstream_follower_events_total{event="sent",follower="mine"}`: 7})
	state.Bad = true
	if status, body := fetch(addr, "/readyz", nil); status != http.StatusServiceUnavailable ||
		!strings.Contains(string(body), "out of order") {
		t.Fatalf("%d %s", status, body)
	}
	if status, body := fetch(addr, "/readyz", map[string][]string{"x": {"1"}}); status != http.StatusBadRequest {
		t.Errorf("%d %s", status, body)
	}
}

// TestStreamEndsWithTheServer: a stop does not wait for readers, and ends their streams as a whole.
func TestStreamEndsWithTheServer(t *testing.T) {
	n := upForTest(t)
	await(t, n)
	resp, err := http.Get(n.URL() + "/v1/stream?from_index=0")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "id: 0\n" {
			break
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Errorf("the stream was cut off: %v", err)
	}
}

// TestSealedSize: a follower that stands alone knows from SEALED how far behind it is.
func TestSealedSize(t *testing.T) {
	n := upForTest(t)
	if _, err := receipts(n.http.Addr().String(), "sealed", airline()[:20]...); err != nil {
		t.Fatal(err)
	}
	n.pipeline.drain(t.Context())
	want := n.pipeline.sealer.Status().Size
	if got := sealedSize(n.pipeline.log, 1); got != want || want < 21 {
		t.Fatalf("%d entries, want %d", got, want)
	}
	if got := sealedSize(store.NewMemory("default"), 7); got != 7 {
		t.Fatalf("%d entries in an empty stream, want what was followed", got)
	}
}
