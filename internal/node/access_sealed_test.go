package node

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// sealedRules returns the entries of the rules of access of each role, oldest first.
func (g *guarded) sealedRules() map[string][]query.Found {
	g.t.Helper()
	ctx := access.With(g.t.Context(), access.Open)
	page, err := g.pipeline.query.Entries(ctx, api.Filter{Type: []string{ruleset.TypeAccess}}, query.Page{Limit: 50})
	if err != nil {
		g.t.Fatal(err)
	}
	byRole := map[string][]query.Found{}
	for _, found := range page.Entries {
		d := found.Entry.Detail.(*entry.Access)
		byRole[d.Role] = append(byRole[d.Role], found)
	}
	for _, list := range byRole {
		slices.SortFunc(list, func(a, b query.Found) int { return int(a.Entry.Index) - int(b.Entry.Index) })
	}
	return byRole
}

// TestUpSealsRules: a new log with rules of access is sealed by rules 4. It has each version as an
// entry of each role, with the text of the file as data, before the version decides anything. A
// start with the same file seals nothing.
func TestUpSealsRules(t *testing.T) {
	g := &guarded{t: t, file: filepath.Join(t.TempDir(), "access.yaml"), tokens: map[string]string{}}
	cfg := UpConfig{
		Plugins: withPlugins, Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0", Access: g.file,
	}
	roles := []string{"alert", "ingest", "query"}
	var texts []string
	for version, may := range []string{"read: all", "read: all", "read: all, export: true"} {
		g.write(map[string]string{"a": may})
		text, err := os.ReadFile(g.file)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(texts, string(text)) {
			texts = append(texts, string(text))
		}
		if version < 2 { // the third one comes into force while the log runs
			if g.Node, err = Up(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			defer g.Close()
		}
		inForce := func() bool {
			v := g.gate.Version()
			return v != nil && v.Identity("a").Grants.Export == (version == 2)
		}
		logtest.Until(t, "the version is in force", inForce)
		index := *g.gate.Version().Entry
		if err := g.pipeline.query.Await(t.Context(), uint64(1+len(roles)*len(texts))); err != nil {
			t.Fatal(err)
		}
		sealed := g.sealedRules()
		for _, role := range roles {
			list := sealed[role]
			if len(list) != len(texts) {
				t.Fatalf("version %d: %d entries of %s, want %d", version, len(list), role, len(texts))
			}
			for i, found := range list {
				d := found.Entry.Detail.(*entry.Access)
				if found.Payload == nil || string(found.Payload.Data) != texts[i] ||
					(i == 0) != (d.Previous == nil) || i > 0 && *d.Previous != list[i-1].Entry.Index {
					t.Errorf("%s: %s", role, found.Entry.Leaf)
				}
			}
		}
		if newest := sealed["query"][len(texts)-1].Entry.Index; index != newest {
			t.Errorf("in force is the entry %d, the newest of query is %d", index, newest)
		}
		if version == 0 {
			g.Close()
		}
	}
}

// TestUpOlderRules: a log that has no entries for rules of access goes on without them.
func TestUpOlderRules(t *testing.T) {
	g := &guarded{t: t, file: filepath.Join(t.TempDir(), "access.yaml"), tokens: map[string]string{}}
	g.write(map[string]string{"a": "read: all"})
	cfg := UpConfig{
		Plugins: withPlugins, Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
	}
	n, err := Up(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Close()
	cfg.Access, cfg.Close = g.file, true
	if g.Node, err = Up(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if status, body := g.ask("GET", "/v1/entries", "a", ""); status != 200 || g.gate.Version().Entry != nil {
		t.Errorf("%d %s", status, body)
	}
	if n := len(g.sealedRules()); n != 0 {
		t.Errorf("%d roles have entries", n)
	}
}

// TestServicesSealRules: each service seals its rules for its own role.
func TestServicesSealRules(t *testing.T) {
	dir := t.TempDir()
	server := logtest.Server(t, natsd.Config{StoreDir: filepath.Join(dir, "nats"), Password: "secret"})
	if _, err := datadir.GenerateKeys(dir, "test.example", "default"); err != nil {
		t.Fatal(err)
	}
	g := &guarded{t: t, file: filepath.Join(dir, "access.yaml"), tokens: map[string]string{}}
	g.write(map[string]string{"a": "read: all"})
	flags := ServiceConfig{
		Plugins: withPlugins, Log: "default",
		ConnFlags: natsconn.ConnFlags{NATS: server.ClientURL(), User: "sealstream", Password: "secret"}, Replicas: 1,
	}
	serveForTest(t, &SealerService{ServiceConfig: flags, Keys: dir, Rules: ruleset.Blinding})
	flags.Access = g.file
	key := filepath.Join(dir, datadir.FilePublic)
	q := &QueryService{ServiceConfig: flags, HTTP: logtest.FreeAddr(t), Key: key}
	in := &IngestService{ServiceConfig: flags, HTTP: logtest.FreeAddr(t), Key: key}
	alerts := &AlertService{ServiceConfig: flags, HTTP: logtest.FreeAddr(t), Key: key}
	for _, s := range []Service{q, in, alerts} {
		serveForTest(t, s)
	}
	for _, addr := range []string{q.HTTP, in.HTTP, alerts.HTTP} {
		waitReady(t, addr)
	}
	g.addr = q.HTTP
	logtest.Until(t, "the rules of three roles are sealed", func() bool {
		status, body := g.ask("GET", "/v1/entries?type="+ruleset.TypeAccess, "a", "")
		return status == http.StatusOK && strings.Count(body, `"previous"`) == 0 &&
			strings.Contains(body, `"role":"query"`) && strings.Contains(body, `"role":"ingest"`) &&
			strings.Contains(body, `"role":"alert"`)
	})
}
