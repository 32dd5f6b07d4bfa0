package sealstream_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Modules that an importer of a package of pkg/ gets with it, whether it uses them or not.
const (
	kong       = "github.com/alecthomas/kong"
	pgx        = "github.com/jackc/pgx"
	prometheus = "github.com/prometheus/client_golang"
	yaml       = "go.yaml.in/yaml"
	natsServer = "github.com/nats-io/nats-server"
	natsClient = "github.com/nats-io/nats.go"
)

// without says what the dependencies of each package of pkg/ are free of, directly and indirectly.
var without = map[string][]string{
	"pkg/api":               {kong, pgx, prometheus, yaml, natsServer, natsClient},
	"pkg/client":            {kong, pgx, prometheus, yaml, natsServer},
	"pkg/compliance":        {kong, pgx, prometheus, natsServer, natsClient},
	"pkg/compliance/online": {kong, pgx, prometheus, natsServer},
	"pkg/embed":             {kong, pgx, prometheus, yaml},
	"pkg/embed/prometheus":  {kong, pgx, yaml},
	"pkg/entry":             {kong, pgx, prometheus, yaml, natsServer, natsClient},
	"pkg/integrity":         {kong, pgx, prometheus, yaml, natsServer, natsClient},
	"pkg/proof":             {kong, pgx, prometheus, yaml, natsServer, natsClient},
	"pkg/redact":            {kong, pgx, prometheus, yaml, natsServer, natsClient},
	"pkg/redact/rulesfile":  {kong, pgx, prometheus, natsServer, natsClient},
	"pkg/sink":              {kong, pgx, prometheus, yaml, natsServer, natsClient},
	"pkg/sink/run":          {}, // a whole program
	"pkg/sink/sinktest":     {kong, pgx, prometheus, yaml, natsServer, natsClient},
}

// alone says which modules besides the standard library and this one a package may depend on.
var alone = map[string][]string{
	"pkg/proof":  {"golang.org/x/mod", "github.com/go-json-experiment/json", "github.com/google/uuid"},
	"pkg/redact": {},
}

// TestDependencies: importing a package of pkg/ does not bring in what it does not need.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-f",
		`{{.ImportPath}}{{range .Deps}} {{.}}{{end}}`, "./pkg/...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		path := strings.TrimPrefix(fields[0], module)
		seen[path] = true
		banned, known := without[path]
		if !known {
			t.Errorf("%s: say what it is free of", path)
		}
		checkDependencies(t, path, fields[1:], banned)
	}
	for path := range without {
		if !seen[path] {
			t.Errorf("there is no package %s", path)
		}
	}
}

func checkDependencies(t *testing.T, path string, deps, banned []string) {
	t.Helper()
	allowed, few := alone[path]
	for _, dep := range deps {
		within := func(mod string) bool { return dep == mod || strings.HasPrefix(dep, mod+"/") }
		if i := slices.IndexFunc(banned, within); i >= 0 {
			t.Errorf("%s depends on %s", path, dep)
		}
		first, _, _ := strings.Cut(dep, "/")
		standard := !strings.Contains(first, ".") || first == "vendor"
		if few && !standard && !strings.HasPrefix(dep, module) && !slices.ContainsFunc(allowed, within) {
			t.Errorf("%s depends on %s, which is beyond %v", path, dep, allowed)
		}
	}
}
