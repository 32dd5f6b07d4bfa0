package query

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/api"
)

// TestOpenAPI holds the document to the routes, and its references to what they name.
func TestOpenAPI(t *testing.T) {
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]json.RawMessage
		Components map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(OpenAPI, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Fatalf("openapi %s", doc.OpenAPI)
	}
	var documented []string
	for path, operations := range doc.Paths {
		for method := range operations {
			if path == "/v1/events" && method == "post" || strings.HasPrefix(path, "/v1/archive") && method == "get" {
				continue // ingest's, and the archive's
			}
			if path == "/metrics" || strings.HasPrefix(path, "/readyz/") || strings.HasPrefix(path, "/v1/alerts") ||
				strings.HasPrefix(path, "/api/v1/audit/") {
				continue // node's
			}
			if method != "get" {
				t.Errorf("%s %s is documented, but nothing here writes", method, path)
			}
			documented = append(documented, path)
		}
	}
	if _, there := doc.Paths["/v1/events"]["post"]; !there {
		t.Error("POST /v1/events is not documented")
	}
	var served []string
	for _, r := range routes {
		served = append(served, r.path)
	}
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Fatalf("documented %v\nserved     %v", documented, served)
	}
	used := map[string]bool{}
	var all any
	if err := json.Unmarshal(OpenAPI, &all); err != nil {
		t.Fatal(err)
	}
	references(all, used)
	for ref := range used {
		parts := strings.Split(strings.TrimPrefix(ref, "#/components/"), "/")
		if len(parts) != 2 || doc.Components[parts[0]][parts[1]] == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	}
	for kind, list := range doc.Components {
		for name := range list {
			if !used["#/components/"+kind+"/"+name] {
				t.Errorf("%s/%s is not used", kind, name)
			}
		}
	}
	for _, name := range append(slices.Clone(api.FilterNames[:]), "from", "to", "time", "limit", "cursor", "order",
		"raw", "log") {
		if !strings.Contains(string(doc.Paths["/v1/entries"]["get"]),
			fmt.Sprintf(`"#/components/parameters/%s"`, name)) {
			t.Errorf("parameter %s of /v1/entries is not documented", name)
		}
	}
}

func references(v any, used map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if s, ok := value.(string); ok && name == "$ref" {
				used[s] = true
			}
			references(value, used)
		}
	case []any:
		for _, value := range v {
			references(value, used)
		}
	}
}
