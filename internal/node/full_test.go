package node

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/readiness"
	"github.com/sealstream/sealstream/internal/settings"
)

// fullPoint is one way to fill a log.
type fullPoint struct {
	part   string // what becomes full
	limit  settings.Bytes
	data   int // bytes of each event's
	batch  int // events of a request
	sender int // at once
}

func (p fullPoint) String() string {
	return fmt.Sprintf("%s of %s by %d x %d events of %d bytes", p.part, p.limit.Short(), p.sender, p.batch, p.data)
}

func (p fullPoint) flags(limit settings.Bytes) (f cluster.StreamFlags) {
	switch p.part {
	case "sealed":
		f.SealedMaxBytes = limit
	case "payloads":
		f.PayloadsMaxBytes = limit
	}
	return f
}

// fullPoints are 20; the first few are tried in each run, all of them with SEALSTREAM_TEST_FULL.
var fullPoints = []fullPoint{
	{"payloads", 2 << 20, 400, 50, 4}, {"sealed", 256 << 10, 400, 1, 8}, {"sealed", 1 << 20, 0, 256, 4},
	{"sealed", 64 << 10, 400, 1, 1}, {"sealed", 128 << 10, 0, 1, 64}, {"sealed", 256 << 10, 4000, 10, 2}, {"sealed", 512 << 10, 10, 100, 8},
	{"sealed", 1 << 20, 400, 1, 64}, {"sealed", 2 << 20, 20, 256, 16}, {"sealed", 4 << 20, 400, 256, 4}, {"sealed", 8 << 20, 0, 256, 8},
	{"payloads", 64 << 10, 400, 1, 1}, {"payloads", 128 << 10, 4000, 1, 8}, {"payloads", 256 << 10, 60_000, 1, 4}, {"payloads", 512 << 10, 400, 256, 2},
	{"payloads", 1 << 20, 400, 1, 64}, {"payloads", 1 << 20, 100_000, 2, 4}, {"payloads", 4 << 20, 2000, 256, 8}, {"payloads", 8 << 20, 900, 100, 16},
	{"payloads", 16 << 20, 4000, 64, 32},
}

// TestFullLog: when SEALED or PAYLOADS come to their limit, ingest refuses before anything is
// acknowledged that cannot be sealed; it is told within five seconds; and the log goes on, with all
// that was acknowledged, once the limit is raised at the next start.
func TestFullLog(t *testing.T) {
	points := fullPoints
	if os.Getenv("SEALSTREAM_TEST_FULL") == "" {
		points = points[:3]
	}
	for _, p := range points {
		t.Run(p.String(), func(t *testing.T) { t.Parallel(); p.test(t) })
	}
}

