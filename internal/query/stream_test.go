package query_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/pkg/entry"
)

// sseEvent is what a browser makes of a server-sent event.
type sseEvent struct{ id, name, data string }

// sseReader reads a stream as the HTML standard says. A block that is cut off is no event.
type sseReader struct{ *bufio.Reader }

func (r sseReader) next() (e sseEvent, comment bool, err error) {
	var data []string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return e, false, err
		}
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && data == nil && e.id == "":
			return e, true, nil
		case line == "":
			e.data = strings.Join(data, "\n")
			return e, false, nil
		case field == "id":
			e.id = value
		case field == "event":
			e.name = value
		case field == "data":
			data = append(data, value)
		}
	}
}

// stream opens a stream that must begin.
func (f *fixture) stream(ctx context.Context, c *http.Client, path string, last string) (sseReader, io.Closer) {
	f.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", f.server.URL+path, nil)
	if err != nil {
		f.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := c.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		b, _ := io.ReadAll(res.Body)
		f.Fatalf("%s: %s %s", path, res.Status, b)
	}
	return sseReader{bufio.NewReaderSize(res.Body, 4096)}, res.Body
}

// follower is one client of the test of many: what it asks for, what it must get, and how it behaves.
type follower struct {
	filter url.Values
	want   []uint64
	have   []uint64
	slow   bool          // takes its time over every few events
	breaks int           // goes away after about so many events, and comes again
	hold   chan struct{} // reads nothing before this is closed; nil: reads at once
}

// run reads until all is there, and says what is wrong.
func (c *follower) run(f *fixture, r *rand.Rand) error {
	client := &http.Client{Transport: &http.Transport{}} // a connection of its own
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(f.Context(), 2*time.Minute)
	defer cancel()
	c.filter.Set("from_index", "0")
	for last := ""; len(c.have) < len(c.want); {
		s, body := f.stream(ctx, client, "/v1/stream?"+c.filter.Encode(), last)
		if c.hold != nil {
			<-c.hold
		}
		left := -1
		if c.breaks > 0 {
			left = 1 + r.IntN(2*c.breaks)
		}
		for ; left != 0 && len(c.have) < len(c.want); left-- {
			e, comment, err := s.next()
			if err != nil {
				break // come again
			}
			if comment {
				continue
			}
			x, err := strconv.ParseUint(e.id, 10, 64)
			if err != nil || !strings.Contains(e.data, `"index":`+e.id+",") {
				body.Close()
				return fmt.Errorf("event %+v", e)
			}
			if c.have, last = append(c.have, x), e.id; c.slow && x%64 == 0 {
				time.Sleep(100 * time.Microsecond)
			}
		}
		body.Close()
		if ctx.Err() != nil {
			return fmt.Errorf("%v: time is up at %d of %d", c.filter, len(c.have), len(c.want))
		}
	}
	if !slices.Equal(c.have, c.want) {
		return fmt.Errorf("%v: not whole, once and in order", c.filter)
	}
	return nil
}

