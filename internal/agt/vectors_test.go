package agt_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/sealstream/sealstream/internal/agt"
	"github.com/sealstream/sealstream/internal/ruleset"
)

// vectors are values that the toolkit itself computed (testdata/README.md).
type vectors struct {
	Hashes []struct{ Name, Canonical, SHA256 string } `json:"hash_vectors"`
	Roots  []struct {
		N           int
		Leaf        string
		Previous    string `json:"previous_hash"`
		Incremental string `json:"root_incremental"`
		Rebuilt     string `json:"root_full_rebuild"`
	}
	Proofs []struct {
		N, Index int
		Entry    string `json:"entry_hash"`
		Proof    [][2]string
	}
	Chain []struct {
		Key       string `json:"key_utf8"`
		Canonical string
		Content   string `json:"content_hash"`
		Signature string
		JSONL     string
	} `json:"hmac_chain"`
	CloudEvents []struct {
		Event string `json:"event_type"`
		CE    string `json:"ce_type"`
	}
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	b, err := os.ReadFile("testdata/agt-vectors.json")
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Hashes) != 6 || len(v.Roots) != 9 || len(v.Proofs) != 9 || len(v.Chain) != 3 || len(v.CloudEvents) != 13 {
		t.Fatalf("%d hashes, %d roots, %d proofs, %d lines, %d types", len(v.Hashes), len(v.Roots), len(v.Proofs),
			len(v.Chain), len(v.CloudEvents))
	}
	return v
}

