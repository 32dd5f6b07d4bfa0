package pkg_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sealstream/sealstream/"

// mayImport is the import DAG: for each package of this module, the packages of this module that it may import. What is not
// here does not exist: a new package is a decision.
var mayImport = map[string][]string{
	"pkg/redact":             {},
	"pkg/redact/rulesfile":   {"pkg/redact"},
	"pkg/entry":              {"pkg/redact"},
	"pkg/proof":              {"pkg/entry"},
	"pkg/agt":                {"pkg/entry"}, // another program's formats: import, the file sink and the drop-in HTTP need them alike
	"pkg/internal/eventgen":  {"pkg/entry"},
	"pkg/store":              {"pkg/proof", "pkg/entry"},
	"pkg/store/storetest":    {"pkg/store", "pkg/proof", "pkg/entry"},
	"streams":                {},
	"pkg/internal/natsd":     {},
	"pkg/internal/durable":   {},
	"pkg/store/natsstore":    {"pkg/store", "pkg/proof", "pkg/entry", "streams"},
	"pkg/sealer":             {"pkg/internal/durable", "pkg/store", "pkg/proof", "pkg/entry", "pkg/redact"},
	"pkg/ingest":             {"pkg/store", "pkg/proof", "pkg/entry", "pkg/redact"},
	"pkg/archive":            {"pkg/store", "pkg/proof", "pkg/entry"},
	"pkg/query/segment":      {},
	"pkg/query":              {"pkg/internal/durable", "pkg/query/segment", "pkg/store", "pkg/proof", "pkg/entry"},
	"pkg/alert":              {"pkg/store", "pkg/proof", "pkg/entry"},
	"pkg/witness":            {"pkg/internal/durable", "pkg/store", "pkg/proof", "pkg/entry"},
	"pkg/sink":               {"pkg/store", "pkg/proof", "pkg/entry"},
	"pkg/sink/sinktest":      {"pkg/sink", "pkg/entry"},
	"pkg/sink/pgsink":        {"pkg/sink", "pkg/entry"},
	"pkg/sink/pgsink/pgtest": {},
	"pkg/sink/filesink":      {"pkg/sink", "pkg/agt", "pkg/entry"},
	"pkg/client":             {"pkg/internal/durable", "pkg/proof", "pkg/entry", "pkg/redact", "streams"},
	"pkg/node": {"pkg/internal/durable", "pkg/integrity", "pkg/sink", "pkg/sink/filesink", "pkg/sink/pgsink", "pkg/agt", "pkg/sealer", "pkg/ingest", "pkg/query", "pkg/alert", "pkg/archive", "pkg/witness", "pkg/client", "pkg/store", "pkg/store/natsstore",
		"pkg/internal/natsd", "pkg/redact", "pkg/redact/rulesfile", "pkg/proof", "pkg/entry", "streams"},
	"pkg/bench":      {"pkg/redact", "pkg/sealer", "pkg/ingest", "pkg/query", "pkg/store", "pkg/store/natsstore", "pkg/internal/natsd", "pkg/proof", "pkg/entry", "streams"},
	"pkg/tamper":     {"pkg/sealer", "pkg/witness", "pkg/store", "pkg/proof", "pkg/entry"},
	"pkg/integrity":  {"pkg/proof", "pkg/entry"},
	"pkg/compliance": {"pkg/proof", "pkg/entry"}, // the query side comes over the HTTP API, in process or not
	"cmd/ingest":     {"pkg/node"},
	"cmd/sealer":     {"pkg/node"},
	"cmd/query":      {"pkg/node"},
	"cmd/alert":      {"pkg/node"},
	"cmd/archiver":   {"pkg/node"},
	"cmd/sink":       {"pkg/node"},
	"cmd/sealstream": {"pkg/node", "pkg/compliance", "pkg/integrity", "pkg/agt", "pkg/archive", "pkg/sink/filesink", "pkg/bench", "pkg/tamper", "pkg/client", "pkg/proof", "pkg/entry", "pkg/redact", "streams"},
}

// only says which packages alone may import a heavy or dangerous module.
var only = map[string][]string{
	"github.com/nats-io/nats-server":        {"pkg/internal/natsd"},
	"github.com/prometheus/client_golang":   {"pkg/node"},
	"github.com/nats-io/nkeys":              {"pkg/node"},
	"github.com/nats-io/nats.go":            {"streams", "pkg/internal/natsd", "pkg/store/natsstore", "pkg/client", "pkg/node", "pkg/bench"},
	"github.com/cloudevents/sdk-go":         {"pkg/ingest", "pkg/query", "pkg/client"},
	"github.com/go-json-experiment/json":    {"pkg/entry"},
	"github.com/alecthomas/kong":            {"pkg/node", "cmd/ingest", "cmd/sealer", "cmd/query", "cmd/alert", "cmd/archiver", "cmd/sink", "cmd/sealstream"},
	"github.com/synadia-io/orbit.go":        {"pkg/node"},
	"github.com/klauspost/compress":         {"pkg/archive"},
	"github.com/transparency-dev/merkle":    {},
	"github.com/rogpeppe/go-internal":       {},
	"github.com/santhosh-tekuri/jsonschema": {},
	"pgregory.net/rapid":                    {},
	"golang.org/x/mod":                      {"pkg/proof"},
	"go.yaml.in/yaml":                       {"pkg/alert", "pkg/redact/rulesfile", "pkg/node", "pkg/compliance"},
	"github.com/RoaringBitmap/roaring":      {"pkg/query/segment"},
	"github.com/minio/highwayhash":          {"pkg/query/segment"},
	"github.com/jackc/pgx":                  {"pkg/sink/pgsink", "pkg/sink/pgsink/pgtest"},
}

// ground packages do no I/O and start nothing: none of these may be imported there.
var notInGround = []string{"context", "os", "net", "net/http", "time/tzdata", "log", "log/slog", "sync/atomic", "math/rand", "math/rand/v2"}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "../...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		path := strings.TrimPrefix(fields[0], module)
		if path == "pkg" { // this test alone
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
	if own, ok := strings.CutPrefix(imported, module); ok && !slices.Contains(allowed, own) {
		t.Errorf("%s imports %s, which the DAG does not allow", path, own)
	}
	if (path == "pkg/entry" || path == "pkg/proof" || path == "pkg/agt" || path == "pkg/redact") && slices.Contains(notInGround, imported) {
		t.Errorf("%s is ground, but imports %s", path, imported)
	}
	for mod, who := range only {
		if (imported == mod || strings.HasPrefix(imported, mod+"/")) && !slices.Contains(who, path) {
			t.Errorf("%s imports %s, which is for %v alone", path, imported, who)
		}
	}
}