// TestStreamsWhole: slow and fast readers, such that go away and come again, and such that stand
// still, while the log grows: each gets its filtered stream whole, once, in order, and those that
// stand still hold up nobody.
func TestStreamsWhole(t *testing.T) {
	defer query.FullParts()()
	n, readers := 100_000, 200
	if testing.Short() {
		n = 10_000
	}
	p := newPress(t)
	f := &fixture{T: t, log: p.log, key: p.signer.VerifierKey(), size: uint64(n) + 1}
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}, StreamStall: time.Minute})
	f.size = 1
	f.await()

	by := map[string][]uint64{}
	batches := make([][][]byte, 0, n/200)
	for i := 0; i < n; {
		var events [][]byte
		for ; i < n && len(events) < 200; i++ {
			agent, kind := fmt.Sprintf("did:web:a%d.example.com", i*7%40), "ai.agentmesh.tool.invoked"
			if i%20 == 0 {
				kind = "ai.agentmesh.policy.violation"
				by["policy_violation"] = append(by["policy_violation"], uint64(i+1))
			}
			by[agent], by[""] = append(by[agent], uint64(i+1)), append(by[""], uint64(i+1))
			events = append(events,
				fmt.Appendf(nil, `{"specversion":"1.0","id":"%d","source":%q,"type":%q,"data":{"n":%d,`+"\n"+
					`"text":"a\nb"}}`, i, agent, kind, i))
		}
		batches = append(batches, events)
	}
	r := rand.New(rand.NewPCG(2, 0))
	list := make([]*follower, readers)
	var stalled []*follower
	hold := make(chan struct{})
	for i := range list {
		c := &follower{filter: url.Values{}, slow: i%3 == 1}
		switch a, b := fmt.Sprintf("did:web:a%d.example.com", i%40), fmt.Sprintf("did:web:a%d.example.com", (i+1)%40); {
		case i < 4: // everything, the log's config too
			c.want = append([]uint64{0}, by[""]...)
		case i < 10:
			c.filter, c.want = url.Values{"type": {"policy_violation"}}, by["policy_violation"]
		case i < 30:
			c.filter, c.want = url.Values{"agent": {a, b}}, append(slices.Clone(by[a]), by[b]...)
			slices.Sort(c.want)
		default:
			c.filter, c.want = url.Values{"agent": {a}}, by[a]
		}
		if i%5 == 2 {
			c.breaks = max(1, len(c.want)/6)
		}
		if list[i] = c; i == 2 || i == 40 || i == 80 {
			c.hold, c.breaks = hold, 0
			stalled = append(stalled, c)
		}
	}
	var reading, standing sync.WaitGroup
	start := func(c *follower) {
		group := &reading
		if c.hold != nil {
			group = &standing
		}
		seed := r.Uint64()
		group.Go(func() {
			if err := c.run(f, rand.New(rand.NewPCG(seed, 1))); err != nil {
				t.Error(err)
			}
		})
	}
	for i, events := range batches { // some are there before all, some come while the log grows
		for len(list) > 0 && (i*readers/len(batches) >= readers-len(list) || len(list) > readers/2) {
			start(list[0])
			list = list[1:]
		}
		p.seal(events...)
	}
	for _, c := range list {
		start(c)
	}
	reading.Wait()
	for _, c := range stalled {
		if len(c.have) > 0 {
			t.Error("a reader that was to stand still has read")
		}
	}
	if d := f.q.StreamStats().Dropped; d != 0 {
		t.Errorf("%d streams were dropped before their time", d)
	}
	close(hold)
	standing.Wait()
	s := f.q.StreamStats()
	t.Logf("%d entries, %d streams, %d events sent", n, readers, s.Sent)
}

// TestStalledStreamIsDropped: and its reader can go on where it was.
func TestStalledStreamIsDropped(t *testing.T) {
	p := newPress(t)
	const n = 12_000
	want := []uint64{0}
	for i := 0; i < n; {
		var events [][]byte
		for range 200 {
			i++
			events = append(events, event(fmt.Sprint(i), map[string]any{"data": strings.Repeat("x", 1000)}))
			want = append(want, uint64(i))
		}
		p.seal(events...)
	}
	f := &fixture{T: t, log: p.log, key: p.signer.VerifierKey(), size: n + 1}
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}, StreamStall: 50 * time.Millisecond})
	f.await()
	c := &follower{filter: url.Values{}, want: want, hold: make(chan struct{})}
	go func() {
		defer close(c.hold)
		for f.q.StreamStats().Dropped == 0 && f.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	if err := c.run(f, nil); err != nil {
		t.Fatal(err)
	}
	if f.q.StreamStats().Dropped == 0 {
		t.Error("the stream was not dropped")
	}
}

// expect reads one event of an index.
func (s sseReader) expect(t *testing.T, index uint64) sseEvent {
	t.Helper()
	for {
		e, comment, err := s.next()
		if err != nil {
			t.Fatal(err)
		}
		if comment {
			continue
		}
		if e.id != fmt.Sprint(index) || e.name != "" {
			t.Fatalf("event %+v, want index %d", e, index)
		}
		return e
	}
}