func sha(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func TestVectorsCanonical(t *testing.T) {
	for _, h := range readVectors(t).Hashes {
		// What another program makes of the same value must come back to the toolkit's bytes.
		var again any
		d := json.NewDecoder(bytesReader(h.Canonical))
		d.UseNumber()
		if err := d.Decode(&again); err != nil {
			t.Fatal(err)
		}
		other, err := json.MarshalIndent(again, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range [][]byte{[]byte(h.Canonical), other} {
			got, err := agt.Canonical(in)
			if err != nil || string(got) != h.Canonical || sha(got) != h.SHA256 {
				t.Errorf("%s: %s, %v, want %s", h.Name, got, err, h.Canonical)
			}
		}
	}
}

func TestVectorsEntryHash(t *testing.T) {
	v := readVectors(t)
	for _, h := range v.Hashes {
		r, previous := recordOf(t, h.Canonical)
		if got, err := agt.EntryHash(r, previous); err != nil || got != h.SHA256 {
			t.Errorf("%s: %s, %v, want %s", h.Name, got, err, h.SHA256)
		}
	}
}

// recordOf reads the members of a canonical form.
func recordOf(t *testing.T, text string) (agt.Record, string) {
	t.Helper()
	v, err := agt.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	get := func(name string) *string {
		m := v.Get(name)
		if m == nil || m.Kind != agt.String {
			return nil
		}
		return &m.Text
	}
	need := func(name string) string {
		if s := get(name); s != nil {
			return *s
		}
		t.Fatalf("no %s", name)
		return ""
	}
	return agt.Record{
		EntryID: need("entry_id"), Timestamp: need("timestamp"), EventType: need("event_type"),
		AgentDID: need("agent_did"), Action: need("action"),
		Resource: get("resource"), TargetDID: get("target_did"), Data: []byte(v.Get("data").Raw()),
		Outcome:        need("outcome"),
		PolicyDecision: get("policy_decision"), MatchedRule: get("matched_rule"), TraceID: get("trace_id"),
		SessionID: get("session_id"),
	}, need("previous_hash")
}

func TestVectorsTree(t *testing.T) {
	v := readVectors(t)
	leaves, previous := []string{}, ""
	for i, r := range v.Roots {
		if r.N != i+1 || r.Previous != previous {
			t.Fatalf("root %d is of %d entries, after %q", i, r.N, r.Previous)
		}
		leaves, previous = append(leaves, r.Leaf), r.Leaf
		if got := agt.Root(leaves); got != r.Incremental {
			t.Errorf("%d: root %s, want %s", r.N, got, r.Incremental)
		}
		if got := agt.RebuiltRoot(leaves); got != r.Rebuilt {
			t.Errorf("%d: rebuilt root %s, want %s", r.N, got, r.Rebuilt)
		}
	}
	for _, p := range v.Proofs {
		got := agt.Proof(leaves[:p.N], p.Index)
		if len(got) != len(p.Proof) {
			t.Fatalf("%d of %d: %d steps, want %d", p.Index, p.N, len(got), len(p.Proof))
		}
		for i, s := range p.Proof {
			if want := (agt.Step{Hash: s[0], Left: s[1] == "left"}); got[i] != want {
				t.Errorf("%d of %d, step %d: %v, want %v", p.Index, p.N, i, got[i], want)
			}
		}
		if root := v.Roots[p.N-1].Incremental; !agt.CheckProof(p.Entry, got, root) {
			t.Errorf("%d of %d: the proof does not lead to %s", p.Index, p.N, root)
		}
		if agt.CheckProof(p.Entry, got, v.Roots[p.N-1].Rebuilt) {
			t.Errorf("%d of %d: the proof leads to the other root", p.Index, p.N)
		}
	}
	if agt.Root(nil) != "" || agt.Proof(leaves, 9) != nil || agt.Proof(leaves, -1) != nil {
		t.Error("there is something where nothing is")
	}
}

func TestVectorsLines(t *testing.T) {
	previous := ""
	for i, c := range readVectors(t).Chain {
		r, stated := recordOf(t, c.Canonical)
		if stated != previous {
			t.Fatalf("line %d follows %s", i, stated)
		}
		r.PreviousHash = previous
		got, err := agt.ContentHash(r)
		if err != nil || got != c.Content || sha([]byte(c.Canonical)) != got {
			t.Errorf("line %d: content hash %s, %v, want %s", i, got, err, c.Content)
		}
		if s := agt.Sign([]byte(c.Key), got); s != c.Signature {
			t.Errorf("line %d: signature %s, want %s", i, s, c.Signature)
		}
		line, hash, err := r.AppendLine(nil, []byte(c.Key))
		if err != nil || string(line) != c.JSONL || hash != c.Content {
			t.Errorf("line %d: %s, %v\nwant %s", i, line, err, c.JSONL)
		}
		previous = hash
	}
}

// Case 28 of the toolkit's: the type map.
func TestVectorsCloudEventTypes(t *testing.T) {
	for _, c := range readVectors(t).CloudEvents {
		if got := ruleset.CloudEventType(c.Event); got != c.CE {
			t.Errorf("%s: %s, want %s", c.Event, got, c.CE)
		}
		if got := ruleset.EventType(c.CE); got != c.Event {
			t.Errorf("%s: %s, want %s", c.CE, got, c.Event)
		}
	}
}

// Every line of a whole trail has the hash and the signature that the toolkit gave it, and is
// written again byte for byte.
func TestTrailIsWrittenAgain(t *testing.T) {
	f, err := os.Open("testdata/agt-audit-trail.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, n, previous := bufio.NewScanner(f), 0, ""
	s.Buffer(nil, 1<<20)
	for ; s.Scan(); n++ {
		r, stated := recordOf(t, s.Text())
		if stated != previous {
			t.Fatalf("line %d follows %s", n, stated)
		}
		r.PreviousHash = previous
		line, hash, err := r.AppendLine(nil, []byte("tau-airline-demo-key-not-a-secret"))
		if err != nil || string(line) != s.Text() {
			t.Fatalf("line %d: %s, %v\nwant %s", n, line, err, s.Text())
		}
		previous = hash
	}
	if n != 300 || s.Err() != nil {
		t.Fatalf("%d lines, %v", n, s.Err())
	}
}
