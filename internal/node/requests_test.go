package node

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/streams/subject"
)

// TestRequests sends events as an agent without credentials does, as NATS requests in all three modes.
func TestRequests(t *testing.T) {
	n := upForTest(t)
	nc, err := nats.Connect(n.NATSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	const agent = "did:web:a.example"
	own, open := subject.Submit("default", subject.AgentToken(agent)), subject.Submit("default", "open")
	event := func(id, source string) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":%q,"type":"t","data":{"n":%q}}`, id, source, id)
	}
	binary := nats.Header{
		"ce-specversion": {"1.0"}, "ce-id": {"b-1"}, "ce-source": {agent}, "ce-type": {"t"},
		"content-type": {"application/json"},
	}
	for _, c := range []struct {
		name, subject, body string
		header              nats.Header
		want                string // status of each receipt, or the code of the error
	}{
		{"structured", own, event("s-1", agent), nil, "stored"},
		{"batch with another's event", own, "[" + event("s-2", agent) + "," + event("s-3", "did:web:b.example") + ",7]", nil, "stored rejected rejected"},
		{"binary", own, `{"n":1}`, binary, "stored"},
		{"any source", open, event("o-1", "did:web:b.example"), nil, "stored"},
		{"sealed", own, event("s-4", agent), nats.Header{"Sealstream-Wait": {"sealed"}}, "sealed"},
		{"repeated", own, event("s-4", agent), nats.Header{"Sealstream-Wait": {"sealed"}}, "duplicate"},
		{"another's event", own, event("s-5", "did:web:b.example"), nil, "400"},
		{"no event", own, "7", nil, "400"},
		{"no event, in binary", own, "", nats.Header{"ce-specversion": {"1.0"}}, "400"},
		{"no batch", own, "[", nil, "400"},
		{"a wrong wait", own, event("s-6", agent), nats.Header{"Sealstream-Wait": {"ever"}}, "400"},
		{"sealed, in other letters", own, event("s-7", agent), nats.Header{"sealstream-WAIT": {" sealed "}}, "sealed"},
		{"two waits", own, event("s-6", agent), nats.Header{"Sealstream-Wait": {"stored", "sealed"}}, "400"},
		{"two waits in other letters", own, event("s-6", agent), nats.Header{"Sealstream-Wait": {"stored"}, "sealstream-wait": {"stored"}}, "400"},
		{"an empty wait", own, event("s-8", agent), nats.Header{"Sealstream-Wait": {""}}, "stored"},
		{"witnessed", own, event("s-6", agent), nats.Header{"Sealstream-Wait": {"witnessed"}}, "501"},
		{"sealed, proven", own, event("s-9", agent), nats.Header{"Sealstream-Wait": {"sealed"}, "Sealstream-Proof": {"1"}}, "sealed with proof"},
		{"stored, proven", own, event("s-6", agent), nats.Header{"Sealstream-Proof": {"1"}}, "400"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := nc.RequestMsg(&nats.Msg{Subject: c.subject, Header: c.header, Data: []byte(c.body)},
				10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if got := requestOutcome(t, m); got != c.want {
				t.Errorf("%s, want %s; header %v, body %s", got, c.want, m.Header, m.Data)
			}
		})
	}
}

func requestOutcome(t *testing.T, m *nats.Msg) string {
	t.Helper()
	var body struct {
		Receipts []api.Receipt
		Status   int
		Detail   string
	}
	if err := json.Unmarshal(m.Data, &body); err != nil {
		t.Fatal(err)
	}
	if code := m.Header.Get("Nats-Service-Error-Code"); code != "" {
		if fmt.Sprint(body.Status) != code || body.Detail == "" || m.Header.Get("Nats-Service-Error") == "" {
			t.Errorf("code %s with %s", code, m.Data)
		}
		return code
	}
	list := make([]string, len(body.Receipts))
	for i, r := range body.Receipts {
		if list[i] = r.Status; r.ProofAt != nil {
			list[i] += " with proof"
		}
	}
	return strings.Join(list, " ")
}

// TestRequestsShareMessages: requests that come together are one message on EVENTS, and each has its own place in it.
func TestRequestsShareMessages(t *testing.T) {
	n := upForTest(t)
	nc, err := nats.Connect(n.NATSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	before, err := n.pipeline.log.Events.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const agents, each = 64, 20
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var mu sync.Mutex
	places := map[[2]uint64]string{}
	var group sync.WaitGroup
	for a := range agents {
		group.Go(func() {
			source := fmt.Sprintf("did:web:%d.example", a)
			for k := range each {
				id := fmt.Sprintf("%d-%d", a, k)
				body := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":%q,"type":"t"}`, id, source)
				m, err := nc.RequestWithContext(ctx, subject.Submit("default", subject.AgentToken(source)),
					[]byte(body))
				if err != nil {
					t.Error(err)
					return
				}
				var answer struct{ Receipts []api.Receipt }
				if err := json.Unmarshal(m.Data, &answer); err != nil || len(answer.Receipts) != 1 ||
					answer.Receipts[0].EntryID != id {
					t.Errorf("receipt of %s: %v, %s", id, err, m.Data)
					return
				}
				r := answer.Receipts[0]
				mu.Lock()
				if other := places[[2]uint64{r.InputSeq, r.Position}]; other != "" {
					t.Errorf("%s and %s have the same place", id, other)
				}
				places[[2]uint64{r.InputSeq, r.Position}] = id
				mu.Unlock()
			}
		})
	}
	group.Wait()
	after, err := n.pipeline.log.Events.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if messages := after.Last - before.Last; messages > agents*each/2 || len(places) != agents*each {
		t.Errorf("%d events at %d places are %d messages on EVENTS", agents*each, len(places), messages)
	}
}

// TestRequestsAtStop: what has reached an ingest that is stopped is stored and answered; who waits
// for a seal that does not come learns that it is stored.
func TestRequestsAtStop(t *testing.T) {
	dir := t.TempDir()
	s := logtest.Server(t, natsd.Config{StoreDir: filepath.Join(dir, "nats"), Password: "secret"})
	if _, err := datadir.GenerateKeys(dir, "test.example", "default"); err != nil {
		t.Fatal(err)
	}
	flags := ServiceConfig{
		Plugins: withPlugins, Log: "default",
		ConnFlags: natsconn.ConnFlags{NATS: s.ClientURL(), User: "sealstream", Password: "secret"}, Replicas: 1,
	}
	stopSealer := serveForTest(t, &SealerService{ServiceConfig: flags, Keys: dir, EventsOpen: true})
	in := &IngestService{
		ServiceConfig: flags, HTTP: logtest.FreeAddr(t), Key: filepath.Join(dir, datadir.FilePublic), EventsOpen: true,
	}
	stopIngest := serveForTest(t, in)
	waitReady(t, in.HTTP)
	stopSealer()

	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	inbox := nats.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	const n = 2000
	for i := range n {
		m := &nats.Msg{
			Subject: subject.Submit("default", "open"), Reply: inbox, Header: nats.Header{},
			Data: fmt.Appendf(nil, `{"specversion":"1.0","id":"%d","source":"did:web:a.example","type":"t"}`, i),
		}
		if i%100 == 0 {
			m.Header.Set("Sealstream-Wait", "sealed")
		}
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	stopIngest()
	for i := range n {
		m, err := sub.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		if got := requestOutcome(t, m); got != "stored" {
			t.Fatalf("answer %d: %s: %s", i, got, m.Data)
		}
	}
}