func TestStream(t *testing.T) {
	f := newFixture(t)
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}, Heartbeat: 5 * time.Millisecond, MaxStreams: 8})
	f.publishAll(tau(t, 20), 20)
	ctx, cancel := context.WithTimeout(t.Context(), logtest.Bound)
	defer cancel()
	c := f.server.Client()
	open := func(path, last string) sseReader {
		s, body := f.stream(ctx, c, path, last)
		t.Cleanup(func() { body.Close() })
		return s
	}
	live := open("/v1/stream?agent=live", "")
	after := open("/v1/stream?from_index=3&log=default", "17") // Last-Event-ID counts
	history := open("/v1/stream?type=policy_violation&type=agent_invocation&from_index=0", "")
	end := open("/v1/stream", "20") // there is no later one yet

	var p page
	f.get("/v1/entries?type=policy_violation&type=agent_invocation", &p)
	for i, x := range p.indexes(t) {
		if e := history.expect(t, x); e.data != string(p.Entries[i]) {
			t.Errorf("index %d:\n%.200s\n%.200s", x, e.data, p.Entries[i])
		}
	}
	if len(p.Entries) == 0 {
		t.Fatal("nothing to see")
	}
	for _, x := range []uint64{18, 19, 20} {
		after.expect(t, x)
	}
	for beats := 0; beats < 3; beats++ { // nothing to send
		if e, comment, err := live.next(); !comment || err != nil {
			t.Fatalf("%+v %v", e, err)
		}
	}
	data := "{\n  \"a\": [\r\n1,\r2]\n}"
	raw := fmt.Sprintf(`{"specversion":"1.0","id":"x","source":"live","type":"t","data":%s}`, data)
	f.publishAll([][]byte{[]byte(raw), event("21b", map[string]any{"source": "live"})}, 2)
	var e struct{ Data struct{ A []int } }
	if err := json.Unmarshal([]byte(live.expect(t, 21).data), &e); err != nil || !slices.Equal(e.Data.A, []int{1, 2}) {
		t.Errorf("data in lines: %+v %v", e, err)
	}
	live.expect(t, 22)
	end.expect(t, 21)
	after.expect(t, 21)

	for path, param := range map[string]string{
		"/v1/stream?limit=1": "limit", "/v1/stream?from_index=-1": "from_index", "/v1/stream?from_index=x": "from_index", "/v1/stream?from_index=1&from_index=2": "from_index",
		"/v1/stream?from=x": "from", "/v1/stream?agent=": "agent", "/v1/stream?from_index=9007199254740992": "from_index", "/v1/stream?raw=1": "raw",
		"/v1/entries?from_index=1": "from_index", "/v1/entries?from_index=1&order=desc": "from_index", "/v1/entries?from_index=1&order=asc&cursor=x": "from_index",
		"/v1/entries?before_index=1&order=asc": "before_index", "/v1/entries?before_index=0": "before_index", "/v1/entries?before_index=1&cursor=x": "before_index", "/v1/entries?before_index=-1": "before_index",
	} {
		if p := f.refused(400, "GET", path); p.Parameter != param {
			t.Errorf("%s names %q", path, p.Parameter)
		}
	}
	for _, id := range []string{"x", "-1", "01", "9999999999999999999"} {
		if a := f.do("GET", "/v1/stream", "Last-Event-ID", id); a.StatusCode != 400 {
			t.Errorf("Last-Event-ID %q: %s", id, a.Status)
		}
	}
	f.get("/v1/entries?from_index=20&order=asc&limit=2", &p)
	if got := p.indexes(t); !slices.Equal(got, []uint64{20, 21}) || p.NextCursor == nil {
		t.Errorf("from_index=20: %v", got)
	}
	f.get("/v1/entries?before_index=20&limit=2", &p)
	if got := p.indexes(t); !slices.Equal(got, []uint64{18, 19}) || p.NextCursor == nil {
		t.Errorf("before_index=20: %v", got)
	}
	f.get("/v1/entries?cursor="+*p.NextCursor+"&limit=2", &p)
	if got := p.indexes(t); !slices.Equal(got, []uint64{16, 17}) {
		t.Errorf("behind before_index=20: %v", got)
	}
	f.get("/v1/entries?from_index=23&order=asc", &p)
	if got := p.indexes(t); len(got) != 0 || p.NextCursor != nil {
		t.Errorf("from_index=23: %v", got)
	}

	// No more than are allowed; and when the service ends, so do they.
	for range 4 {
		open("/v1/stream", "")
	}
	f.refused(503, "GET", "/v1/stream")
	if a := f.do("HEAD", "/v1/entries"); a.StatusCode != 200 {
		t.Error(a.Status)
	}
	f.q.EndStreams()
	f.q.EndStreams()
	for {
		if _, _, err := live.next(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestStreamOutlivesItsRequest: the time that a server gives a request to be read is none for a stream.
func TestStreamOutlivesItsRequest(t *testing.T) {
	f := newFixture(t)
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}, Heartbeat: 5 * time.Millisecond})
	f.await()
	s := httptest.NewUnstartedServer(f.q.Handler())
	s.Config.ReadTimeout = 20 * time.Millisecond
	s.Start()
	defer s.Close()
	f.server = s
	ctx, cancel := context.WithTimeout(t.Context(), logtest.Bound)
	defer cancel()
	r, body := f.stream(ctx, s.Client(), "/v1/stream", "")
	defer body.Close()
	for range 20 {
		if _, _, err := r.next(); err != nil {
			t.Fatal(err)
		}
	}
	f.publishAll([][]byte{event("1", nil)}, 1)
	r.expect(t, 1)
}

