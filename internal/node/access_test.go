package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/access/gate"
	"github.com/sealstream/sealstream/internal/agtapi"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/streams/subject"
)

// TestRoutesHaveRules: each operation of openapi.json has a rule of access, and there are no others.
func TestRoutesHaveRules(t *testing.T) {
	var doc document
	if err := json.Unmarshal(query.OpenAPI, &doc); err != nil {
		t.Fatal(err)
	}
	var documented []string
	for path, operations := range doc.Paths {
		for method := range operations {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(documented)
	if got := gate.Operations(); !slices.Equal(got, documented) {
		t.Errorf("rules      %v\ndocumented %v", got, documented)
	}
}

// guarded is a node with rules of access. The token of an identity is in tokens.
type guarded struct {
	*Node
	t      *testing.T
	addr   string // of a service that is asked instead of the node
	file   string
	tokens map[string]string
}

// write writes the rules: what each identity may do.
func (g *guarded) write(may map[string]string) {
	g.t.Helper()
	text := "identities:\n"
	for id, scopes := range may {
		if g.tokens[id] == "" {
			g.tokens[id] = access.NewToken()
		}
		text += fmt.Sprintf("  - {id: %s, tokens: [{name: t, sha256: %x}], may: {%s}}\n",
			id, access.HashToken(g.tokens[id]), scopes)
	}
	next := g.file + ".next"
	if err := errors.Join(os.WriteFile(next, []byte(text), 0o600), os.Rename(next, g.file)); err != nil {
		g.t.Fatal(err)
	}
}

// ask makes a request as an identity; "" is a stranger.
func (g *guarded) ask(method, path, as, body string) (int, string) {
	g.t.Helper()
	return g.askAs(method, path, as, body, "application/cloudevents+json")
}

// askAs is ask with a body of another type.
func (g *guarded) askAs(method, path, as, body, kind string) (int, string) {
	g.t.Helper()
	base := "http://" + g.addr
	if g.addr == "" {
		base = g.URL()
	}
	r, err := http.NewRequestWithContext(g.t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	if strings.HasPrefix(path, agtapi.Prefix) {
		r.Header.Set("Content-Type", "application/json")
	}
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+g.tokens[as])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestUpAccess: with rules of access, a server lets in who has a token, seals who that is, and
// refuses a token within a second of its removal. The program itself needs none.
func TestUpAccess(t *testing.T) {
	g := &guarded{t: t, file: filepath.Join(t.TempDir(), "access.yaml"), tokens: map[string]string{}}
	may := map[string]string{"ci": "publish: [did:web:a]", "audit": "read: all", "ops": "admin: true"}
	g.write(may)
	cfg := UpConfig{
		Plugins: withPlugins, Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0", Access: g.file,
	}
	n, err := Up(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	g.Node = n
	event := func(id, agent string) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":%q,"type":"t"}`, id, agent)
	}
	for _, c := range []struct {
		method, path, as, body string
		status                 int
		has                    string
	}{
		{"POST", "/v1/events?wait=sealed", "ci", event("e", "did:web:a"), 200, `"sealed"`},
		{"POST", "/v1/events", "ci", event("f", "did:web:b"), 403, "did:web:b"},
		{"POST", "/v1/events", "", event("g", "did:web:a"), 401, "a credential is required"},
		{"GET", "/v1/entries/id/e", "audit", "", 200, `"publisher":"ci"`},
		{"GET", "/v1/entries/id/e", "ci", "", 403, "ci does not have the scope read"},
		{"GET", "/v1/entries", "", "", 401, ""},
		{"GET", "/metrics", "ops", "", 200, `result="token"`},
		{"GET", "/metrics", "audit", "", 403, ""},
		{"GET", "/readyz", "ops", "", 200, `"conditions"`},
		{"GET", "/readyz", "", "", 200, `"status":"ready"`},
		{"GET", "/healthz", "audit", "", 200, `"status":"ok"`},
	} {
		status, body := g.ask(c.method, c.path, c.as, c.body)
		if status != c.status || !strings.Contains(body, c.has) {
			t.Errorf("%s %s by %q: %d %s", c.method, c.path, c.as, status, body)
		}
		if c.method == "POST" && status == http.StatusOK { // query may be a moment behind
			if err := n.pipeline.query.Await(t.Context(), 5); err != nil {
				t.Fatal(err)
			}
		}
		if c.as != "ops" && strings.Contains(body, "conditions") {
			t.Errorf("%s %s by %q shows %s", c.method, c.path, c.as, body)
		}
	}
	if resp, err := n.Client().Get("http://x/v1/entries"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the program itself is refused: %v", err)
	}
	delete(may, "audit")
	g.write(may)
	logtest.Until(t, "the token is refused", func() bool {
		status, _ := g.ask("GET", "/v1/stats", "audit", "")
		return status == http.StatusUnauthorized
	})
	if _, err := nats.Connect(n.NATSURL()); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("NATS without credentials: %v", err)
	}
}

// TestT23NATSUsers: the rules decide who publishes over NATS, and as whom. Nobody reads alerts without
// their scope. T1, T23, T24.
func TestT23NATSUsers(t *testing.T) {
	const agent, log = "did:web:a", "default"
	token := subject.AgentToken(agent)
	keys := map[string]string{}
	var identities []access.Identity
	for id, grants := range map[string]access.Grants{
		"agent": {Publish: access.Agents{agent, "did:web:team-*"}}, "gateway": {Publish: access.Agents{"*"}},
		"pager": {Alerts: true, ReadAll: true}, "team": {Alerts: true, Read: access.Agents{agent}}, "reader": {ReadAll: true, Export: true, Admin: true, Proof: true},
	} {
		pair, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		if keys[id], err = pair.PublicKey(); err != nil {
			t.Fatal(err)
		}
		identities = append(identities, access.Identity{ID: id, NKeys: []string{keys[id]}, Grants: grants})
	}
	v, err := access.Compile(access.Rules{Identities: identities})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][2]string{
		"agent": {
			"audit.default.events." + token + " audit.default.submit." + token + " refused",
			"_INBOX_" + keys["agent"] + ".> _INBOX_" + token + ".>",
		},
		"gateway": {"audit.default.events.* audit.default.submit.* refused", "_INBOX_" + keys["gateway"] + ".>"},
		"pager":   {"", "_INBOX_" + keys["pager"] + ".> audit.default.alerts.>"},
		"reader":  {"", "_INBOX_" + keys["reader"] + ".>"},
		"team":    {"", "_INBOX_" + keys["team"] + ".>"}, // an alert has the entry of any agent
	}
	for _, u := range natsUsers(v, log, "refused") {
		for id, key := range keys {
			if got := [2]string{strings.Join(u.Publish, " "), strings.Join(u.Subscribe, " ")}; key == u.NKey && got != want[id] {
				t.Errorf("%s: %q", id, got)
			}
		}
	}
}

// TestUpAccessWrong: a server does not start with rules that are wrong.
func TestUpAccessWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.yaml")
	cfg := UpConfig{
		Plugins: withPlugins, Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0", Access: file,
	}
	if _, err := Up(t.Context(), cfg); !errors.Is(err, settings.ErrInvalid) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	if err := os.WriteFile(file, []byte("identites: []"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Up(t.Context(), cfg); !errors.Is(err, settings.ErrInvalid) || !errors.Is(err, access.ErrRules) {
		t.Errorf("with a wrong file: %v", err)
	}
	if _, err := os.Stat(cfg.Data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data directory was made: %v", err)
	}
}
