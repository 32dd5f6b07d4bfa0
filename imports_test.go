package sealstream_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sealstream/sealstream/"

// mayImport is the import DAG: for each package of this module, the packages of this module that it
// may import. What is not here does not exist: a new package is a decision.
var mayImport = map[string][]string{
	"internal/canonical":             {},
	"internal/durable":               {},
	"internal/flock":                 {},
	"internal/health":                {},
	"internal/memory":                {},
	"internal/outward":               {},
	"internal/parallel":              {},
	"internal/privateca":             {},
	"internal/retry":                 {},
	"internal/ruleset":               {},
	"internal/segment":               {},
	"internal/sse":                   {},
	"internal/when":                  {},
	"internal/yamlfile":              {},
	"internal/access/oidc":           {"internal/access", "internal/access/gate"},
	"internal/access/gate":           {"internal/access", "internal/health", "internal/httpapi", "pkg/api"},
	"internal/access":                {"internal/canonical", "internal/ruleset", "pkg/entry"},
	"internal/access/accessfile":     {"internal/access", "internal/durable", "internal/flock", "internal/yamlfile"},
	"internal/size":                  {},
	"internal/sinks/postgres/pgtest": {},
	"pkg/redact":                     {},
	"streams/subject":                {},
	"internal/disk":                  {"internal/health", "internal/size"},
	"internal/natsd":                 {"internal/durable", "streams/subject"},
	"pkg/entry":                      {"internal/canonical", "internal/redactions", "internal/ruleset", "pkg/redact"},
	"pkg/redact/rulesfile":           {"pkg/redact"},
	"streams":                        {"internal/size", "streams/subject"},
	"internal/redactions":            {"internal/canonical", "internal/ruleset", "pkg/redact"},
	"internal/draft":                 {"internal/canonical", "internal/redactions", "internal/ruleset", "pkg/entry", "pkg/redact"},
	"internal/inbox":                 {"internal/canonical", "internal/ruleset", "pkg/entry", "pkg/redact"},
	// another program's formats: import, the file sink and the drop-in HTTP need them alike
	"internal/agt":             {"internal/canonical", "internal/ruleset", "pkg/entry"},
	"internal/eventgen":        {"internal/inbox", "pkg/entry", "streams/subject"},
	"internal/natsconn":        {"internal/natsd", "internal/outward", "streams"},
	"internal/settings":        {"internal/disk", "internal/memory", "internal/size", "pkg/entry"},
	"internal/logtest/keytest": {"pkg/proof"},
	"pkg/api":                  {"internal/canonical", "pkg/entry", "pkg/proof"},
	"internal/merkle":          {"internal/ruleset", "pkg/entry"},
	"pkg/proof": {
		"internal/canonical", "internal/cosign", "internal/merkle", "internal/ruleset",
		"pkg/entry",
	},
	"internal/httpapi":  {"internal/settings", "internal/tlsfiles", "pkg/api"},
	"internal/tlsfiles": {"internal/settings"},
	"internal/store": {
		"internal/audit", "internal/canonical", "internal/inbox", "internal/merkle", "internal/retry", "internal/ruleset",
		"internal/sealedlog", "pkg/entry", "pkg/proof", "streams/subject",
	},
	"pkg/client": {
		"internal/audit", "internal/draft", "internal/durable", "internal/flock", "internal/outward",
		"internal/retry", "internal/sse", "pkg/api", "pkg/entry", "pkg/proof", "pkg/redact",
		"streams/subject",
	},
	// the query side comes over the HTTP API, in process or not
	"pkg/compliance":        {"pkg/api", "pkg/entry", "pkg/proof"},
	"pkg/compliance/online": {"pkg/api", "pkg/client", "pkg/compliance", "pkg/proof"},
	"pkg/integrity":         {"pkg/entry", "pkg/proof"},
	"pkg/sink":              {"internal/size", "pkg/entry", "pkg/proof"},
	"internal/alert": {
		"internal/access", "internal/audit", "internal/canonical", "internal/health", "internal/httpapi", "internal/outward",
		"internal/retry", "internal/ruleset", "internal/sealedlog", "internal/store", "pkg/api",
		"pkg/entry", "pkg/proof", "streams/subject",
	},
	"internal/audit": {
		"internal/canonical", "internal/merkle", "internal/ruleset", "internal/sealedlog",
		"pkg/entry", "pkg/proof",
	},
	"internal/sealedlog": {"internal/canonical", "internal/merkle", "internal/ruleset", "pkg/entry"},
	"internal/cosign":    {},
	"internal/archive": {
		"internal/audit", "internal/httpapi", "internal/sealedlog", "internal/segment", "internal/store",
		"pkg/entry", "streams/subject",
	},
	"internal/ingest": {
		"internal/access", "internal/canonical", "internal/httpapi", "internal/inbox", "internal/merkle", "internal/retry",
		"internal/sealedlog", "internal/store", "pkg/api", "pkg/entry", "pkg/proof", "pkg/redact", "streams/subject",
	},
	"internal/query": {
		"internal/access", "internal/audit", "internal/durable", "internal/health", "internal/httpapi",
		"internal/merkle", "internal/sealedlog", "internal/segment", "internal/store", "pkg/api",
		"pkg/entry", "pkg/proof", "streams/subject",
	},
	"internal/sealer": {
		"internal/audit", "internal/draft", "internal/durable", "internal/inbox",
		"internal/merkle", "internal/retry", "internal/sealedlog", "internal/store", "pkg/entry",
		"pkg/proof", "pkg/redact", "streams/subject",
	},
	"internal/sinks/file":     {"internal/agt", "internal/flock", "pkg/entry", "pkg/sink"},
	"internal/sinks/http":     {"internal/outward", "pkg/entry", "pkg/sink"},
	"internal/sinks/nats":     {"pkg/entry", "pkg/sink", "streams/subject"},
	"internal/sinks/postgres": {"internal/outward", "pkg/entry", "pkg/sink"},
	"internal/sinks/run": {
		"internal/audit", "internal/health", "internal/store", "pkg/entry", "pkg/proof",
		"pkg/sink", "streams/subject",
	},
	"internal/sinks/stdout":    {"pkg/entry", "pkg/sink"},
	"internal/store/natsstore": {"internal/retry", "internal/store", "pkg/entry", "streams"},
	"internal/store/storetest": {"internal/store", "pkg/entry", "streams/subject"},
	"internal/witness": {
		"internal/cosign", "internal/durable", "internal/merkle", "internal/outward",
		"internal/store", "pkg/entry", "pkg/proof", "streams/subject",
	},
	"pkg/sink/sinktest": {"internal/draft", "pkg/entry", "pkg/sink"},
	"internal/agtapi": {
		"internal/access", "internal/agt", "internal/httpapi", "internal/ingest", "internal/query", "pkg/api",
		"pkg/entry",
	},
	"internal/bench": {
		"internal/archive", "internal/audit", "internal/inbox", "internal/ingest", "internal/merkle", "internal/natsd", "internal/query",
		"internal/sealer", "internal/segment", "internal/store", "internal/store/natsstore", "pkg/api",
		"pkg/client", "pkg/entry", "pkg/proof", "pkg/redact", "streams", "streams/subject",
	},
	"internal/demo":      {"pkg/entry", "streams/subject"},
	"internal/readiness": {"internal/datadir", "internal/health", "internal/query", "internal/settings"},
	"internal/proxy": {
		"internal/httpapi", "internal/natsconn", "internal/readiness", "internal/settings", "internal/tlsfiles",
		"pkg/api",
	},
	"internal/vitals": {
		"internal/health", "internal/ingest", "internal/sealer", "internal/settings", "internal/store", "streams",
	},
	"internal/witness/server": {
		"internal/cosign", "internal/datadir", "internal/flock", "internal/httpapi", "internal/settings",
		"internal/witness", "pkg/proof",
	},
	"internal/datadir": {
		"internal/archive", "internal/audit", "internal/disk", "internal/durable",
		"internal/flock", "internal/health", "internal/natsd", "internal/settings",
		"internal/store", "internal/store/natsstore", "pkg/proof", "streams",
	},
	"internal/logtest": {
		"internal/inbox", "internal/logtest/keytest", "internal/natsd", "internal/sealer", "internal/store", "internal/store/natsstore",
		"pkg/entry", "pkg/proof", "streams", "streams/subject",
	},
	"internal/tamper": {
		"internal/audit", "internal/cosign", "internal/merkle", "internal/sealer",
		"internal/store", "internal/witness", "pkg/entry", "pkg/proof", "streams/subject",
	},
	"internal/cluster": {
		"internal/datadir", "internal/natsconn", "internal/natsd", "internal/privateca", "internal/settings",
		"streams", "streams/subject",
	},
	"internal/migrate": {
		"internal/archive", "internal/audit", "internal/cluster", "internal/datadir", "internal/inbox", "internal/natsconn",
		"internal/natsd", "internal/ruleset", "internal/sealedlog", "internal/sealer", "internal/store",
		"internal/store/natsstore", "pkg/entry", "streams", "streams/subject",
	},
	"internal/alert/rulesfile": {"internal/alert", "internal/yamlfile"},
	"internal/metrics": {
		"internal/access", "internal/access/gate", "internal/alert", "internal/disk", "internal/health", "internal/httpapi", "internal/ingest",
		"internal/query", "internal/sealer", "internal/store", "pkg/api", "pkg/entry",
	},
	"internal/program": {
		"internal/access/accessfile", "internal/access/oidc",
		"internal/alert/rulesfile", "internal/cluster", "internal/datadir", "internal/httpapi",
		"internal/metrics", "internal/natsconn", "internal/node", "internal/settings",
		"internal/sinks/postgres", "pkg/redact/rulesfile", "pkg/sink",
	},
	"pkg/embed":            {"internal/node", "pkg/client", "pkg/redact", "pkg/sink"},
	"pkg/embed/prometheus": {"internal/metrics", "pkg/embed"},
	"internal/node": {
		"internal/access", "internal/access/gate", "internal/agtapi", "internal/alert", "internal/archive", "internal/audit", "internal/cluster",
		"internal/datadir", "internal/disk", "internal/flock", "internal/health", "internal/httpapi",
		"internal/inbox", "internal/ingest", "internal/natsconn", "internal/natsd", "internal/query", "internal/ruleset",
		"internal/sealedlog", "internal/sealer", "internal/settings",
		"internal/sinks/file", "internal/sinks/http", "internal/sinks/nats", "internal/sinks/run",
		"internal/sinks/stdout", "internal/store", "internal/store/natsstore", "internal/tlsfiles", "internal/vitals", "internal/witness",
		"pkg/api", "pkg/client", "pkg/entry", "pkg/integrity", "pkg/proof", "pkg/redact", "pkg/sink",
		"streams", "streams/subject",
	},
	"cmd/alert":    {"internal/program"},
	"cmd/archiver": {"internal/program"},
	"cmd/ingest":   {"internal/program"},
	"cmd/query":    {"internal/program"},
	"cmd/sealer":   {"internal/program"},
	"cmd/sealstream": {
		"internal/access", "internal/access/accessfile", "internal/agt", "internal/archive", "internal/audit", "internal/bench", "internal/canonical",
		"internal/cluster", "internal/cosign", "internal/datadir", "internal/demo", "internal/durable", "internal/httpapi",
		"internal/merkle", "internal/migrate", "internal/natsconn", "internal/natsd", "internal/node", "internal/outward",
		"internal/privateca",
		"internal/program", "internal/proxy", "internal/readiness", "internal/retry", "internal/ruleset", "internal/settings",
		"internal/sinks/file", "internal/sinks/nats", "internal/tamper", "internal/tlsfiles", "internal/when",
		"internal/witness/server", "pkg/api",
		"pkg/client", "pkg/compliance", "pkg/compliance/online", "pkg/entry", "pkg/integrity", "pkg/proof",
		"pkg/redact", "streams/subject",
	},
	"pkg/sink/run": {"internal/program", "pkg/sink"},
	"cmd/sink":     {"pkg/sink/run"},
}

