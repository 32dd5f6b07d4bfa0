package node

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
)

// configuredCluster starts three servers as `admin config` says, on ports of this machine.
func configuredCluster(t *testing.T) (dir string, servers []*natsd.Server) {
	t.Helper()
	dir = t.TempDir()
	names := []string{"node-a", "node-b", "node-c"}
	cfg := cluster.Config{
		Out: dir, Store: "STORE", Listen: "127.0.0.1:-1", Monitor: "127.0.0.1:-1", MaxStore: 64 << 30, Nodes: names,
		Agents: []string{testAgent},
	}
	if err := cluster.WriteConfig(cfg); err != nil {
		t.Fatal(err)
	}
	var addrs, pairs []string
	for _, name := range names {
		addrs = append(addrs, logtest.FreeAddr(t))
		pairs = append(pairs, name+":6222", addrs[len(addrs)-1])
	}
	started := make(chan *natsd.Server, len(names))
	for i, name := range names {
		own := filepath.Join(dir, name)
		if err := os.Mkdir(own, 0o700); err != nil {
			t.Fatal(err)
		}
		here := strings.NewReplacer(append(pairs, "0.0.0.0:6222", addrs[i], "STORE", own, "$SERVER_NAME", name)...)
		for _, file := range []string{"nats.conf", "routes.conf", "users.conf"} {
			text, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(own, file), []byte(here.Replace(string(text))), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		go func() {
			s, err := natsd.StartFile(t.Context(), filepath.Join(own, "nats.conf"), nil)
			if err != nil {
				t.Error(err)
			}
			started <- s
		}()
	}
	for range names {
		if s := <-started; s != nil {
			t.Cleanup(s.Shutdown)
			servers = append(servers, s)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return dir, servers
}

// TestRolesCluster: the accounts of services and agents reach the streams through any node of a
// cluster.
func TestRolesCluster(t *testing.T) {
	dir, servers := configuredCluster(t)
	flags := func(i int, role string) ServiceConfig {
		return ServiceConfig{Plugins: withPlugins, Log: "default", ConnFlags: roleFlags(dir, servers[i], role), Replicas: 3}
	}
	_, err := cluster.Apply(t.Context(), roleFlags(dir, servers[0], cluster.RoleAdmin), cluster.StreamFlags{}, "default",
		3, false)
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(dir, "keys")
	public := filepath.Join(keys, datadir.FilePublic)
	sealers := &SealerService{
		ServiceConfig: flags(0, cluster.RoleSealer), Keys: keys, State: filepath.Join(dir, "state"), StreamsExist: true,
		Metrics: logtest.FreeAddr(t),
	}
	ingests := &IngestService{ServiceConfig: flags(1, cluster.RoleIngest), HTTP: logtest.FreeAddr(t), Key: public}
	queries := &QueryService{ServiceConfig: flags(2, cluster.RoleQuery), HTTP: logtest.FreeAddr(t), Key: public}
	for _, s := range []Service{sealers, ingests, queries} {
		serveForTest(t, s)
	}
	for _, addr := range []string{sealers.Metrics, ingests.HTTP, queries.HTTP} {
		waitReady(t, addr)
	}
	for _, s := range servers {
		agentAsks(t, dir, s)
	}
	event := []byte(`{"specversion":"1.0","id":"http","source":"did:example:agent","type":"t"}`)
	if _, err := receipts(ingests.HTTP, "sealed", event); err != nil {
		t.Fatal(err)
	}
	logtest.Until(t, "the event is found", func() bool {
		status, _ := fetch(queries.HTTP, "/v1/entries/id/http/proof", nil)
		return status == http.StatusOK
	})
}