// TestStreamOfABadLog: silence must not look like peace.
func TestStreamOfABadLog(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 20), 10)
	copied := copyOf(t, f.log)
	f.publishAll(tau(t, 30)[20:], 10)
	m := f.find(21)
	bad := entry.Message{Subject: m.Subject, Header: m.Header, Data: bytes.Clone(m.Data)}
	flip(t, bad.Data, `"outcome":"`)
	f.log, f.size = copied, 21
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}})
	f.await()
	ctx, cancel := context.WithTimeout(t.Context(), logtest.Bound)
	defer cancel()
	for range 2 { // one that is open, and one that comes after
		s, body := f.stream(ctx, f.server.Client(), "/v1/stream?from_index=20", "")
		defer body.Close()
		s.expect(t, 20)
		if !f.q.Status().Corrupt {
			if _, err := f.log.Sealed.Append(t.Context(), bad, nil); err != nil {
				t.Fatal(err)
			}
		}
		e, _, err := s.next()
		var p problem
		if json.Unmarshal([]byte(e.data), &p); err != nil || e.name != "problem" || e.id != "" || p.Status != 500 ||
			p.Index == nil || *p.Index != 21 {
			t.Fatalf("%+v %v", e, err)
		}
		if _, _, err := s.next(); err != io.EOF {
			t.Errorf("the stream goes on: %v", err)
		}
	}
}

// TestStreamOfErased: data that was sent before its erasure is not sent after.
func TestStreamOfErased(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 10), 10)
	ctx, cancel := context.WithTimeout(t.Context(), logtest.Bound)
	defer cancel()
	check := func(want bool) {
		s, body := f.stream(ctx, f.server.Client(), "/v1/stream?from_index=3", "")
		defer body.Close()
		for x := uint64(3); x < 6; x++ {
			if e := s.expect(t, x); strings.Contains(e.data, `"data":`) != (want || x == 5) {
				t.Errorf("index %d, erased %t: %.300s", x, !want, e.data)
			}
		}
	}
	check(true)
	erasure := entry.Erasure{Indexes: []uint64{3, 4}, Reason: "asked for", Authority: "the person concerned"}
	control := inbox.FormatControl(uuid.NewString(), f.signer.Origin(), entry.TypeErasure, erasure.AppendJSON(nil))
	if _, err := f.log.Events.Append(t.Context(), entry.Message{Subject: "audit.default.control", Data: control},
		nil); err != nil {
		t.Fatal(err)
	}
	f.size++
	f.await()
	check(false)
}