// leaves are packages that import nothing of this module. Every package above the ground may import them.
var leaves = []string{
	"streams/subject", "internal/retry", "internal/size", "internal/canonical", "internal/parallel", "internal/ruleset",
}

// ground packages do no I/O and start nothing.
var ground = []string{
	"internal/cosign", "internal/merkle", "internal/audit", "internal/sealedlog", "internal/merkle",
	"internal/canonical", "pkg/entry", "pkg/proof", "internal/agt", "pkg/redact",
}

// only says which packages alone may import a heavy or dangerous module.
var only = map[string][]string{
	"github.com/nats-io/nats-server":        {"internal/natsd"},
	"github.com/prometheus/client_golang":   {"internal/metrics"},
	"github.com/coreos/go-oidc":             {"internal/access/oidc"},
	"github.com/go-jose/go-jose":            {"internal/access/oidc"},
	"github.com/nats-io/nkeys":              {"internal/access", "internal/cluster"},
	"github.com/nats-io/nats.go":            {"streams", "internal/natsd", "internal/store/natsstore", "pkg/client", "internal/cluster", "internal/demo", "internal/migrate", "internal/node", "internal/bench", "internal/datadir", "internal/logtest", "internal/natsconn", "internal/sinks/nats"},
	"github.com/cloudevents/sdk-go":         {"internal/ingest", "internal/query", "pkg/client"},
	"github.com/go-json-experiment/json":    {"internal/canonical"},
	"github.com/alecthomas/kong":            {"internal/program", "cmd/sealstream"},
	"github.com/jotaen/kong-completion":     {"cmd/sealstream"},
	"github.com/synadia-io/orbit.go":        {"internal/natsconn"},
	"github.com/klauspost/compress":         {"internal/archive", "internal/segment"},
	"github.com/transparency-dev/merkle":    {},
	"github.com/rogpeppe/go-internal":       {},
	"github.com/santhosh-tekuri/jsonschema": {},
	"pgregory.net/rapid":                    {},
	"golang.org/x/mod":                      {"internal/cosign", "internal/merkle", "pkg/proof"},
	"github.com/cenkalti/backoff":           {"internal/retry"},
	"go.yaml.in/yaml":                       {"internal/access/accessfile", "internal/alert/rulesfile", "internal/program", "internal/yamlfile", "pkg/compliance", "pkg/redact/rulesfile"},
	"github.com/RoaringBitmap/roaring":      {"internal/segment"},
	"github.com/minio/highwayhash":          {"internal/segment"},
	"github.com/jackc/pgx":                  {"internal/sinks/postgres", "internal/sinks/postgres/pgtest"},
}

