package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/readiness"
	"github.com/sealstream/sealstream/streams"
	"github.com/sealstream/sealstream/streams/subject"
)

const testAgent = "did:example:agent"

// configuredServer starts a NATS server as `admin config` says, with an agent.
func configuredServer(t *testing.T) (dir string, s *natsd.Server) {
	t.Helper()
	dir = t.TempDir()
	err := cluster.WriteConfig(cluster.Config{
		Out: dir, Store: filepath.Join(dir, "store"), Listen: "127.0.0.1:-1", Monitor: "127.0.0.1:-1",
		MaxStore: 64 << 30, Agents: []string{testAgent},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SERVER_NAME", "test")
	if s, err = natsd.StartFile(t.Context(), filepath.Join(dir, "nats.conf"), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	if !s.SyncAlways() {
		t.Error("acknowledgements are not on disk")
	}
	return dir, s
}

func roleFlags(dir string, s *natsd.Server, role string) natsconn.ConnFlags {
	return natsconn.ConnFlags{NATS: s.ClientURL(), NKey: filepath.Join(dir, role+".nkey")}
}

// refusals collects what a server refused to whoever logs to it.
type refusals struct {
	slog.Handler
	mu   sync.Mutex
	list []string
}

func (r *refusals) Handle(_ context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec.Attrs(func(a slog.Attr) bool {
		if text := a.Value.String(); strings.Contains(text, "ermissions") {
			r.list = append(r.list, text)
		}
		return true
	})
	return nil
}
func (r *refusals) Enabled(context.Context, slog.Level) bool { return true }

// TestRolesPipeline: all services run, each as its own user, and none is refused anything that it
// asks; the streams are the administrator's.
func TestRolesPipeline(t *testing.T) {
	dir, s := configuredServer(t)
	keys := filepath.Join(dir, "keys")
	refused := &refusals{Handler: slog.DiscardHandler}
	flags := func(role string) ServiceConfig {
		return ServiceConfig{
			Plugins: withPlugins, Log: "default", ConnFlags: roleFlags(dir, s, role), Replicas: 1,
			Logger: slog.New(refused),
		}
	}
	public := filepath.Join(keys, datadir.FilePublic)
	if err := os.Chmod(keys, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(keys, 0o700) })
	sealerService := &SealerService{
		ServiceConfig: flags(cluster.RoleSealer), Keys: keys, State: filepath.Join(dir, "state"), StreamsExist: true,
		Metrics: logtest.FreeAddr(t),
	}
	ingestService := &IngestService{ServiceConfig: flags(cluster.RoleIngest), HTTP: logtest.FreeAddr(t), Key: public}
	queryService := &QueryService{ServiceConfig: flags(cluster.RoleQuery), HTTP: logtest.FreeAddr(t), Key: public}
	rules := filepath.Join(dir, "rules.yaml")
	if err := os.WriteFile(rules, []byte("sealer_lag: 1s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	alertService := &AlertService{
		ServiceConfig: flags(cluster.RoleAlert), HTTP: logtest.FreeAddr(t), Key: public, Rules: rules,
	}
	archiverService := &ArchiverService{
		ServiceConfig: flags(cluster.RoleArchiver), Key: public, Metrics: logtest.FreeAddr(t), TrimSealed: 1,
	}
	stopSealer := serveForTest(t, sealerService)
	for _, x := range []Service{ingestService, queryService, alertService, archiverService} {
		serveForTest(t, x)
	}
	lines, err := cluster.Apply(t.Context(), roleFlags(dir, s, cluster.RoleAdmin), cluster.StreamFlags{}, "default", 1,
		false)
	if err != nil || len(lines) != 7 {
		t.Fatalf("%q, %v", lines, err)
	}
	for _, addr := range []string{
		sealerService.Metrics, ingestService.HTTP, queryService.HTTP, alertService.HTTP, archiverService.Metrics,
	} {
		waitReady(t, addr)
	}
	for range 2 { // the second time all are duplicates, which are looked up
		for group := range slices.Chunk(airline(), 256) {
			if _, err := receipts(ingestService.HTTP, "sealed", group...); err != nil {
				t.Fatal(err)
			}
		}
	}
	agentAsks(t, dir, s)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if status, _ := fetch(queryService.HTTP, "/v1/entries/715/proof", nil); status == http.StatusOK {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the agent's entry is not proven: status %d", status)
		}
	}
	for _, path := range []string{"/v1/verify", "/v1/archive/verify", "/v1/export"} {
		if status, body := fetch(queryService.HTTP, path, nil); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "state", datadir.FileMark)); err != nil {
		t.Errorf("the mark: %v", err)
	}
	stopSealer() // who watches EVENTS looks at what waits there
	event := fmt.Appendf(nil, `{"specversion":"1.0","id":"2","source":%q,"type":"ai.agentmesh.tool.invoked"}`,
		testAgent)
	if _, err := receipts(ingestService.HTTP, "stored", event); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, body := fetch(alertService.HTTP, "/v1/alerts", nil); strings.Contains(string(body), "sealer-lag") {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("nobody tells that events wait: %s", body)
		}
	}
	knowOfDeadSealer(t, ingestService.HTTP, queryService.HTTP, alertService.HTTP, archiverService.Metrics)
	refused.mu.Lock()
	defer refused.mu.Unlock()
	for _, text := range slices.Compact(refused.list) {
		t.Error(text)
	}
}

