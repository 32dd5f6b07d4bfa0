package bench

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// readFor is how long each case is measured, and coldReads how many cold reads are. A test makes
// both smaller.
var (
	readFor   = time.Second
	coldReads = 50
)

// readCases measures each kind of read, cold with one client, and warm with 1, 8 and 32.
func (b *run) readCases(ctx context.Context, q *query.Query, out *Reads, progress func(string)) error {
	out.Memory = append(out.Memory, memory("before"))
	known, err := sample(ctx, q, out.Entries)
	if err != nil {
		return err
	}
	kinds := readKinds(ctx, q, out.Entries, known)
	for _, k := range kinds {
		if !dropPageCache() {
			break
		}
		out.Cold = true
		progress(k.name + ", cold")
		c, err := together(k.name, 1, k.read, func(n int) bool { return n < coldReads && dropPageCache() })
		if err != nil {
			return err
		}
		c.Cold = true
		out.Cases = append(out.Cases, c)
	}
	for _, clients := range []int{1, 8, 32} {
		for _, k := range kinds {
			if k.alone && clients > 1 {
				continue
			}
			progress(fmt.Sprintf("%s, %d clients", k.name, clients))
			end := time.Now().Add(readFor)
			c, err := together(k.name, clients, k.read, func(int) bool { return time.Now().Before(end) })
			if err != nil {
				return err
			}
			out.Cases = append(out.Cases, c)
		}
		out.Memory = append(out.Memory, memory(fmt.Sprintf("%d clients", clients)))
	}
	time.Sleep(readFor)
	out.Memory = append(out.Memory, memory("after"))
	return nil
}

// readKind is a kind of read, of which each is another one.
type readKind struct {
	name  string
	alone bool // four run at a time, and more are refused
	read  func(r *rand.Rand) error
}

// sampled is how many entries are known before the reads begin.
const sampled = 1000

// sample reads random entries, so that ids and traces that exist can be asked for.
func sample(ctx context.Context, q *query.Query, n uint64) (list []entry.Entry, err error) {
	r := rand.New(rand.NewPCG(n, 16))
	for len(list) < sampled {
		e, err := q.Entry(ctx, 1+r.Uint64N(n-1))
		if err != nil {
			return nil, err
		}
		if e.Entry.TraceID != "" {
			list = append(list, e.Entry)
		}
	}
	return list, nil
}

func readKinds(ctx context.Context, q *query.Query, n uint64, known []entry.Entry) []readKind {
	filters := readFilters()
	return []readKind{
		{"proof", false, func(r *rand.Rand) error { _, err := q.Proof(ctx, r.Uint64N(n), false); return err }},
		{"entry", false, func(r *rand.Rand) error { _, err := q.Entry(ctx, r.Uint64N(n)); return err }},
		{"page of 20", false, func(r *rand.Rand) error {
			_, err := q.Entries(ctx, filters[r.IntN(len(filters))], query.Page{Limit: 20})
			return err
		}},
		{"scattered page of 20", false, func(r *rand.Rand) error { // of a rare agent, from some place on
			f := api.Filter{Agent: []string{benchAgent(100 + r.IntN(900))}}
			_, err := q.Entries(ctx, f, query.Page{Limit: 20, Before: 1 + r.Uint64N(n)})
			return err
		}},
		{"entry by id", false, func(r *rand.Rand) error {
			_, err := q.EntryByID(ctx, known[r.IntN(len(known))].EntryID, "")
			return err
		}},
		{"trace of 50", false, func(r *rand.Rand) error {
			_, err := q.Trace(ctx, known[r.IntN(len(known))].TraceID)
			return err
		}},
		{"consistency", false, func(r *rand.Rand) error {
			_, err := q.Consistency(ctx, 1+r.Uint64N(n), n)
			return err
		}},
		{"tile", false, func(r *rand.Rand) error {
			_, err := q.Tile(ctx, merkle.Tile{N: r.Uint64N(n / merkle.TileWidth), Width: merkle.TileWidth})
			return err
		}},
		{"export of an agent", true, func(r *rand.Rand) error {
			return q.Export(ctx, io.Discard, api.Filter{Agent: []string{benchAgent(900 + r.IntN(100))}}, query.JSONL)
		}},
	}
}

func benchAgent(rank int) string { return fmt.Sprintf("did:web:agent-%03d.bench.example", rank) }

// readFilters are thirty filters, from common to rare.
func readFilters() (list []api.Filter) {
	for _, rank := range []int{0, 1, 2, 5, 10, 20, 50, 100, 300, 999} {
		agent := []string{benchAgent(rank)}
		list = append(list, api.Filter{Agent: agent}, api.Filter{Agent: agent, Session: []string{"s-03"}},
			api.Filter{Agent: agent, Resource: []string{fmt.Sprintf("/crm/contacts/%03d", rank)}})
	}
	return list
}

// together lets clients read for as long as more says, which is asked with the reads that were
// done.
func together(name string, clients int, read func(*rand.Rand) error, more func(n int) bool) (ReadCase, error) {
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	var all sync.WaitGroup
	var done atomic.Int64
	begin := time.Now()
	for c := range clients {
		all.Go(func() {
			r, mine := rand.New(rand.NewPCG(uint64(c), uint64(clients))), []time.Duration(nil)
			var err error
			for err == nil && more(int(done.Load())) {
				begin := time.Now()
				err = read(r)
				mine = append(mine, time.Since(begin))
				done.Add(1)
			}
			mu.Lock()
			defer mu.Unlock()
			if took = append(took, mine...); err != nil {
				failed = fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	all.Wait()
	return ReadCase{
		Name: name, Clients: clients, PerS: float64(len(took)) / time.Since(begin).Seconds(), MS: quantiles(took),
	}, failed
}

// dropPageCache drops what the system keeps of files in memory, and reports whether it may.
func dropPageCache() bool {
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("1"), 0) == nil
}

// Memory is what this process has in memory: of its own, and mapped from files.
type Memory struct {
	When  string  `json:"when"`
	AnonM float64 `json:"anonymous_mb"`
	FileM float64 `json:"file_mb"`
}

// memory reads what Linux tells of this process; elsewhere the figures are 0.
func memory(when string) Memory {
	m := Memory{When: when}
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
		switch name {
		case "RssAnon":
			m.AnonM = kib / 1024
		case "RssFile":
			m.FileM = kib / 1024
		}
	}
	return m
}