// ground packages do no I/O and start nothing: none of these may be imported there.
var notInGround = []string{
	"context", "os", "net", "net/http", "time/tzdata", "log", "log/slog", "sync/atomic", "math/rand", "math/rand/v2",
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		path := strings.TrimPrefix(fields[0], module)
		if path == "conformance" || path == "deploy" || path == strings.TrimSuffix(module, "/") { // this test alone
			continue
		}
		seen[path] = true
		allowed, known := mayImport[path]
		if !known {
			t.Errorf("%s: not in the import DAG", path)
			continue
		}
		for _, imported := range fields[1:] {
			checkImport(t, path, imported, allowed)
		}
	}
	for path := range mayImport {
		if !seen[path] {
			t.Errorf("%s: in the import DAG, but there is no such package", path)
		}
	}
}

func checkImport(t *testing.T, path, imported string, allowed []string) {
	t.Helper()
	isGround := slices.Contains(ground, path)
	own, ok := strings.CutPrefix(imported, module)
	if ok && !slices.Contains(allowed, own) && (isGround || !slices.Contains(leaves, own)) {
		t.Errorf("%s imports %s, which the DAG does not allow", path, own)
	}
	if isGround && slices.Contains(notInGround, imported) {
		t.Errorf("%s is ground, but imports %s", path, imported)
	}
	for mod, who := range only {
		if (imported == mod || strings.HasPrefix(imported, mod+"/")) && !slices.Contains(who, path) {
			t.Errorf("%s imports %s, which is for %v alone", path, imported, who)
		}
	}
}
