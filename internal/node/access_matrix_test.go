package node

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
)

// needs says for each operation of openapi.json which scopes open it: alternatives with a bar,
// scopes that are needed together with a plus. all is "read: all", and old is "proof: all", which
// includes the hashes of older entries. "known" is any identity, and "" everybody.
var needs = map[string]string{
	"GET /v1/entries": "read|all", "GET /v1/entries/{index}": "read|all", "GET /v1/entries/{index}/proof": "read|all",
	"GET /v1/entries/id/{id}": "read|all", "GET /v1/entries/id/{id}/proof": "read|all",
	"GET /v1/agents/{did}/entries": "read|all", "GET /v1/types/{type}/entries": "read|all",
	"GET /v1/traces/{id}": "read|all", "GET /v1/sessions/{id}": "read|all", "GET /v1/stream": "read|all",
	"GET /v1/counts": "read|all", "GET /v1/stats": "read|all",
	"POST /api/v1/audit/query": "read|all", "GET /api/v1/audit/summary": "read|all",
	"GET /v1/export": "read+export|all+export",

	"GET /checkpoint": "read|all|proof|old", "GET /logs/{log}/checkpoint": "read|all|proof|old",
	"GET /v1/consistency": "read|all|proof|old",
	// the tile of the test is the hash of the config, which can be guessed, and which readers see
	"GET /tile/{level}/{tile}": "old|all|proof+read", "GET /logs/{log}/tile/{level}/{tile}": "old|all|proof+read",
	"GET /tile/entries/{tile}": "all", "GET /logs/{log}/tile/entries/{tile}": "all",

	"GET /v1/verify": "all|admin", "GET /api/v1/audit/verify": "all|admin",
	"GET /v1/archive": "all|admin", "GET /v1/archive/verify": "all|admin",

	"POST /v1/events": "publish", "POST /api/v1/audit/log": "publish", "POST /api/v1/audit/batch": "publish",

	"GET /v1/alerts": "alerts", "GET /v1/alerts/stream": "alerts",
	"GET /v1/alerts/status": "admin", "GET /v1/alerts/dead": "admin", "POST /v1/alerts/redeliver": "admin",
	"GET /metrics": "admin",

	"GET /": "known", "GET /openapi.json": "known",
	"GET /healthz": "", "GET /readyz": "", "GET /readyz/read": "", "GET /readyz/write": "",
}

// scopes are the seven scopes, as the rules of access give them.
var scopes = map[string]string{
	"publish": "publish: [did:web:a]", "read": "read: [did:web:a]", "proof": "proof: true", "alerts": "alerts: true",
	"export": "export: true", "approve": "approve: true", "admin": "admin: true",
	// in place of read and proof
	"all": "read: all", "old": "proof: all",
}

// identities are the twelve identities of the matrix. A stranger has no credential.
var identities = map[string][]string{
	"stranger": nil, "nothing": {}, "publisher": {"publish"}, "reader": {"read"}, "auditor": {"all"}, "prover": {"proof"},
	"old-prover": {"old"}, "alerted": {"alerts"}, "exporter": {"export"}, "approver": {"approve"}, "admin": {"admin"},
	"everything": {"publish", "all", "old", "alerts", "export", "approve", "admin"},
}

// toggled returns some scopes with one of the seven added or, if it is there, taken away.
func toggled(list []string, scope string) []string {
	in := map[string][]string{"read": {"read", "all"}, "proof": {"proof", "old"}}[scope]
	in = append(in, scope)
	rest := slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(in, s) })
	if len(rest) == len(list) {
		rest = append(rest, scope)
	}
	return rest
}

// opens reports whether scopes open what needs some.
func opens(need string, list []string) bool {
	for either := range strings.SplitSeq(need, "|") {
		missing := slices.DeleteFunc(strings.Split(either, "+"), func(s string) bool { return slices.Contains(list, s) })
		if len(missing) == 0 {
			return true
		}
	}
	return false
}

// pathOf is a path of an operation that exists, as far as the log has it.
var pathOf = strings.NewReplacer("{index}", "0", "{id}", "x", "{did}", "did:web:a", "{type}", "sealstream.config",
	"{level}", "0", "{tile}", "000.p/1", "{log}", "default")

// TestAccessMatrix asks each operation of openapi.json as twelve identities, each of them with each
// of the seven scopes added or taken away. Exactly those whose scopes are listed may. An operation
// that is not listed fails the test.
func TestAccessMatrix(t *testing.T) {
	g := &guarded{t: t, file: filepath.Join(t.TempDir(), "access.yaml"), tokens: map[string]string{}}
	may, has := map[string]string{}, map[string][]string{}
	for name, list := range identities {
		for scope := range scopes {
			if scope == "all" || scope == "old" || name == "stranger" {
				continue
			}
			id := name + "." + scope
			has[id] = toggled(list, scope)
			for _, s := range has[id] {
				may[id] += ", " + scopes[s]
			}
			may[id] = strings.TrimPrefix(may[id], ", ")
		}
	}
	g.write(may)
	n, err := Up(t.Context(), UpConfig{
		Plugins: withPlugins, Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0", Access: g.file,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if err := n.pipeline.query.CaughtUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(query.OpenAPI, &doc); err != nil {
		t.Fatal(err)
	}
	handler, cells, passed := n.gate.Handler(n.pipeline.handler()), 0, 0
	logtest.Until(t, "the rules are in force", func() bool { return !asked(t, handler, "GET", "/v1/stats", "") })
	for path, operations := range doc.Paths {
		for method := range operations {
			method = strings.ToUpper(method)
			need, listed := needs[method+" "+path]
			if !listed {
				t.Errorf("%s %s has no rule: say in needs who may use it", method, path)
				continue
			}
			for range len(scopes) - 2 { // a stranger has no scopes, whatever is added
				cells++
				if ok := asked(t, handler, method, path, ""); ok != (need == "") {
					t.Fatalf("%s %s by a stranger: %t", method, path, ok)
				}
			}
			for id, list := range has {
				want := need == "" || need == "known" || opens(need, list)
				if cells++; want {
					passed++
				}
				if ok := asked(t, handler, method, path, g.tokens[id]); ok != want {
					t.Errorf("%s %s by %s with %v: %t, want %t", method, path, id, list, ok, want)
				}
			}
		}
	}
	t.Logf("%d operations, %d cells, %d of them pass", len(needs), cells, passed)
	if want := len(needs) * len(identities) * 7; cells != want {
		t.Errorf("%d cells, want %d", cells, want)
	}
}

// asked reports whether a request is let through: its answer is neither 401 nor 403.
func asked(t *testing.T, h http.Handler, method, path, token string) bool {
	t.Helper()
	url := pathOf.Replace(path)
	if path == "/v1/consistency" {
		url += "?from=0&to=0"
	}
	if strings.HasSuffix(path, "/stream") {
		method = http.MethodHead // which ends
	}
	r := httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), method, url, strings.NewReader("{}"))
	if r.Header.Set("Content-Type", "application/json"); token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code != http.StatusUnauthorized && w.Code != http.StatusForbidden
}
