//go:build cluster

package node

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

var (
	faults   = flag.Int("faults", 40, "how many faults the cluster suffers")
	lasts    = flag.Duration("lasts", 0, "begin no fault after so long; 0: suffer all of them")
	punctual = flag.Bool("punctual", false, "fail where a time limit is missed, not only where one is missed fourfold")
)

// within is a time limit: on a machine that others use too, only missing it fourfold fails, unless -punctual.
func within(d, limit time.Duration) bool { return d <= limit || !*punctual && d <= 4*limit }

// TestCluster brings docker-compose.yml up, imports real input, and lets every kind of fault befall
// every part while agents publish. Nothing that was acknowledged may be lost, doubled or reordered,
// and no checkpoint that was shown may have another root later.
func TestCluster(t *testing.T) {
	c := newCompose(t)
	dir := t.TempDir()
	c.docker("cp", c.container("query-1")+":/secrets/"+datadir.FilePublic, filepath.Join(dir, datadir.FilePublic))
	vkey, err := datadir.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	c.importAirline(vkey)
	c.migrate(t)
	publishers, shown := c.suffer(dir)

	root := ""
	for _, name := range []string{"query-1", "query-2"} {
		addr := c.addrs()[name]
		var entries []entry.Entry
		var report audit.Report
		acked := publishers[0].acked.Load()
		cameTrue(t.Context(), 30*time.Second, func() bool { // a query shows an entry within a second of its receipt
			entries, report = exported(t, addr, vkey)
			return count(entries, publishers[0].source) >= acked
		})
		checkHistory(t, publishers, entries[1+len(airline()):])
		shown.check(entries)
		if r := fmt.Sprintf("size %d root %s, void %d", report.Size, report.Root, len(report.Void)); root == "" {
			root = r
		} else if r != root {
			t.Errorf("the queries differ: %s and %s", root, r)
		}
	}
	t.Logf("both queries: %s", root)
	for line := range strings.Lines(c.run(c.compose("logs", "--no-color"))) {
		if strings.Contains(strings.ToLower(line), "permissions violation") {
			t.Errorf("a service was refused what it asked: %s", line)
			break
		}
	}
}

func count(entries []entry.Entry, source string) (n int64) {
	for _, e := range entries {
		if e.AgentDID == source && !e.IsOwn() {
			n++
		}
	}
	return n
}

// importAirline sends real input through ingest and wants it whole and in order from each query,
// each entry with its proof, under one root.
func (c *compose) importAirline(vkey string) {
	c.Helper()
	lines := airline()
	for i := 0; i < len(lines); i += 100 {
		list, err := receipts(c.ingest, "sealed", lines[i:min(i+100, len(lines))]...)
		if err != nil {
			c.Fatal(err)
		}
		for _, r := range list {
			if r["status"] != "sealed" {
				c.Fatalf("receipt: %v", r)
			}
		}
	}
	roots := map[string]bool{}
	for _, name := range []string{"query-1", "query-2"} {
		addr := c.addrs()[name]
		last := fmt.Sprintf("/v1/entries/%d", len(lines))
		if _, ok := cameTrue(c.Context(), 30*time.Second, func() bool {
			s, _ := fetch(addr, last, nil)
			return s == http.StatusOK
		}); !ok {
			c.Fatalf("%s does not show the last entry", name)
		}
		entries, report := exported(c.T, addr, vkey)
		roots[report.Root.String()] = true
		if len(entries) != 1+len(lines) {
			c.Fatalf("%s has %d entries, want %d", name, len(entries), 1+len(lines))
		}
		for i, raw := range lines {
			ev, err := entry.ParseEvent(raw)
			if err != nil {
				c.Fatal(err)
			}
			if e := entries[1+i]; e.EntryID != ev.ID || e.AgentDID != ev.Source {
				c.Fatalf("%s: event %d is sealed as %s", name, i, e.Leaf)
			}
			_, body := fetch(addr, fmt.Sprintf("/v1/entries/%d/proof", 1+i), nil)
			p, err := proof.ParseEntryProof(body)
			if err != nil {
				c.Fatal(err)
			}
			if proven, _, err := p.Check(vkey); err != nil || proven.EntryHash != entries[1+i].EntryHash {
				c.Fatalf("%s: proof of %d: %v", name, 1+i, err)
			}
		}
	}
	if len(roots) != 1 {
		c.Fatalf("roots of the two queries: %v", roots)
	}
	c.Logf("%d events imported in order, %d proofs verified, one root", len(lines), 2*len(lines))
}

