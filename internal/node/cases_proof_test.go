package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Against the checkpoint that was signed, and against the one that was kept: an older export of the log is a whole one.
func caseTail(t *testing.T) {
	c := newCaseLog(t, "")
	c.recordAll(tools(5))
	old := c.export()
	c.record(tool("last", "a", ""))
	lines := c.export()
	note := c.ask(http.MethodGet, "/checkpoint", "", "", 200)
	known, err := proof.OpenCheckpoint(note, c.log.Key())
	if err != nil || known.Size != 7 {
		t.Fatalf("%+v, %v", known, err)
	}
	if err := c.audit(lines, known); err != nil {
		t.Fatal(err)
	}
	if err := c.audit(lines[:len(lines)-2], known); err == nil {
		t.Error("lines that were cut off are not missed")
	}
	if err := c.audit(old, known); err == nil {
		t.Error("an older state passes for the newest")
	}
}

// A log that is written anew, in good order, needs the signature of the log's key.
func caseRewritten(t *testing.T) {
	c, forged := newCaseLog(t, ""), newCaseLog(t, "")
	c.recordAll(tools(5))
	forged.recordAll(tools(4))
	if err := forged.audit(forged.export()); err != nil {
		t.Fatal(err)
	}
	if err := c.audit(forged.export()); err == nil {
		t.Error("a log of another key passes")
	}
	lines := forged.export()
	lines[0] = c.export()[0] // under the genuine checkpoint
	if err := c.audit(lines); err == nil {
		t.Error("other entries pass under the genuine checkpoint")
	}
}