// knowOfDeadSealer wants each service to tell from the streams alone that an event waits, on its
// page and as a metric, and doctor to call it wrong. The services themselves stay ready.
func knowOfDeadSealer(t *testing.T, addrs ...string) {
	t.Helper()
	for _, addr := range addrs {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			page, err := readiness.Ask(t.Context(), http.DefaultClient, "http://"+addr+"/readyz")
			if err != nil {
				t.Fatal(err)
			}
			wrong := slices.ContainsFunc(page.Findings(), func(f datadir.Finding) bool {
				return f.State == datadir.Wrong && f.What == "backlog" && strings.Contains(f.Text, "have waited") &&
					strings.Contains(f.Text, "is the sealer running?")
			})
			all := scrape(t, addr)
			if page.Ready && wrong && all["sealstream_backlog_messages"] == 1 &&
				all["sealstream_backlog_seconds"] >= 4 && all[`sealstream_condition{name="backlog"}`] >= 1 {
				break
			} else if time.Now().After(deadline) {
				t.Fatalf("%s does not tell that an event waits: %+v", addr, page)
			}
		}
	}
}

// TestApplyRoom: a server that has less room than the streams reserve is told of at once, with what
// they ask for; smaller ones are made there.
func TestApplyRoom(t *testing.T) {
	dir := t.TempDir()
	err := cluster.WriteConfig(cluster.Config{
		Out: dir, Store: filepath.Join(dir, "store"), Listen: "127.0.0.1:-1", Monitor: "127.0.0.1:-1",
		MaxStore: 1 << 30,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SERVER_NAME", "test")
	s, err := natsd.StartFile(t.Context(), filepath.Join(dir, "nats.conf"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	sizes := cluster.StreamFlags{
		EventsMaxBytes: 512 << 20, SealedMaxBytes: 1 << 30, PayloadsMaxBytes: 3 << 29, AlertsMaxBytes: 1 << 20,
	}
	_, err = cluster.Apply(t.Context(), roleFlags(dir, s, cluster.RoleAdmin), sizes, "default", 1, false)
	if !errors.Is(err, streams.ErrRoom) || !strings.Contains(err.Error(), "make stream SEALED_default") ||
		!strings.Contains(err.Error(), "3.001 GiB") ||
		!strings.Contains(err.Error(), "SEALED_default 1 GiB, PAYLOADS_default 1.5 GiB") {
		t.Fatal(err)
	}
	if natsconn.Unanswered(err) {
		t.Error("it is waited for")
	}
	sizes.SealedMaxBytes, sizes.PayloadsMaxBytes = 100<<20, 200<<20
	if lines, err := cluster.Apply(t.Context(), roleFlags(dir, s, cluster.RoleAdmin), sizes, "default", 1,
		false); err != nil || len(lines) != 6 {
		t.Fatalf("%q, %v", lines, err)
	}
}

// TestApplyUnused: an administrator learns of the bucket that earlier releases left, and only of that.
func TestApplyUnused(t *testing.T) {
	dir, s := configuredServer(t)
	admin := roleFlags(dir, s, cluster.RoleAdmin)
	apply := func() {
		t.Helper()
		if _, err := cluster.Apply(t.Context(), admin, cluster.StreamFlags{}, "default", 1, false); err != nil {
			t.Fatal(err)
		}
	}
	apply()
	if list, err := cluster.Unused(t.Context(), admin); err != nil || len(list) > 0 {
		t.Fatalf("a new log: %q, %v", list, err)
	}
	nc := connectRole(t, admin, cluster.RoleAdmin)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "TILES"}); err != nil {
		t.Fatal(err)
	}
	apply()
	if list, err := cluster.Unused(t.Context(), admin); err != nil || !slices.Equal(list, []string{"KV_TILES"}) {
		t.Fatalf("an older log: %q, %v", list, err)
	}
}

// agentAsks sends an event as the agent does, and waits for its receipt.
func agentAsks(t *testing.T, dir string, s *natsd.Server) {
	t.Helper()
	token := subject.AgentToken(testAgent)
	nc, err := roleFlags(filepath.Join(dir, "agents"), s, token).Reach(token).Connect("agent",
		slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	body := fmt.Sprintf(`{"specversion":"1.0","id":"1","source":%q,"type":"ai.agentmesh.tool.invoked"}`, testAgent)
	for _, to := range []string{subject.Submit("default", token), subject.Events("default", token)} {
		m, err := nc.Request(to, []byte(body), 10*time.Second)
		if err != nil || !strings.Contains(string(m.Data), `"receipts"`) && !strings.Contains(string(m.Data), `"seq"`) {
			t.Fatalf("%s: %v, %v", to, m, err)
		}
	}
}
