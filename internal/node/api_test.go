package node

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/query"
)

// document is what is looked at of openapi.json.
type document struct {
	Paths map[string]map[string]struct {
		Parameters []map[string]any
		Responses  map[string]struct {
			Ref     string `json:"$ref"`
			Content map[string]json.RawMessage
		}
	}
	Components struct {
		Parameters map[string]map[string]any
		Responses  map[string]struct{ Content map[string]json.RawMessage }
	}
}

// TestAPIDocument: whatever is documented is served, and answers with a status and a content type
// that are documented; what this package serves is documented (query's own test does it for query);
// and no path takes a parameter that is not in the document.
func TestAPIDocument(t *testing.T) {
	l, err := Embedded(t.Context(), EmbedConfig{Plugins: withPlugins})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.pipeline.endStreams() // so that a stream ends at once
	var doc document
	if err := json.Unmarshal(query.OpenAPI, &doc); err != nil {
		t.Fatal(err)
	}
	examples := map[string]string{
		"index": "0", "id": "none", "did": "did:web:a.example.com", "type": "sealstream.config", "from": "1", "to": "1",
		"log": "default", "level": "0", "tile": "000",
	}
	for path, operations := range doc.Paths {
		for method, op := range operations {
			method, target, q := strings.ToUpper(method), path, url.Values{}
			for _, p := range op.Parameters {
				if ref, _ := p["$ref"].(string); ref != "" {
					p = doc.Components.Parameters[ref[strings.LastIndex(ref, "/")+1:]]
				}
				name := p["name"].(string)
				switch {
				case p["in"] == "path":
					target = strings.Replace(target, "{"+name+"}", url.PathEscape(examples[name]), 1)
				case p["required"] == true:
					q.Set(name, examples[name])
				}
			}
			check := func(want string) {
				t.Helper()
				r := httptest.NewRequest(method, target+"?"+q.Encode(),
					strings.NewReader(`{"specversion":"1.0","id":"1","source":"a","type":"t"}`))
				if method == http.MethodPost {
					r.Header.Set("Content-Type", "application/cloudevents+json")
				}
				w := httptest.NewRecorder()
				l.Handler().ServeHTTP(w, r)
				what := fmt.Sprintf("%s %s?%s: %d %s", method, target, q.Encode(), w.Code, w.Body)
				if strings.Contains(w.Body.String(), "path: not found") || want != "" && fmt.Sprint(w.Code) != want {
					t.Fatalf("%s, want %s", what, want)
				}
				answer, there := op.Responses[fmt.Sprint(w.Code)]
				if !there {
					answer, there = op.Responses[fmt.Sprintf("%dXX", w.Code/100)]
				}
				content := answer.Content
				if answer.Ref != "" {
					content = doc.Components.Responses[answer.Ref[strings.LastIndex(answer.Ref, "/")+1:]].Content
				}
				kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
				if _, known := content[kind]; !there || !known {
					t.Errorf("%s %s is not documented", what, kind)
				}
			}
			check("")
			q.Set("unheardof", "1")
			check("400")
		}
	}
	routes := slices.Collect(maps.Keys(l.pipeline.healthPages()))
	for _, part := range l.pipeline.list {
		routes = slices.AppendSeq(routes, maps.Keys(part.routes))
	}
	for _, pattern := range routes {
		if pattern == "/" { // query's
			continue
		}
		method, path, _ := strings.Cut(pattern, " ")
		if path == "" {
			method, path = "POST", pattern
		}
		if _, there := doc.Paths[path][strings.ToLower(method)]; !there {
			t.Errorf("%s is served, but not documented", pattern)
		}
	}
	if _, there := doc.Paths["/metrics"]["get"]; !there {
		t.Error("GET /metrics is not documented")
	}
}