func caseInner(t *testing.T) {
	c := newCaseLog(t, "")
	c.recordAll(tools(3))
	leaves := c.leaves()
	hashes := make([]entry.Hash, len(leaves))
	for i, l := range leaves {
		hashes[i] = entry.LeafHash(l)
	}
	p := c.proofOf("/v1/entries/0/proof")
	root, err := entry.ParseHash(p.MerkleRoot)
	if err != nil || len(p.MerkleProof) != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	if err := proof.CheckInclusion(hashes[0], 0, 4, p.MerkleProof, root); err != nil {
		t.Fatal(err)
	}
	inner := sha([]byte{1}, hashes[0][:], hashes[1][:])
	for name, x := range map[string]struct {
		leaf  entry.Hash
		index uint64
		path  proof.Path
	}{
		"an inner node": {inner, 0, p.MerkleProof[1:]}, "zeros": {entry.Hash{}, 0, p.MerkleProof}, "no steps": {hashes[0], 0, proof.Path{}}, "the root without steps": {root, 0, proof.Path{}},
		"zeros behind the end": {entry.Hash{}, 4, p.MerkleProof},
	} {
		if err := proof.CheckInclusion(x.leaf, x.index, 4, x.path, root); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// Who has a proof, its leaf and the log's key needs nothing else.
func caseAlone(t *testing.T) {
	c := newCaseLog(t, "")
	c.recordAll(tools(12))
	key := c.log.Key()
	for i := range uint64(13) {
		p := c.proofOf(fmt.Sprintf("/v1/entries/%d/proof", i))
		if _, err := checkLeaf([]byte(p.Leaf), i, p.MerkleProof, []byte(p.Checkpoint), key); err != nil {
			t.Errorf("entry %d: %v", i, err)
		}
		for other := range uint64(15) {
			if _, err := checkLeaf([]byte(p.Leaf), other, p.MerkleProof, []byte(p.Checkpoint), key); err == nil &&
				other != i {
				t.Errorf("entry %d is shown to be %d", i, other)
			}
		}
	}
}

func caseConsistency(t *testing.T) {
	c, other := newCaseLog(t, ""), newCaseLog(t, "")
	c.recordAll(tools(20))
	other.recordAll(tools(21))
	leaves, foreign := c.leaves(), other.leaves()
	for from := uint64(1); from < 21; from++ {
		var got struct {
			Proof    []string
			FromRoot string `json:"from_root"`
			ToRoot   string `json:"to_root"`
		}
		c.get(fmt.Sprintf("/v1/consistency?from=%d&to=21", from), &got)
		hashes := make([]entry.Hash, len(got.Proof))
		for i, h := range got.Proof {
			var err error
			if hashes[i], err = entry.ParseHash(h); err != nil {
				t.Fatal(err)
			}
		}
		old, now := naiveRoot(leaves[:from]), naiveRoot(leaves)
		if err := proof.CheckConsistency(from, 21, old, now, hashes); err != nil ||
			got.FromRoot != old.String() || got.ToRoot != now.String() {
			t.Errorf("from %d: %v", from, err)
		}
		if err := proof.CheckConsistency(from, 21, naiveRoot(foreign[:from]), now, hashes); err == nil {
			t.Errorf("from %d: a rewritten log passes", from)
		}
	}
}

// Every root that the log proves is what anyone computes from the leaves, with nothing but SHA-256.
func caseRoots(t *testing.T) {
	c := newCaseLog(t, "")
	c.recordAll(tools(299))
	leaves := c.leaves()
	if len(leaves) != 300 {
		t.Fatalf("%d leaves", len(leaves))
	}
	for n := 1; n <= 300; n++ {
		var got struct {
			FromRoot string `json:"from_root"`
		}
		c.get(fmt.Sprintf("/v1/consistency?from=%d&to=300", n), &got)
		if want := naiveRoot(leaves[:n]).String(); got.FromRoot != want {
			t.Fatalf("size %d: root %s, want %s", n, got.FromRoot, want)
		}
	}
}

// The toolkit's export ends at 10,000 entries without a word.
func caseLargeExport(t *testing.T) {
	c := newCaseLog(t, "")
	c.recordAll(tools(10050))
	lines := c.export()
	if len(lines) != 10052 {
		t.Fatalf("%d lines", len(lines))
	}
	if err := c.audit(lines); err != nil {
		t.Error(err)
	}
	seen, target := 0, "/v1/entries?agent=did:web:agent&limit=1000&order=asc"
	for cursor := ""; ; {
		var p struct {
			Entries    []json.RawMessage
			NextCursor *string `json:"next_cursor"`
		}
		c.get(target+cursor, &p)
		if seen += len(p.Entries); p.NextCursor == nil {
			break
		}
		cursor = "&cursor=" + *p.NextCursor
	}
	if seen != 10050 {
		t.Errorf("%d on all pages", seen)
	}
}

func caseTrace(t *testing.T) {
	c := newCaseLog(t, "")
	c.record(tool("1", "a", `,"traceid":"t","sessionid":"s"`), tool("2", "b", `,"traceid":"t"`),
		tool("3", "b", `,"sessionid":"s"`), tool("4", "a", `,"traceid":"t"`), tool("5", "a", ""))
	if a, b := ids(c.entries("trace=t")), ids(c.entries("session=s")); a != "1 2 4" || b != "1 3" {
		t.Errorf("%s, %s", a, b)
	}
	for target, want := range map[string]string{"/v1/traces/t": "1 2 4", "/v1/sessions/s": "1 3"} {
		var x struct{ Entries []map[string]any }
		if c.get(target, &x); ids(x.Entries) != want {
			t.Errorf("%s: %s", target, ids(x.Entries))
		}
	}
}

func caseWrong(t *testing.T) {
	c := newCaseLog(t, "")
	for _, query := range []string{
		"from=yesterday", "to=2026-13-01T00:00:00Z", "colour=red", "agent=", "order=up", "cursor=x",
	} {
		c.ask(http.MethodGet, "/v1/entries?"+query, "", "", 400)
	}
	var p struct {
		Entries    []json.RawMessage
		NextCursor *string `json:"next_cursor"`
		TreeSize   uint64  `json:"tree_size"`
	}
	if c.get("/v1/entries?agent=nobody&from=2026-01-01T00:00:00Z", &p); p.Entries == nil || len(p.Entries) != 0 ||
		p.NextCursor != nil || p.TreeSize != 1 {
		t.Errorf("%+v", p)
	}
}

// Where fields are joined by a separator, two entries can have one preimage.
func caseSeparators(t *testing.T) {
	c := newCaseLog(t, "")
	for i, x := range [][2]string{{"a", "b|c"}, {"a|b", "c"}, {"a,b", `"c`}, {"a", `,b"c`}} {
		c.record(fmt.Sprintf(`"id":"%d","source":%q,"type":"t","subject":%q,"time":"2026-01-01T00:00:00Z"`, i, x[0],
			x[1]))
	}
	seen := map[string]bool{}
	for _, leaf := range c.leaves()[1:] {
		var e struct {
			AgentDID string `json:"agent_did"`
			Resource string
		}
		if err := json.Unmarshal(leaf, &e); err != nil {
			t.Fatal(err)
		}
		// The two fields alone, as they stand in the leaf.
		text := string(leaf[bytes.Index(leaf, []byte(`"agent_did"`)):])
		text = text[:strings.Index(text, `"`+"cloudevent_type")] + text[strings.Index(text, `"resource"`):]
		text = text[:strings.Index(text, `"timestamp"`)]
		if seen[text] {
			t.Errorf("%s stands for two", text)
		}
		seen[text] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d", len(seen))
	}
}