// post sends one event as an agent does that gives up waiting after a while, and sends it again.
func (c *compose) post(wait string, timeout time.Duration) func(context.Context, entry.Event, []byte) error {
	client := &http.Client{Timeout: timeout}
	return func(ctx context.Context, _ entry.Event, raw []byte) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.ingest+"/v1/events?wait="+wait,
			bytes.NewReader(raw))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/cloudevents+json")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d: %s, %v", resp.StatusCode, b, err)
		}
		var out struct{ Receipts []struct{ Status string } }
		if err := json.Unmarshal(b, &out); err != nil || len(out.Receipts) != 1 {
			return fmt.Errorf("receipt: %s, %v", b, err)
		}
		if s := out.Receipts[0].Status; s != "sealed" && s != "duplicate" && s != wait {
			return fmt.Errorf("status %q", s)
		}
		return nil
	}
}

// suffer runs the publishers and the faults, and prints the table.
func (c *compose) suffer(dir string) ([]*publisher, *roots) {
	c.Helper()
	var publishers []*publisher
	for i := range 8 {
		p := &publisher{source: fmt.Sprintf("did:web:agent-%d", i), send: c.post("stored", 8*time.Second)}
		if i%2 == 1 {
			p.send = c.post("sealed", 8*time.Second)
		}
		publishers = append(publishers, p)
	}
	probe := &publisher{source: "did:web:probe", send: c.post("sealed", 2*time.Second)}
	ctx, stop := context.WithCancel(c.Context())
	var group sync.WaitGroup
	for _, p := range publishers {
		group.Go(func() { p.runSlowly(ctx) })
	}
	shown := newRoots(c.T, dir)
	group.Go(func() {
		for ctx.Err() == nil {
			if status, note := fetchWithin(c.query, "/checkpoint"); status == http.StatusOK {
				shown.saw("served", note)
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	probe.step(ctx)
	plan := c.plan()
	var table strings.Builder
	fmt.Fprintf(&table, "%3s  %-34s %12s %14s %10s\n", "", "fault", "sealed again", "all ready again", "acked")
	done, begin := 0, time.Now()
	for i := range *faults {
		if *lasts > 0 && time.Since(begin) > *lasts {
			break
		}
		done++
		f := plan[i%len(plan)]
		before := acknowledged(publishers)
		sealed, ready, name := c.befall(ctx, f, probe)
		limit := 30 * time.Second
		if f.sealer && f.do != "restart all" {
			limit = 5 * time.Second
		}
		mark := ""
		if sealed > limit || ready > 30*time.Second {
			mark = " over"
		}
		if !within(sealed, limit) || !within(ready, 30*time.Second) {
			c.Errorf("%s: sealed again after %v, ready after %v", name, sealed, ready)
		}
		fmt.Fprintf(&table, "%3d  %-34s %10.1f s %12.1f s %10d%s\n", i+1, name, sealed.Seconds(), ready.Seconds(),
			acknowledged(publishers)-before, mark)
		fmt.Fprintf(os.Stderr, "fault %d: %s: %.1f s, %.1f s%s\n", i+1, name, sealed.Seconds(), ready.Seconds(), mark)
	}
	stop()
	group.Wait()
	c.Logf("%d faults, %d events acknowledged\n%s", done, acknowledged(publishers), table.String())
	return append(publishers, probe), shown
}

func acknowledged(publishers []*publisher) (n int64) {
	for _, p := range publishers {
		n += p.acked.Load()
	}
	return n
}

// runSlowly leaves the machine some room, which twelve containers need.
func (p *publisher) runSlowly(ctx context.Context) {
	for ctx.Err() == nil {
		p.step(ctx)
		time.Sleep(10 * time.Millisecond)
	}
}

// step sends the next event, the same one until it is acknowledged.
func (p *publisher) step(ctx context.Context) {
	n := int(p.acked.Load())
	ev, raw := p.event(n)
	for ctx.Err() == nil {
		if p.send(ctx, ev, raw) == nil {
			p.acked.Store(int64(n + 1))
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func fetchWithin(addr, path string) (int, []byte) {
	resp, err := quick1s.Get("http://" + addr + path)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, b
}

// fault is what is done to a service; "active" and "standby" are the sealers, whichever they are by then.
type fault struct {
	do, service string
	sealer      bool // new seals are due within seconds
}

// plan has the faults that matter most in front, so that a short run has them too.
func (c *compose) plan() []fault {
	list := []fault{
		{"kill -9", "active", true}, {"kill -9", "nats-1", false}, {"cut off", "active", true}, {"cut off", "nats-2", false}, {"pause", "active", true},
		{"pause", "nats-3", false}, {"restart", "active", true}, {"kill -9", "ingest-1", false}, {"kill -9 all", "", false}, {"restart", "query-1", false},
		{"pause", "ingest-2", false}, {"restart", "nats-2", false}, {"restart all", "", false}, {"pause", "front", false},
	}
	for _, s := range []string{
		"nats-2", "standby", "ingest-2", "query-1", "front", "nats-3", "query-2", "alert",
		"archiver",
	} {
		list = append(list, fault{"kill -9", s, false})
	}
	for _, s := range []string{"nats-1", "standby", "query-1", "nats-2"} {
		list = append(list, fault{"pause", s, false})
	}
	for _, s := range []string{
		"nats-1", "ingest-1", "ingest-2", "query-2", "nats-3", "front", "alert", "archiver",
	} {
		list = append(list, fault{"restart", s, false})
	}
	return append(list, fault{"cut off", "nats-1", false}, fault{"cut off", "nats-3", false}, fault{
		"cut off", "active", true,
	})
}

// befall does one fault and says how long after it an event that came later was sealed, and how
// long after it was undone all were ready.
func (c *compose) befall(ctx context.Context, f fault, probe *publisher) (sealed, ready time.Duration, name string) {
	service, active := f.service, ""
	if service == "active" || service == "standby" {
		cameTrue(ctx, 30*time.Second, func() bool { active = c.active(); return active != "" })
		service = active
		if f.service == "standby" {
			service = map[string]string{"sealer-1": "sealer-2", "sealer-2": "sealer-1"}[active]
		}
	}
	name = strings.TrimSpace(f.do + " " + service)
	if f.service != service {
		name += " (" + f.service + ")"
	}
	undo := func() {}
	begin := time.Now()
	switch f.do {
	case "kill -9":
		c.kill(service)
	case "kill -9 all":
		c.kill(services()...)
	case "restart":
		c.restart(service)
	case "restart all":
		c.restart(services()...)
	case "pause":
		c.docker("pause", c.container(service))
		undo = func() { c.docker("unpause", c.container(service)) }
	case "cut off":
		c.cut(service)
		undo = func() { c.heal(service) }
	default:
		c.Fatalf("fault %q", f.do)
	}
	if f.do == "pause" && service == "front" { // the one way in
		time.Sleep(3 * time.Second)
		undo()
		undo = func() {}
	}
	step, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	time.Sleep(20 * time.Millisecond)
	probe.step(step)
	sealed = time.Since(begin)
	if f.do == "pause" || f.do == "cut off" {
		time.Sleep(max(0, 3*time.Second-sealed))
		begin = time.Now()
		undo()
	}
	least := uint64(0)
	_, ok := cameTrue(ctx, 2*time.Minute, func() bool { return len(c.notReady()) == 0 && c.redundant(&least) })
	if !ok {
		c.Fatalf("%s: not ready again: %v, active sealer %q", name, c.notReady(), c.active())
	}
	return sealed, time.Since(begin), name
}

func (c *compose) restart(services ...string) {
	args := []string{"restart", "-t", "3"}
	for _, s := range services {
		args = append(args, c.container(s))
	}
	c.docker(args...)
}
