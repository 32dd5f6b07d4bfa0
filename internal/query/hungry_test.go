//go:build linux && !race

// The race detector needs several times the memory.

package query_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/streams"
)

// childVariable makes this test program a query service in a process of its own.
const childVariable = "SEALSTREAM_TEST_QUERY"

type child struct {
	URL, Key, Addr string
	Memory         int64
}

func TestMain(m *testing.M) { logtest.Main(m, childVariable, serveChild) }

func serveChild(ctx context.Context, c child) error {
	log, err := logtest.Dial(ctx, c.URL, "secret")
	if err != nil {
		return err
	}
	q, err := query.New(query.Config{Log: log, Keys: []string{c.Key}, Memory: c.Memory})
	if err != nil {
		return err
	}
	go q.Run(ctx)
	face := httpapi.Face{Addr: c.Addr}
	l, err := face.Listen()
	if err != nil {
		return err
	}
	return httpapi.Serve(ctx, face.Server(q.Handler()), l, time.Second)
}

// TestHungryReaders lets many clients ask a query service, in a process of its own, for all that
// takes memory: large pages, traces, proofs, tiles, counts, exports and streams. Most of them read
// slowly, or nothing. The memory of the process must not grow by more than its budget for reads and
// a tenth. Every answer is whole, cut off, or 503 with Retry-After. Afterwards, the service answers.
func TestHungryReaders(t *testing.T) {
	const budget = hungryBudget
	s := logtest.Server(t, natsd.Config{Password: "secret", Relaxed: true})
	_, log := logtest.Open(t, s, streams.Config{Log: logtest.Name})
	f := logtest.New(t, log, nil)
	size := hungryLog(f)
	c := child{s.ClientURL(), f.Key, logtest.FreeAddr(t), budget}
	process := logtest.Child(t, childVariable, c, nil)
	logtest.Until(t, "the service to be ready", func() bool {
		resp, err := http.Get("http://" + c.Addr + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	h := &hungry{T: t, addr: c.Addr, size: size}
	h.fill(32, time.Second) // so that what any reader needs is there: connections, buffers, the heap's reserve
	rest := anonymous(t, process.Process.Pid)
	ctx, stop := context.WithTimeout(t.Context(), hungryFor)
	defer stop()
	most := atomic.Int64{}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for ctx.Err() == nil {
			most.Store(max(most.Load(), anonymous(t, process.Process.Pid)))
			time.Sleep(20 * time.Millisecond)
		}
	}()
	h.run(ctx)
	<-watched
	grown := most.Load() - rest
	t.Logf("%d MiB of its own at rest, %d more under load; answers %v", rest>>20, grown>>20, &h.answers)
	if grown > budget+budget/10 {
		t.Errorf("the process grew by %d MiB, its budget is %d MiB", grown>>20, budget>>20)
	}
	for name := range h.answers.counts {
		if strings.HasPrefix(name, "5") && name != "503 Retry-After" || strings.HasPrefix(name, "4") {
			t.Errorf("an answer is %s", name)
		}
	}
	if h.answers.counts["200"] == 0 {
		t.Error("no answer was whole")
	}
	logtest.Until(t, "the service to answer as before", func() bool {
		resp, err := http.Get("http://" + c.Addr + "/v1/entries?limit=1000")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		return resp.StatusCode == http.StatusOK && err == nil && n > 1<<20
	})
}

// hungryLog seals entries with 20 KB of data each, all of one trace.
func hungryLog(f *logtest.Fixture) (size uint64) {
	f.Helper()
	data := strings.Repeat("data ", 4000)
	for m := range hungryMessages {
		var body bytes.Buffer
		for i := range 40 {
			body.WriteByte("[,"[min(i, 1)])
			fmt.Fprintf(&body, `{"specversion":"1.0","id":"%d-%d","source":"did:web:agent-%d.example.com",`+
				`"type":"ai.agentmesh.tool.invoked","traceid":"t","sessionid":"s","data":{"x":%q}}`, m, i, (40*m+i)%300, data)
		}
		body.WriteByte(']')
		f.Append("audit.default.events.open", body.Bytes())
	}
	return f.Seal()
}

// hungry is many clients that read all at once.
type hungry struct {
	*testing.T
	addr    string
	size    uint64
	answers tallies
}

// tallies counts answers by their kind.
type tallies struct {
	mu     sync.Mutex
	counts map[string]int
}

func (a *tallies) add(kind string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.counts == nil {
		a.counts = map[string]int{}
	}
	a.counts[kind]++
}

func (a *tallies) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return fmt.Sprint(a.counts)
}

// fill reads small answers with some clients for a while.
func (h *hungry) fill(clients int, d time.Duration) {
	ctx, stop := context.WithTimeout(h.Context(), d)
	defer stop()
	h.together(ctx, clients, func(r *rand.Rand) { h.read(ctx, fmt.Sprintf("/v1/entries/%d/proof", r.Uint64N(h.size)), 0) })
}

// run reads everything, in all ways.
func (h *hungry) run(ctx context.Context) {
	h.together(ctx, hungryClients, func(r *rand.Rand) {
		paths := h.paths(r)
		// at full speed, slowly, or nothing after the header
		h.read(ctx, paths[r.IntN(len(paths))], []int{0, 0, 4 << 10, -1}[r.IntN(4)])
	})
}

func (h *hungry) together(ctx context.Context, clients int, read func(*rand.Rand)) {
	var all sync.WaitGroup
	for n := range clients {
		all.Go(func() {
			for r := rand.New(rand.NewPCG(uint64(n), 1)); ctx.Err() == nil; {
				read(r)
			}
		})
	}
	all.Wait()
}

// paths are one path of each kind that takes memory.
func (h *hungry) paths(r *rand.Rand) []string {
	var deep strings.Builder
	for n := range 256 {
		fmt.Fprintf(&deep, "&agent=did:web:agent-%d.example.com", n)
	}
	x := r.Uint64N(h.size)
	return []string{
		"/v1/entries?limit=1000", "/v1/entries?limit=1000&raw=1", "/v1/entries?limit=1000&proof=1",
		"/v1/entries?limit=1000" + deep.String(), "/v1/traces/t", "/v1/sessions/s", "/v1/counts?top=1000",
		fmt.Sprintf("/v1/entries/%d?raw=1", x), fmt.Sprintf("/v1/entries/%d/proof?raw=1", x),
		fmt.Sprintf("/tile/entries/%03d", x/256-x/256/(h.size/256)), fmt.Sprintf("/v1/consistency?from=%d&to=%d", x, h.size),
		"/v1/export", "/v1/export?format=cloudevents" + deep.String(), "/v1/stream?from_index=0",
		fmt.Sprintf("/v1/stream?from_index=%d&proof=1", x),
	}
}

// read reads an answer for some seconds at most: a few bytes at a time, or with 0 as fast as it
// comes, or with -1 nothing.
func (h *hungry) read(ctx context.Context, path string, slowly int) {
	ctx, stop := context.WithTimeout(ctx, 3*time.Second)
	defer stop()
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil && slowly != 0 {
			err = c.(*net.TCPConn).SetReadBuffer(16 << 10)
		}
		return c, err
	}
	web := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true, ReadBufferSize: 4 << 10}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+h.addr+path, nil)
	if err != nil {
		panic(err)
	}
	resp, err := web.Do(req)
	if err != nil {
		h.answers.add("no answer in time")
		return
	}
	defer resp.Body.Close()
	kind := strconv.Itoa(resp.StatusCode)
	if resp.Header.Get("Retry-After") != "" {
		kind += " Retry-After"
	}
	switch {
	case slowly < 0:
		<-ctx.Done()
		err = ctx.Err()
	case slowly > 0:
		for err == nil {
			_, err = io.CopyN(io.Discard, resp.Body, int64(slowly))
			time.Sleep(20 * time.Millisecond)
		}
	default:
		_, err = io.Copy(io.Discard, resp.Body)
	}
	if err != nil && err != io.EOF {
		kind = "cut"
	}
	h.answers.add(kind)
}

// anonymous is the memory of a process that no file backs, in bytes.
func anonymous(t *testing.T, pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Error(err)
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10
		}
	}
	t.Error("no RssAnon")
	return 0
}
