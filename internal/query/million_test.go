package query_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unique"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
)

// scanned is what a naive scan needs of an entry.
type scanned struct {
	fields              [9]unique.Handle[string]
	timestamp, received string
}

var scannedNames = []string{"agent", "type", "action", "outcome", "resource", "target", "rule", "trace", "session"}

// scanAll reads the log past the index.
func (p *press) scanAll() (list []scanned) {
	p.Helper()
	for e, err := range store.Follow(p.Context(), p.log, 0, p.signer.VerifierKey()) {
		if err != nil {
			p.Fatal(err)
		}
		s := scanned{timestamp: strings.Clone(e.Timestamp), received: strings.Clone(e.ReceivedAt)}
		for i, name := range scannedNames {
			s.fields[i] = unique.Make(strings.Clone(fields[name](&e)))
		}
		if list = append(list, s); uint64(len(list)) == p.frontier.Size() {
			break
		}
	}
	return list
}

// naiveScan looks at one entry after the other. All times of large have the same number of digits,
// so that they compare as text.
func naiveScan(all []scanned, f api.Filter) (list []uint64) {
	want := [9][]string{f.Agent, f.Type, f.Action, f.Outcome, f.Resource, f.Target, f.Rule, f.Trace, f.Session}
	for x := range all {
		s, ok := &all[x], true
		for i := range want {
			ok = ok && (len(want[i]) == 0 || slices.ContainsFunc(want[i], func(v string) bool {
				has := s.fields[i].Value()
				prefix, is := strings.CutSuffix(v, "*")
				return v == has || is && i == 4 && has != "" && strings.HasPrefix(has, prefix)
			}))
		}
		at := s.timestamp
		if f.Time == api.Received {
			at = s.received
		}
		if ok && (f.From == "" || at >= f.From) && (f.To == "" || at <= f.To) {
			list = append(list, uint64(x))
		}
	}
	return list
}

// singles is a filter for each field, prefix and time, each of a common and of a rare value.
func singles(r *rand.Rand, all []scanned) (list []api.Filter) {
	for i := range scannedNames {
		count := map[string]int{}
		for x := range all {
			if v := all[x].fields[i].Value(); v != "" {
				count[v]++
			}
		}
		values := slices.SortedFunc(maps.Keys(count), func(a, b string) int { return count[a] - count[b] })
		for _, v := range []string{values[len(values)-1], values[len(values)/2], values[1]} {
			list = append(list, filterOf(i, v))
		}
		list = append(list, filterOf(i, values[len(values)-1], values[0], "no such value"))
	}
	for _, v := range []string{"/crm/customers/1*", "/crm/customers/77*", "/crm/orders/*", "/crm/orders/49*"} {
		list = append(list, api.Filter{Resource: []string{v}})
	}
	for range 4 {
		a, b := all[r.IntN(len(all))], all[r.IntN(len(all))]
		list = append(list, api.Filter{From: min(a.timestamp, b.timestamp), To: max(a.timestamp, b.timestamp)},
			api.Filter{From: min(a.received, b.received), To: max(a.received, b.received), Time: api.Received},
			api.Filter{From: a.timestamp}, api.Filter{To: a.received, Time: api.Received})
	}
	return list
}

func filterOf(field int, values ...string) (f api.Filter) {
	*[]*[]string{
		&f.Agent, &f.Type, &f.Action, &f.Outcome, &f.Resource, &f.Target, &f.Rule, &f.Trace, &f.Session,
	}[field] = values
	return f
}

