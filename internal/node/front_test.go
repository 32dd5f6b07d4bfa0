package node

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/proxy"
	"github.com/sealstream/sealstream/internal/query"
)

// TestFrontPaths: the proxy knows each documented path, and sends it to the service that serves it.
// A new route needs a line in the proxy's table.
func TestFrontPaths(t *testing.T) {
	l, err := Embedded(t.Context(), EmbedConfig{Plugins: withPlugins})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	serves := map[string]proxy.Service{
		"query": proxy.Query, "archiver": proxy.Query, "ingest": proxy.Ingest, "alerts": proxy.Alerts,
	}
	want := map[string]proxy.Service{}
	for _, part := range l.pipeline.list {
		for pattern := range part.routes {
			s, known := serves[part.name]
			if !known {
				t.Errorf("%s: the proxy knows no service of the part %s", pattern, part.name)
			}
			want[pattern[strings.IndexByte(pattern, '/'):]] = s
		}
	}
	for pattern := range l.pipeline.healthPages() {
		want[pattern[strings.IndexByte(pattern, '/'):]] = proxy.Health
	}
	var doc document
	if err := json.Unmarshal(query.OpenAPI, &doc); err != nil {
		t.Fatal(err)
	}
	for path := range doc.Paths {
		service, other := want[path]
		if !other {
			service = proxy.Query // its handler serves the rest
		}
		got, known := proxy.ServiceOf(strings.NewReplacer("{", "", "}", "").Replace(path))
		if !known || got != service {
			t.Errorf("%s: goes to service %d (known: %v), but %d serves it", path, got, known, service)
		}
		delete(want, path)
	}
	for path, service := range want {
		if got, known := proxy.ServiceOf(path); !known || got != service {
			t.Errorf("%s: goes to service %d (known: %v), but %d serves it", path, got, known, service)
		}
	}
	if _, known := proxy.ServiceOf("/v1/unheardof"); known {
		t.Error("a path that nobody serves is known")
	}
}
