package filesink_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/agt"
	"github.com/sealstream/sealstream/internal/draft"
	filesink "github.com/sealstream/sealstream/internal/sinks/file"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

const trailKey = "tau-airline-demo-key-not-a-secret"

// sealAll seals the events of a trail of the toolkit, from index 0 on.
func sealAll(t *testing.T, lines [][]byte) []sink.Record {
	t.Helper()
	var list []sink.Record
	var previous entry.Hash
	for i, text := range lines {
		l, err := agt.ParseLine(text)
		if err != nil {
			t.Fatal(err)
		}
		ev, err := l.Event(true)
		if err != nil {
			t.Fatal(err)
		}
		src := draft.Source{
			Log: "default", Origin: "o", Secret: make([]byte, 32), Epoch: 1, Seq: uint64(i + 1),
			ReceivedAt: "2026-11-24T10:00:00.000000000Z",
		}
		d := draft.Event(src, ev)
		e, p := d.Seal(uint64(i), previous)
		previous = e.EntryHash
		list = append(list, sink.Record{Entry: e, Payload: p})
	}
	return list
}

// compareLines writes what a trail says through the sink, and compares hashes and signatures.
func compareLines(t *testing.T, want [][]byte, key string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	s := open(t, filesink.Config{Path: path, Keys: filesink.Ring{filesink.NewKey([]byte(key))}})
	write(t, s, sealAll(t, want))
	got := bytes.Split(bytes.TrimSuffix(plain(t, path), []byte("\n")), []byte("\n"))
	if len(got) != len(want) {
		t.Fatalf("%d lines of %d", len(got), len(want))
	}
	for i := range got {
		a, err := agt.ParseLine(want[i])
		if err != nil {
			t.Fatal(err)
		}
		b, err := agt.ParseLine(got[i])
		if err != nil {
			t.Fatal(err)
		}
		if a.ContentHash != b.ContentHash || a.Signature != b.Signature || a.PreviousHash != b.PreviousHash {
			t.Fatalf("line %d: %s, the toolkit has\n%s", i+1, got[i], want[i])
		}
	}
}

// TestVectors: for equal input the files have the toolkit's content hashes and signatures, in its
// vectors and in the 300 lines of its own trail.
func TestVectors(t *testing.T) {
	text, err := os.ReadFile("../../agt/testdata/agt-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Chain []struct {
			Key   string `json:"key_utf8"`
			JSONL string
		} `json:"hmac_chain"`
	}
	if err := json.Unmarshal(text, &v); err != nil || len(v.Chain) != 3 {
		t.Fatal(len(v.Chain), err)
	}
	var lines [][]byte
	for _, c := range v.Chain {
		lines = append(lines, []byte(c.JSONL))
	}
	compareLines(t, lines, v.Chain[0].Key)
	lines = bytes.Split(bytes.TrimSuffix(plain(t, "../../agt/testdata/agt-audit-trail.jsonl"), []byte("\n")),
		[]byte("\n"))
	if len(lines) != 300 {
		t.Fatal(len(lines))
	}
	compareLines(t, lines, trailKey)
}

// toolkitVerifier does what the toolkit's own verifier does (its format is a fact; this is written
// anew): it reads each line as Python does, dumps fourteen members of it, and compares hash, chain
// and signature.
const toolkitVerifier = `
import hashlib, hmac, json, sys
FIELDS = "entry_id timestamp event_type agent_did action resource target_did data outcome policy_decision matched_rule trace_id session_id previous_hash".split()
ALL = FIELDS + "compute_driver content_hash environment sandbox_id signature".split()
key, previous, n = sys.argv[1].encode(), "", 0
for line in open(sys.argv[2], encoding="utf-8").read().splitlines():
    d = json.loads(line)
    for name in ALL:
        d[name]
    for name in "entry_id timestamp event_type agent_did action outcome previous_hash content_hash signature".split():
        assert isinstance(d[name], str), name
    assert isinstance(d["data"], dict)
    h = hashlib.sha256(json.dumps({k: d[k] for k in FIELDS}, sort_keys=True, default=str).encode()).hexdigest()
    assert d["previous_hash"] == previous, "chain break in line %d" % (n + 1)
    assert d["content_hash"] == h, "content hash mismatch in line %d" % (n + 1)
    assert d["signature"] == hmac.new(key, h.encode(), hashlib.sha256).hexdigest(), "HMAC signature invalid in line %d" % (n + 1)
    previous, n = h, n + 1
print(n)
`

// TestPythonVerifies: Python itself reads our files, closed ones and the one that grows, and finds
// in each line what the toolkit's verifier looks for.
func TestPythonVerifies(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 here")
	}
	dir := t.TempDir()
	s := open(t, filesink.Config{Path: filepath.Join(dir, "audit.jsonl"), Keys: ring, MaxSize: 20000})
	list := sinktest.Records(60, 1)
	for i := range list {
		write(t, s, list[i:i+1])
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if len(paths) < 3 {
		t.Fatal(paths)
	}
	for _, path := range paths {
		out, err := exec.Command(python, "-c", toolkitVerifier, string(ring[0].Secret), path).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) == "0" {
			t.Fatalf("%s: %v\n%s", filepath.Base(path), err, out)
		}
	}
}

// TestToolkitFiles: the toolkit's own trail is checked, and what is wrong with it is named by its line.
func TestToolkitFiles(t *testing.T) {
	text := plain(t, "../../agt/testdata/agt-audit-trail.jsonl")
	lines := bytes.SplitAfter(text, []byte("\n"))
	keys := filesink.Ring{filesink.NewKey([]byte("wrong")), filesink.NewKey([]byte(trailKey))}
	for _, c := range []struct {
		name   string
		change func(lines [][]byte) [][]byte
		keys   filesink.Ring
		line   uint64
		why    string
	}{
		{"whole", nil, keys, 0, ""},
		{"without a key", nil, nil, 0, ""},
		{"wrong key", nil, keys[:1], 1, "signature invalid"},
		{"flipped byte", func(l [][]byte) [][]byte {
			l[122] = bytes.Replace(l[122], []byte("did:web"), []byte("did:veb"), 1)
			return l
		}, keys, 123, "content hash mismatch"},
		{"line removed", func(l [][]byte) [][]byte { return append(l[:50:50], l[51:]...) }, keys, 51, "chain break"},
		{"torn", func(l [][]byte) [][]byte { l[299] = l[299][:100]; return l[:300] }, keys, 300, "does not end"},
		{"no JSON", func(l [][]byte) [][]byte { l[7] = []byte("{]\n"); return l }, keys, 8, "not the JSON"},
	} {
		changed := make([][]byte, len(lines))
		for i := range lines {
			changed[i] = bytes.Clone(lines[i])
		}
		if c.change != nil {
			changed = c.change(changed)
		}
		path := filepath.Join(t.TempDir(), "trail.jsonl")
		if err := os.WriteFile(path, bytes.Join(changed, nil), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := filesink.Verify(t.Context(), []string{path}, c.keys)
		if err != nil {
			t.Fatal(err)
		}
		if c.line == 0 {
			if !r.Valid || r.Lines != 300 || r.Files[0].Kind != "agt" || r.Signed != (c.keys != nil) {
				t.Errorf("%s: %+v %v", c.name, r, r.Problem)
			}
			continue
		}
		if r.Valid || r.Problem.Line != c.line || !strings.Contains(r.Problem.Why, c.why) {
			t.Errorf("%s: %+v %v", c.name, r, r.Problem)
		}
	}
}