// mixed takes two to five conditions from an entry, so that it matches at least that one.
func mixed(r *rand.Rand, all []scanned) (f api.Filter) {
	x := r.IntN(len(all))
	s := all[x]
	want := []*[]string{&f.Agent, &f.Type, &f.Action, &f.Outcome, &f.Resource, &f.Target, &f.Rule, &f.Trace, &f.Session}
	for _, i := range r.Perm(len(want))[:2+r.IntN(3)] {
		if v := s.fields[i].Value(); v != "" {
			*want[i] = []string{v}
			if r.IntN(3) == 0 {
				*want[i] = append(*want[i], all[r.IntN(len(all))].fields[i].Value())
				*want[i] = slices.DeleteFunc(*want[i], func(s string) bool { return s == "" })
			}
		}
	}
	if len(f.Resource) > 0 && r.IntN(2) == 0 {
		f.Resource[0] = f.Resource[0][:len(f.Resource[0])-r.IntN(4)] + "*"
	}
	switch r.IntN(4) {
	case 0:
		f.From, f.To = min(s.timestamp, all[r.IntN(len(all))].timestamp), all[len(all)-1].timestamp
	case 1:
		f.To, f.Time = max(s.received, all[r.IntN(len(all))].received), api.Received
	}
	return f
}

// checkAgainst compares what the index finds, and the first page as it is read, with a naive scan.
func checkAgainst(t testing.TB, q *query.Query, all []scanned, f api.Filter) (matched int) {
	t.Helper()
	want := naiveScan(all, f)
	got, err := q.Indexes(f)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%+v: %d found, %d wanted, %v", f, len(got), len(want), err)
	}
	if got, err = q.Indexes(f); err != nil || !slices.Equal(got, want) { // parts without a match are remembered
		t.Fatalf("%+v again: %d found, %d wanted, %v", f, len(got), len(want), err)
	}
	page, err := q.Entries(t.Context(), f, query.Page{})
	if err != nil {
		t.Fatalf("%+v: %v", f, err)
	}
	want = want[max(len(want)-query.DefaultLimit, 0):]
	if !slices.EqualFunc(page.Entries, want, func(e query.Found, x uint64) bool { return e.Entry.Index == x }) {
		t.Fatalf("%+v: another first page", f)
	}
	return len(got)
}

// checkAll compares every single filter and 40 combinations, each of which matches some and not all.
func checkAll(t testing.TB, q *query.Query, all []scanned) (filters []api.Filter) {
	t.Helper()
	r := rand.New(rand.NewPCG(2, 3))
	for _, f := range singles(r, all) {
		if n := checkAgainst(t, q, all, f); n == 0 || n == len(all) {
			t.Fatalf("%+v matches %d of %d", f, n, len(all))
		}
		filters = append(filters, f)
	}
	for range 40 {
		f := mixed(r, all)
		if n := checkAgainst(t, q, all, f); n == 0 || n == len(all) {
			t.Fatalf("%+v matches %d of %d", f, n, len(all))
		}
		filters = append(filters, f)
	}
	return filters
}

// TestFullPart: a part of the proper size, frozen, and a live one behind it.
func TestFullPart(t *testing.T) {
	if testing.Short() {
		t.Skip("70,000 entries; TestRestore has small parts")
	}
	defer query.FullParts()()
	p := large(t, 70_000)
	all := p.scanAll()
	dir := t.TempDir()
	q, stop := p.begin(query.Config{Folder: dir})
	filters := checkAll(t, q, all)
	if len(filters) < 90 {
		t.Fatalf("%d filters", len(filters))
	}
	awaitSegments(t, q, 1)
	checkAll(t, q, all)
	st := q.Status()
	if each := float64(st.Bytes) / 65536; each > 40 {
		t.Errorf("%.1f bytes an entry", each)
	}
	stop()
	q, _ = p.begin(query.Config{Folder: dir})
	if st := q.Status(); st.Restored != 65536 {
		t.Fatalf("%+v", st)
	}
	checkAll(t, q, all)
}

func awaitSegments(t testing.TB, q *query.Query, n int) {
	t.Helper()
	for end := time.Now().Add(logtest.Bound); q.Status().Segments < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d segments, want %d", q.Status().Segments, n)
		}
	}
}

