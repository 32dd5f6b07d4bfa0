package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/node"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/streams/subject"
)

// upWith starts a log with the recorded events in it.
func upWith(t *testing.T, args ...string) *node.Node {
	t.Helper()
	n, err := node.Up(t.Context(), node.UpConfig{
		Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	if out, errs, code := call(t.Context(), n, "import", "../../internal/demo/tau-airline.jsonl"); code != 0 {
		t.Fatalf("import: %d %s %s", code, out, errs)
	}
	return n
}

// call runs the program in this process.
func call(ctx context.Context, n *node.Node, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	code = run(ctx, append(args, "--server", n.URL()), strings.NewReader(""), &out, &errs)
	return out.String(), errs.String(), code
}

// mark is what a replayed event says of itself.
type mark struct {
	Type, ID, Source, SealReplay, SealIndex, SealHash string
	Data                                              json.RawMessage
}

// entriesOf are the entries as the API shows them.
func entriesOf(t *testing.T, n *node.Node) (list []struct {
	Index               uint64
	EntryID             string `json:"entry_id"`
	EntryHash           string `json:"entry_hash"`
	EventType, AgentDID string
	Data                json.RawMessage
}) {
	t.Helper()
	out, errs, code := call(t.Context(), n, "query", "--order", "asc", "--limit", "1000", "--json")
	var p struct{ Entries json.RawMessage }
	err := json.Unmarshal([]byte(out), &p)
	if err == nil {
		err = json.Unmarshal(p.Entries, &list)
	}
	if code != 0 || err != nil {
		t.Fatalf("query: %d %s %v", code, errs, err)
	}
	return list
}

// TestReplayOntoNATS: whoever listens gets all of it, in order, marked; and none of it is an event,
// whichever way it is sent in again.
func TestReplayOntoNATS(t *testing.T) {
	n := upWith(t)
	nc, err := nats.Connect(n.NATSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("audit.default.replay.>")
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, errs, code := call(t.Context(), n, "replay", "--speed", "max", "--to", "audit.default.replay.night",
		"--context", n.Dir().Join("replay.json")); code != 0 ||
		errs != "replayed 714 events as night\n" || out != "" {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	entries := entriesOf(t, n)
	if len(entries) != 714 {
		t.Fatalf("%d entries", len(entries))
	}
	var messages [][]byte
	for i, e := range entries {
		m, err := sub.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var r mark
		if err := json.Unmarshal(m.Data, &r); err != nil {
			t.Fatal(err)
		}
		if m.Subject != "audit.default.replay.night" ||
			m.Header.Get("Content-Type") != "application/cloudevents+json; charset=UTF-8" ||
			r.SealIndex != fmt.Sprint(i) || r.SealHash != e.EntryHash || r.ID != e.EntryID || r.SealReplay != "night" ||
			!strings.HasPrefix(r.Type, "sealstream.replay.") || !bytes.Equal(compact(t, r.Data), compact(t, e.Data)) {
			t.Fatalf("message %d on %s: %.400s", i, m.Subject, m.Data)
		}
		messages = append(messages, m.Data)
	}
	checkRefused(t, n, nc, messages[:40])

	// Whoever has no right to publish replays is told, and not left to believe that it was heard.
	if out, errs, code := call(t.Context(), n, "replay", "--speed", "max", "--to", "audit.default.replay.night",
		"--nats", n.NATSURL()); code != 2 ||
		!strings.Contains(strings.ToLower(errs), "permissions violation") ||
		!strings.Contains(errs, "stopped after 0 events; continue with --from-index 0") {
		t.Errorf("%d %s %s", code, out, errs)
	}
}

func compact(t *testing.T, raw []byte) []byte {
	t.Helper()
	if raw == nil {
		return nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// checkRefused sends replayed events in as events: raw on NATS, over HTTP one by one and as a batch, and by the SDK.
func checkRefused(t *testing.T, n *node.Node, nc *nats.Conn, messages [][]byte) {
	t.Helper()
	before := len(entriesOf(t, n))
	for _, raw := range messages {
		var r mark
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{subject.AgentToken(r.Source), "open"} {
			if _, err := nc.Request("audit.default.events."+token, raw, 10*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		status, body := post(t, n.URL()+"/v1/events?wait=sealed", "application/cloudevents+json", raw)
		if status != http.StatusBadRequest || !strings.Contains(body, "reserved for the log itself") {
			t.Fatalf("POST: %d %s", status, body)
		}
	}
	batch := append(append([]byte("["), bytes.Join(messages, []byte(","))...), ']')
	if status, body := post(t, n.URL()+"/v1/events?wait=sealed", "application/cloudevents-batch+json",
		batch); status != http.StatusOK ||
		strings.Count(body, `"status":"rejected"`) != len(messages) {
		t.Fatalf("POST of a batch: %d %s", status, body)
	}
	c, err := client.New(client.Config{Server: n.URL(), Key: n.Key()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if _, err := c.Log(t.Context(), client.Event{Agent: "a", Type: "sealstream.replay.x"}); err == nil {
		t.Error("the SDK takes a replayed type")
	}
	// A real event behind them: when it is sealed, so are they, as what was rejected.
	if _, errs, code := call(t.Context(), n, "log", "--agent", "a", "--type", "end"); code != 0 {
		t.Fatal(errs)
	}
	found := 0
	// query is a moment behind the seal
	for end := time.Now().Add(10 * time.Second); found != 2*len(messages); time.Sleep(5 * time.Millisecond) {
		out, errs, code := call(t.Context(), n, "query", "--order", "asc", "--limit", "1000", "--json", "--type",
			"sealstream.rejected")
		found = strings.Count(out, ` is reserved for the log itself","size":`) // the type before it may be hidden
		if code != 0 || time.Now().After(end) {
			t.Fatalf("%d rejected entries, want %d: %s %.500s", found, 2*len(messages), errs, out)
		}
	}
	if now := len(entriesOf(t, n)); now != before+2*len(messages)+1 {
		t.Errorf("%d entries came of it, want %d", now-before, 2*len(messages)+1)
	}
}

func post(t *testing.T, url, kind string, body []byte) (int, string) {
	t.Helper()
	resp, err := http.Post(url, kind, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestReplayOverHTTP: structured, and in batches; what fails for a while is sent again; and an ingest refuses it.
func TestReplayOverHTTP(t *testing.T) {
	n := upWith(t)
	var mu sync.Mutex
	var got []mark
	var kinds = map[string]int{}
	fail := 2
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if fail--; fail >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, _ := io.ReadAll(r.Body)
		kind := r.Header.Get("Content-Type")
		kinds[kind]++
		if kind == "application/cloudevents+json" {
			body = append(append([]byte("["), body...), ']')
		}
		var list []mark
		if err := json.Unmarshal(body, &list); err != nil {
			t.Error(err)
		}
		got = append(got, list...)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer receiver.Close()
	for _, batch := range []string{"1", "64"} {
		got, fail = nil, 1
		_, errs, code := call(t.Context(), n, "replay", "--speed", "max", "--to", receiver.URL, "--batch", batch,
			"--name", "again", "--outcome", "failure")
		if code != 0 || errs != fmt.Sprintf("replayed %d events as again\n", len(got)) || len(got) < 90 {
			t.Fatalf("batch %s: %d %s, %d received", batch, code, errs, len(got))
		}
		for i, r := range got {
			if r.SealReplay != "again" || i > 0 && len(r.SealIndex) == len(got[i-1].SealIndex) &&
				r.SealIndex <= got[i-1].SealIndex {
				t.Fatalf("event %d: %+v", i, r)
			}
		}
	}
	if kinds["application/cloudevents+json"] < 90 || kinds["application/cloudevents-batch+json"] > 10 ||
		len(kinds) != 2 {
		t.Errorf("%v", kinds)
	}
	for _, batch := range []string{"1", "64"} {
		_, errs, code := call(t.Context(), n, "replay", "--speed", "max", "--to", n.URL()+"/v1/events", "--batch",
			batch)
		if code != 1 || !strings.Contains(errs, "reserved for the log itself") ||
			!strings.Contains(errs, "stopped after 0 events") {
			t.Errorf("batch %s to ingest: %d %s", batch, code, errs)
		}
	}
	if entries := entriesOf(t, n); len(entries) != 714 {
		t.Errorf("%d entries", len(entries))
	}
}

// TestReplayStops: a replay that is interrupted says where, and goes on there.
func TestReplayStops(t *testing.T) {
	n := upWith(t)
	args := []string{"replay", "--json", "--name", "x", "--type", "policy_violation", "--type", "policy_evaluation"}
	whole, _, code := call(t.Context(), n, append(args, "--speed", "max")...)
	if code != 0 || strings.Count(whole, "\n") != 141 {
		t.Fatalf("%d, %d lines", code, strings.Count(whole, "\n"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	var first, errs bytes.Buffer
	done := make(chan int)
	go func() {
		// hours from one message of events to the next
		code := run(ctx, append(args, "--speed", "0.001x", "--server", n.URL()), nil, writer, &errs)
		writer.Close()
		done <- code
	}()
	b := make([]byte, 64<<10)
	for first.Len() == 0 || first.Bytes()[first.Len()-1] != '\n' {
		k, err := reader.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		first.Write(b[:k])
	}
	cancel()
	rest, _ := io.ReadAll(reader)
	first.Write(rest)
	if code := <-done; code != 0 {
		t.Fatalf("%d %s", code, errs.String())
	}
	at := regexp.MustCompile(`^stopped after \d+ events?; continue with --from-index (\d+)\n$`).
		FindStringSubmatch(errs.String())
	if at == nil {
		t.Fatalf("%s", errs.String())
	}
	again, _, code := call(t.Context(), n, append(args, "--speed", "max", "--from-index", at[1])...)
	if code != 0 || first.String()+again != whole || again == "" {
		t.Errorf("%d: the parts do not make the whole: %d and %d of %d bytes", code, first.Len(), len(again),
			len(whole))
	}
}

func TestReplayRefused(t *testing.T) {
	n := upWith(t)
	for _, c := range [][2]string{
		{"--speed fast", "--speed"}, {"--speed 0x", "--speed"}, {"--speed -1x", "--speed"}, {"--speed NaNx", "--speed"}, {"--batch 0", "--batch"}, {"--batch 257", "--batch"},
		{"--to audit.default.events.open", "nor a subject audit.default.replay.NAME"}, {"--to audit.default.replay.", "nor a subject"}, {"--to audit.default.replay.>", "nor a subject"},
		{"--to audit.other.replay.x", "nor a subject"}, {"--to http://", "no host"}, {"--to ftp://x", "nor a subject"}, {"--from tomorrow", "since"}, {"--max-pause -1s", "--max-pause"},
		{"--from-index 9007199254740992", "from_index"},
	} {
		if _, errs, code := call(t.Context(), n, append([]string{"replay"}, strings.Fields(c[0])...)...); code != 2 ||
			!strings.Contains(errs, c[1]) {
			t.Errorf("%s: %d %s", c[0], code, errs)
		}
	}
}

// TestPace: pauses are those of the times received, by the speed, from the first on; what is late is not waited for.
func TestPace(t *testing.T) {
	at := func(s float64) string { return canonical.FormatReceived(time.Unix(1e9, int64(s*1e9))) }
	synctest.Test(t, func(t *testing.T) {
		p := pace{speed: 10, maxPause: time.Minute}
		for _, c := range []struct{ received, spent, want float64 }{
			{0, 0, 0}, {0, 0, 0}, {10, 0, 1}, {20, 3, -2}, {30, 0, -1}, {25, 0, -1}, {35, 0, 0}, {50, 0, 1.5}, {1e7, 0, 60},
		} {
			time.Sleep(time.Duration(c.spent * 1e9))
			wait, err := p.until(at(c.received))
			if err != nil || wait != time.Duration(c.want*1e9) {
				t.Errorf("%v: wait %v %v", c, wait, err)
			}
			if again, _ := p.until(at(c.received)); again != wait {
				t.Errorf("%v: asked again, %v", c, again)
			}
			if wait > 0 {
				time.Sleep(wait)
			}
		}
		if wait, err := (&pace{speed: math.Inf(1)}).until("any"); wait != 0 || err != nil {
			t.Error(wait, err)
		}
	})
}
