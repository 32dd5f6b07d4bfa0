package node

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// TestAlertsOverNATS: whoever shows no credentials hears of violations with nothing but a NATS
// client, on the subject that is documented.
func TestAlertsOverNATS(t *testing.T) {
	n, err := Up(t.Context(), UpConfig{
		Plugins: withPlugins, Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	nc, err := nats.Connect(n.NATSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	violations, err := nc.SubscribeSync("audit.default.alerts.policy_violation.>")
	if err != nil {
		t.Fatal(err)
	}
	mine, err := nc.SubscribeSync("audit.default.alerts.*." + subject.AgentToken("did:web:b"))
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, ev := range []string{
		`{"specversion":"1.0","id":"1","source":"did:web:a","type":"ai.agentmesh.policy.violation","subject":"/crm/1"}`,
		`{"specversion":"1.0","id":"2","source":"did:web:a","type":"ai.agentmesh.tool.invoked"}`,
		`{"specversion":"1.0","id":"3","source":"did:web:b","type":"ai.agentmesh.tool.blocked"}`,
		`{"specversion":"1.0","id":"4","source":"did:web:b","type":"ai.agentmesh.policy.violation"}`,
		`{"specversion":"1.0","id":"5","source":"did:web:b","type":"ai.agentmesh.rogue_detection"}`,
	} {
		if _, err := nc.Request("audit.default.events.open", []byte(ev), 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		sub  *nats.Subscription
		want []string
	}{{violations, []string{"1", "4"}}, {mine, []string{"3", "4", "5"}}} {
		for _, id := range c.want {
			m, err := c.sub.NextMsg(20 * time.Second)
			if err != nil {
				t.Fatalf("alert of event %s: %v", id, err)
			}
			var ce struct {
				SpecVersion, ID, Source, Type, Subject, SealHash string
				Data                                             struct {
					Index          uint64
					EntryHash      string `json:"entry_hash"`
					CheckpointSize uint64 `json:"checkpoint_size"`
					Entry          struct {
						EntryID   string `json:"entry_id"`
						EntryHash string `json:"entry_hash"`
					}
				}
			}
			if err := json.Unmarshal(m.Data, &ce); err != nil {
				t.Fatal(err)
			}
			d := ce.Data
			if ce.SpecVersion != "1.0" || ce.ID == "" || ce.Source != n.Origin() || d.Entry.EntryID != id ||
				d.EntryHash != d.Entry.EntryHash || ce.SealHash != d.EntryHash || d.Index == 0 ||
				d.CheckpointSize <= d.Index {
				t.Fatalf("alert of event %s: %s", id, m.Data)
			}
		}
	}
	if m, err := violations.NextMsg(50 * time.Millisecond); err == nil {
		t.Fatalf("one more: %s", m.Data)
	}
}

// TestAlertService runs two alert services beside sealer and ingest; each alert is told once.
func TestAlertService(t *testing.T) {
	dir := t.TempDir()
	s := logtest.Server(t, natsd.Config{StoreDir: filepath.Join(dir, "nats"), Password: "secret"})
	if _, err := datadir.GenerateKeys(dir, "test.example", "default"); err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join(dir, "rules.yaml")
	if err := os.WriteFile(rules, []byte("rules: [{name: cancel, match: {resource: /tools/cancel_reservation}}]\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	flags := ServiceConfig{
		Plugins: withPlugins, Log: "default",
		ConnFlags: natsconn.ConnFlags{NATS: s.ClientURL(), User: "sealstream", Password: "secret"}, Replicas: 1,
	}
	services := []*AlertService{}
	for range 2 {
		services = append(services,
			&AlertService{ServiceConfig: flags, HTTP: logtest.FreeAddr(t), Key: filepath.Join(dir, datadir.FilePublic),
				Rules: rules})
		serveForTest(t, services[len(services)-1])
	}
	in := &IngestService{ServiceConfig: flags, HTTP: logtest.FreeAddr(t), Key: filepath.Join(dir, datadir.FilePublic)}
	serveForTest(t, in)
	serveForTest(t, &SealerService{ServiceConfig: flags, Keys: dir, EventsOpen: true})
	waitReady(t, in.HTTP)
	events := airline()
	violations, cancels := 0, 0
	for _, ev := range events {
		e, err := entry.ParseEvent(ev)
		if err != nil {
			t.Fatal(err)
		}
		if e.EventType == "policy_violation" {
			violations++
		}
		if e.Subject == "/tools/cancel_reservation" {
			cancels++
		}
	}
	for from := 0; from < len(events); from += 100 {
		if _, err := receipts(in.HTTP, "sealed", events[from:min(from+100, len(events))]...); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(30 * time.Second)
	for _, service := range services {
		for {
			var status struct {
				Next     uint64
				CaughtUp bool `json:"caught_up"`
			}
			_, body := fetch(service.HTTP, "/v1/alerts/status", nil)
			json.Unmarshal(body, &status)
			if status.CaughtUp && status.Next == uint64(len(events)+1) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("not caught up: %s", body)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	expect(t, services[0].HTTP, map[string]float64{
		`sealstream_follower_lag_entries{follower="alerts"}`: 0, "sealstream_webhooks_failing": 0,
		"sealstream_webhook_dead_letters": 0,
	})
	_, body := fetch(services[0].HTTP, "/v1/alerts", map[string][]string{"limit": {"1000"}})
	var page struct {
		Alerts []struct {
			Event struct{ ID, AlertRule string }
		}
	}
	if err := json.Unmarshal(body, &page); err != nil {
		t.Fatal(err)
	}
	count, ids := map[string]int{}, map[string]bool{}
	for _, a := range page.Alerts {
		count[a.Event.AlertRule]++
		ids[a.Event.ID] = true
	}
	if violations == 0 || cancels == 0 || count["policy_violation"] != violations || count["cancel"] != cancels ||
		len(ids) != violations+cancels {
		t.Fatalf("%v, %d ids; want %d violations and %d of the rule", count, len(ids), violations, cancels)
	}
}

// TestWebhookNames: a webhook's cursor is its own, whatever others are given beside it.
func TestWebhookNames(t *testing.T) {
	names := func(urls ...string) map[string]string {
		cfg, err := AlertConfig{Webhooks: urls}.read(withPlugins)
		if err != nil {
			t.Fatal(err)
		}
		byURL := map[string]string{}
		for _, w := range cfg.Webhooks {
			byURL[w.URL] = w.Name
		}
		return byURL
	}
	const a, b = "https://a.example.com/hook", "https://b.example.com/hook"
	both, alone := names(a, b), names(b)
	if both[b] != alone[b] || both[a] == both[b] {
		t.Fatalf("%v, alone %v", both, alone)
	}
}