// BenchmarkMillion measures, over a log of 1,000,000 entries, what an investigator waits for, and
// compares all that it asks for with a naive scan. It takes a minute, and is not repeated (case 60
// of conformance/cases_test.go).
func BenchmarkMillion(b *testing.B) {
	defer query.FullParts()()
	const n = 1_000_000
	p := large(b, n)
	all := p.scanAll()
	dir := b.TempDir()
	before := heap()
	begun, worked := time.Now(), processor()
	q, stop := p.begin(query.Config{Folder: dir})
	b.ReportMetric(n/time.Since(begun).Seconds(), "built/s")
	awaitSegments(b, q, n/65536)
	b.ReportMetric(float64((processor()-worked).Nanoseconds())/n/1000, "build-cpu-us/entry")
	b.ReportMetric(float64(q.Status().Bytes)/float64(q.Status().Segments*65536), "disk-B/entry")
	b.ReportMetric(float64(heap()-before)/n, "heap-B/entry")
	stop()
	begun = time.Now()
	q, _ = p.begin(query.Config{Folder: dir})
	b.ReportMetric(float64(time.Since(begun).Milliseconds()), "restart-ms")
	filters := checkAll(b, q, all)
	for end := time.Now().Add(time.Minute); !q.Status().Rechecked && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	b.ReportMetric(float64(time.Since(begun).Milliseconds()), "rechecked-ms")
	r := rand.New(rand.NewPCG(7, 7))
	for range 2000 {
		filters = append(filters, mixed(r, all))
	}
	r.Shuffle(len(filters), func(i, j int) { filters[i], filters[j] = filters[j], filters[i] })
	all = nil
	runtime.GC()
	var took []time.Duration
	worked = processor()
	for _, f := range filters {
		begun := time.Now()
		if _, err := q.Entries(b.Context(), f, query.Page{}); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
	}
	b.ReportMetric(float64((processor()-worked).Microseconds())/float64(len(filters))/1000, "page-cpu-ms")
	report(b, took, "page")
	worked = processor()
	report(b, overHTTP(b, q, filters, 32, 4000), "http32")
	b.ReportMetric(float64((processor()-worked).Microseconds())/4000/1000, "http32-cpu-ms")
	report(b, overHTTP(b, q, filters, 1, 1000), "http1")
}

// processor is the processor time that this process has taken. On a machine that does other things
// too it says more than the clock.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func report(b *testing.B, took []time.Duration, name string) {
	slices.Sort(took)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(took[len(took)*p/100].Microseconds())/1000, fmt.Sprintf("%s-p%d-ms", name, p))
	}
}

// overHTTP asks for first pages with so many clients, each without a pause.
func overHTTP(b *testing.B, q *query.Query, filters []api.Filter, clients, requests int) (took []time.Duration) {
	server := httptest.NewServer(q.Handler())
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var group sync.WaitGroup
	next := 0
	for range clients {
		group.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= requests {
					return
				}
				values := url.Values{}
				for name, list := range filters[i%len(filters)].Values() {
					values[name] = list
				}
				begun := time.Now()
				res, err := client.Get(server.URL + "/v1/entries?" + values.Encode())
				if err != nil {
					b.Error(err)
					return
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 200 {
					b.Errorf("%s %v", res.Status, err)
				}
				res.Body.Close()
				mu.Lock()
				took = append(took, time.Since(begun))
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return took
}

// begin starts a query service until the end of the test, or until stop.
func (p *press) begin(cfg query.Config) (q *query.Query, stop func()) {
	p.Helper()
	cfg.Log, cfg.Keys = p.log, []string{p.signer.VerifierKey()}
	q, err := query.New(cfg)
	if err != nil {
		p.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); q.Run(ctx) }()
	stop = func() { cancel(); <-done }
	p.Cleanup(stop)
	wait, end := context.WithTimeout(ctx, time.Minute)
	defer end()
	if err := q.Await(wait, p.frontier.Size()); err != nil {
		p.Fatal(err)
	}
	return q, stop
}