func (p fullPoint) test(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	up := func(limit settings.Bytes) *Node {
		t.Helper()
		n, err := Up(t.Context(), UpConfig{
			Plugins: withPlugins, Data: dir, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0", Streams: p.flags(limit),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		return n
	}
	n := up(p.limit)
	acknowledged, last := p.fill(t, n, "a", 1<<30)
	p.toldWithin(t, n, last)
	sealedAll(t, n) // as it is
	size, err := n.pipeline.log.Sealed.Info(t.Context())
	if p.part == "payloads" {
		size, err = n.pipeline.log.Payloads.Info(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d events acknowledged; %s is %d %% full", len(acknowledged), p.part, 100*size.Bytes/size.Limit)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = up(p.limit + 128<<20)
	waitReady(t, n.http.Addr().String())
	more, _ := p.fill(t, n, "b", 200)
	if len(more) < 200 {
		t.Errorf("only %d events were taken after the limit was raised", len(more))
	}
	for id := range more {
		acknowledged[id] = true
	}
	sealedAll(t, n)
	await(t, n)
	entries, _ := exported(t, n.http.Addr().String(), n.Key())
	for i := range entries {
		if e := &entries[i]; e.IsEvent() && !acknowledged[e.EntryID] {
			t.Errorf("%s is in the log twice, or was refused", e.EntryID)
		} else {
			delete(acknowledged, e.EntryID)
		}
	}
	if len(acknowledged) > 0 {
		t.Errorf("%d acknowledged events are not in the log", len(acknowledged))
	}
}

// fill sends events as a client does that tries again, until nothing was taken for 1.5 s, or enough is.
func (p fullPoint) fill(t *testing.T, n *Node, prefix string, enough int) (ids map[string]bool, last time.Time) {
	t.Helper()
	ids = map[string]bool{}
	last = time.Now()
	var mu sync.Mutex
	var group sync.WaitGroup
	text, err := json.Marshal(strings.Repeat(`x"`, p.data/2)) // each quotation mark is escaped in the record
	if err != nil {
		t.Fatal(err)
	}
	send := func(s, round int) (done bool) {
		var events [][]byte
		var own []string
		for i := range p.batch {
			id := fmt.Sprintf("%s-%d-%d-%d", prefix, s, round, i)
			own = append(own, id)
			e := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"did:web:agent.example.com",`+
				`"type":"ai.agentmesh.tool.invoked"`, id)
			if p.data > 0 {
				e += `,"data":` + string(text)
			}
			events = append(events, []byte(e+"}"))
		}
		for {
			_, err := receipts(n.http.Addr().String(), "stored", events...)
			mu.Lock()
			if err == nil {
				last = time.Now()
				for _, id := range own {
					ids[id] = true
				}
			} else if !strings.Contains(err.Error(), "status 503") ||
				!strings.Contains(err.Error(), "urn:sealstream:problem:no-room") {
				t.Errorf("refused with %v", err)
				last = time.Time{}
			}
			done = time.Since(last) > 1500*time.Millisecond || len(ids) >= enough
			mu.Unlock()
			if done || err == nil {
				return done
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	for s := range p.sender {
		group.Go(func() {
			for round := 0; !send(s, round); round++ {
			}
		})
	}
	group.Wait()
	return ids, last
}

// sealed waits until what is stored is sealed.
func sealedAll(t *testing.T, n *Node) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		info, err := n.pipeline.log.Events.Info(t.Context())
		if err == nil && n.pipeline.sealer.Status().InputSeq >= info.Last {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d messages are acknowledged and not sealed: %v", info.Last-n.pipeline.sealer.Status().InputSeq,
				n.pipeline.sealer.Status().Err)
		}
	}
}

// doctorSays says whether doctor calls a condition wrong.
func doctorSays(t *testing.T, n *Node, name string) bool {
	t.Helper()
	page, err := readiness.Ask(t.Context(), http.DefaultClient, n.URL()+"/readyz")
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(page.Findings(), func(f datadir.Finding) bool {
		return f.State == datadir.Wrong && f.What == name && f.Text != ""
	})
}

// toldWithin wants a full log to be told in five seconds.
func (p fullPoint) toldWithin(t *testing.T, n *Node, last time.Time) {
	t.Helper()
	missing := ""
	for time.Since(last) < 5*time.Second {
		status, page := pageOf(t, n, "/readyz")
		_, list := fetch(n.http.Addr().String(), "/v1/alerts", map[string][]string{"type": {"log-condition"}})
		state := page.state(p.part)
		switch metric := scrape(t, n.http.Addr().String())[fmt.Sprintf("sealstream_condition{name=%q}", p.part)]; {
		// the last few bytes are too few for a large request
		case state != "failing" && (state != "urgent" || p.batch == 1 && p.data < 1000):
			missing = "/readyz: " + page.body
		case !strings.Contains(page.body, strings.ToUpper(p.part)+" holds") ||
			(status == http.StatusServiceUnavailable) != (state == "failing"):
			missing = fmt.Sprintf("/readyz: %d %s", status, page.body)
		case !doctorSays(t, n, p.part):
			missing = "what doctor says"
		case metric != float64(health.Parse(state)):
			missing = "the metric"
		case !strings.Contains(string(list), fmt.Sprintf(`"condition":%q,"state":%q`, p.part, state)):
			missing = "the alert: " + string(list)
		default:
			t.Logf("told %s after the last event was taken", time.Since(last).Round(time.Millisecond))
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("not told within 5 s: %s", missing)
}

// TestFullDirect: events that agents publish straight to EVENTS are acknowledged by the broker,
// whatever SEALED has room for. They wait there, that is told, also after a start that changes
// nothing, and they are sealed when there is room.
func TestFullDirect(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	p := fullPoint{part: "sealed"}
	up := func(limit settings.Bytes) *Node {
		t.Helper()
		n, err := Up(t.Context(), UpConfig{
			Plugins: withPlugins, Data: dir, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0", Streams: p.flags(limit),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		return n
	}
	n := up(128 << 10)
	nc, err := nats.Connect(n.NATSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	const events = 600
	for i := range events {
		m := nats.NewMsg("audit.default.events.open")
		m.Header.Set("content-type", "application/cloudevents+json")
		m.Data = fmt.Appendf(nil, `{"specversion":"1.0","id":"e%d","source":"did:web:a","type":"t","data":"x"}`, i)
		reply, err := nc.RequestMsg(m, 10*time.Second)
		if err != nil || strings.Contains(string(reply.Data), "error") {
			t.Fatalf("event %d: %s %v", i, reply.Data, err)
		}
	}
	told := func(n *Node) {
		t.Helper()
		begin := time.Now()
		awaitTold(t, n, begin, "sealer", health.Failing, true)
		if status, page := pageOf(t, n, "/readyz"); status != http.StatusServiceUnavailable ||
			!strings.Contains(page.body, "SEALED has room for") {
			t.Errorf("/readyz: %d %s", status, page.body)
		}
		if _, err := receipts(n.http.Addr().String(), "stored", airline()[0]); err == nil ||
			!strings.Contains(err.Error(), "no-room") {
			t.Errorf("an event is taken: %v", err)
		}
	}
	told(n)
	n.Close()
	n = up(0)
	told(n)
	n.Close()
	n = up(8 << 20)
	waitReady(t, n.http.Addr().String())
	sealedAll(t, n)
	await(t, n)
	if entries, _ := exported(t, n.http.Addr().String(), n.Key()); len(entries) != events+1 {
		t.Errorf("%d entries", len(entries))
	}
}
