package node

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/readiness"
)

// TestFullServices: services that stand apart tell of a full stream within five seconds, each as
// far as it is concerned, accept nothing that cannot be sealed, and go on by themselves once an
// administrator has raised the limit.
func TestFullServices(t *testing.T) {
	dir := t.TempDir()
	s := logtest.Server(t, natsd.Config{StoreDir: filepath.Join(dir, "nats"), Password: "secret", Relaxed: true})
	keys, err := datadir.GenerateKeys(dir, "test.example", "default")
	if err != nil {
		t.Fatal(err)
	}
	public := filepath.Join(dir, datadir.FilePublic)
	flags := ServiceConfig{
		Plugins: withPlugins, Log: "default",
		ConnFlags: natsconn.ConnFlags{NATS: s.ClientURL(), User: "sealstream", Password: "secret"},
	}
	sealer := &SealerService{
		ServiceConfig: flags, StreamFlags: cluster.StreamFlags{PayloadsMaxBytes: 256 << 10}, Keys: dir,
		EventsOpen: true, Metrics: logtest.FreeAddr(t),
	}
	ingest := &IngestService{ServiceConfig: flags, HTTP: logtest.FreeAddr(t), Key: public}
	query := &QueryService{ServiceConfig: flags, HTTP: logtest.FreeAddr(t), Key: public}
	alert := &AlertService{ServiceConfig: flags, HTTP: logtest.FreeAddr(t), Key: public}
	for _, x := range []Service{sealer, ingest, query, alert} {
		serveForTest(t, x)
	}
	addrs := []string{ingest.HTTP, sealer.Metrics, query.HTTP, alert.HTTP}
	for _, addr := range addrs {
		waitReady(t, addr)
	}
	acknowledged := 0
	var refused time.Time
	for i := 0; refused.IsZero() || time.Since(refused) < time.Second; i++ {
		_, err := receipts(ingest.HTTP, "stored",
			fmt.Appendf(nil, `{"specversion":"1.0","id":"%d","source":"did:web:a","type":"t","data":"%s"}`, i,
				strings.Repeat("x", 1000)))
		if err == nil {
			acknowledged++
			refused = time.Time{}
			continue
		}
		if refused.IsZero() {
			refused = time.Now()
		}
		if !strings.Contains(err.Error(), "status 503") || !strings.Contains(err.Error(), "no-room") {
			t.Fatal(err)
		}
	}
	await := func(what string, begin time.Time, holds func() bool) {
		t.Helper()
		for ; !holds(); time.Sleep(20 * time.Millisecond) {
			if time.Since(begin) > 5*time.Second {
				_, body := fetch(ingest.HTTP, "/readyz", nil)
				t.Fatalf("not within 5 s: %s; %d events acknowledged; ingest says %s", what, acknowledged, body)
			}
		}
	}
	says := func(addr, name string) bool {
		page, err := readiness.Ask(t.Context(), http.DefaultClient, "http://"+addr+"/readyz")
		return err == nil && slices.ContainsFunc(page.Findings(), func(f datadir.Finding) bool {
			return f.What == name && f.State == datadir.Wrong
		})
	}
	for i, addr := range addrs {
		await(addr+" tells", refused, func() bool {
			status, _ := fetch(addr, "/readyz", nil)
			writes := i == 0
			return says(addr, "payloads") && scrape(t, addr)[`sealstream_condition{name="payloads"}`] >= 1 &&
				(!writes || status == http.StatusServiceUnavailable) && (i < 2 || status == http.StatusOK)
		})
	}
	await("the alert", refused, func() bool {
		_, list := fetch(alert.HTTP, "/v1/alerts", map[string][]string{"type": {"log-condition"}})
		return strings.Contains(string(list), `"condition":"payloads"`)
	})
	conn := flags.ConnFlags
	if lines, err := cluster.Apply(t.Context(), conn, cluster.StreamFlags{PayloadsMaxBytes: 64 << 20}, "default", 0,
		false); err != nil || len(lines) != 1 {
		t.Fatalf("%q, %v", lines, err)
	}
	raised := time.Now()
	for _, addr := range addrs {
		await(addr+" is well", raised, func() bool {
			status, _ := fetch(addr, "/readyz", nil)
			return status == http.StatusOK && !says(addr, "payloads")
		})
	}
	if !says(sealer.Metrics, "limits") {
		t.Error("the sealer does not show that the limit is not what its settings state")
	}
	if _, err := receipts(ingest.HTTP, "sealed",
		[]byte(`{"specversion":"1.0","id":"last","source":"did:web:a","type":"t"}`)); err != nil {
		t.Fatal(err)
	}
	await("everything is indexed", time.Now(), func() bool {
		status, _ := fetch(query.HTTP, fmt.Sprintf("/v1/entries/%d", acknowledged+1), nil)
		return status == http.StatusOK
	})
	if entries, _ := exported(t, query.HTTP, keys.Signer.VerifierKey()); len(entries) != acknowledged+2 {
		t.Errorf("%d entries, %d events acknowledged", len(entries), acknowledged+1)
	}
}
