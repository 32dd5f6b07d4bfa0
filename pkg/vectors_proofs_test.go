package pkg_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

type proofVectors struct {
	VKey        string            `json:"vkey"`
	Inclusion   []inclusionCase   `json:"inclusion"`
	JSON        []jsonCase        `json:"json"`
	Files       []fileCase        `json:"files"`
	Consistency []consistencyCase `json:"consistency"`
}

type (
	inclusionCase struct {
		Name     string      `json:"name"`
		LeafHash string      `json:"leaf_hash"`
		Index    uint64      `json:"index"`
		Size     uint64      `json:"size"`
		Root     string      `json:"root"`
		Proof    [][2]string `json:"proof"`
		OK       bool        `json:"ok"`
		Why      string      `json:"why,omitempty"`
	}
	jsonCase struct {
		Name  string          `json:"name"`
		Proof json.RawMessage `json:"proof"`
		OK    bool            `json:"ok"`
		Why   string          `json:"why,omitempty"`
		Leaf  string          `json:"leaf,omitempty"`
	}
	fileCase struct {
		Name string `json:"name"`
		File blob   `json:"file"`
		Leaf blob   `json:"leaf"`
		OK   bool   `json:"ok"`
		Why  string `json:"why,omitempty"`
	}
	consistencyCase struct {
		Name     string   `json:"name"`
		From     uint64   `json:"from"`
		To       uint64   `json:"to"`
		FromRoot string   `json:"from_root"`
		ToRoot   string   `json:"to_root"`
		Proof    []string `json:"proof"`
		OK       bool     `json:"ok"`
		Why      string   `json:"why,omitempty"`
	}
)

// naivePath is RFC 6962 section 2.1.1, with the side on which each sibling stands.
func naivePath(m uint64, leaves [][]byte) (list [][2]string) {
	n := uint64(len(leaves))
	if n == 1 {
		return [][2]string{}
	}
	k := uint64(1)
	for k*2 < n {
		k *= 2
	}
	if m < k {
		return append(naivePath(m, leaves[:k]), [2]string{hex.EncodeToString(naiveRoot(leaves[k:])), "right"})
	}
	return append(naivePath(m-k, leaves[k:]), [2]string{hex.EncodeToString(naiveRoot(leaves[:k])), "left"})
}

// naiveConsistency is RFC 6962 section 2.1.2.
func naiveConsistency(m int, leaves [][]byte) []string {
	if m == 0 || m == len(leaves) {
		return []string{}
	}
	return subProof(m, leaves, true)
}

func subProof(m int, leaves [][]byte, whole bool) []string {
	n := len(leaves)
	if m == n {
		if whole {
			return nil
		}
		return []string{hex.EncodeToString(naiveRoot(leaves))}
	}
	k := 1
	for k*2 < n {
		k *= 2
	}
	if m <= k {
		return append(subProof(m, leaves[:k], whole), hex.EncodeToString(naiveRoot(leaves[k:])))
	}
	return append(subProof(m-k, leaves[k:], false), hex.EncodeToString(naiveRoot(leaves[:k])))
}

func makeProofs(t *testing.T) *proofVectors {
	v := &proofVectors{VKey: vectorKey(t, "sealstream.example", "default", 1).VerifierKey()}
	v.inclusion()
	v.consistency()
	v.entryProofs(t)
	return v
}

func (v *proofVectors) inclusion() {
	add := func(name string, index, size uint64, change func(*inclusionCase)) {
		leaves := vectorLeaves(int(size))
		c := inclusionCase{Name: name, LeafHash: hex.EncodeToString(sha("\x00", leaves[index])), Index: index, Size: size, Root: hex.EncodeToString(naiveRoot(leaves)),
			Proof: naivePath(index, leaves), OK: change == nil}
		if change != nil {
			c.Why = name
			change(&c)
		}
		v.Inclusion = append(v.Inclusion, c)
	}
	for _, at := range [][2]uint64{{0, 1}, {0, 2}, {1, 2}, {0, 3}, {2, 3}, {3, 7}, {6, 7}, {0, 8}, {7, 8}, {8, 9}, {69, 70}, {13, 100}, {256, 257}} {
		add(fmt.Sprintf("index %d of %d", at[0], at[1]), at[0], at[1], nil)
	}
	bad := func(name string, change func(c *inclusionCase)) { add(name, 3, 7, change) }
	bad("a step too few", func(c *inclusionCase) { c.Proof = c.Proof[:2] })
	bad("the first step missing", func(c *inclusionCase) { c.Proof = c.Proof[1:] })
	bad("a step too many", func(c *inclusionCase) { c.Proof = append(c.Proof, c.Proof[2]) })
	bad("no steps", func(c *inclusionCase) { c.Proof = [][2]string{} })
	bad("two steps swapped", func(c *inclusionCase) { c.Proof[0], c.Proof[1] = c.Proof[1], c.Proof[0] })
	bad("a side changed", func(c *inclusionCase) { c.Proof[0][1] = "right" })
	bad("every side changed", func(c *inclusionCase) {
		for i := range c.Proof {
			c.Proof[i][1] = map[string]string{"left": "right", "right": "left"}[c.Proof[i][1]]
		}
	})
	bad("a hash changed", func(c *inclusionCase) { c.Proof[1][0] = entry.ZeroHash })
	bad("another index, same length", func(c *inclusionCase) { c.Index = 2 })
	bad("a size of another shape", func(c *inclusionCase) { c.Size = 4 })
	bad("a far larger size", func(c *inclusionCase) { c.Size = 9 })
	add("size of one more", 6, 7, func(c *inclusionCase) { c.Size = 8 })
	add("size of one less", 7, 9, func(c *inclusionCase) { c.Size = 8 })
	bad("index beyond the size", func(c *inclusionCase) { c.Index = 7 })
	bad("size 0", func(c *inclusionCase) { c.Index, c.Size = 0, 0 })
	bad("another root", func(c *inclusionCase) { c.Root = c.LeafHash })
	bad("another leaf", func(c *inclusionCase) { c.LeafHash = hex.EncodeToString(sha("\x00", "leaf 4")) })
	bad("zero leaf", func(c *inclusionCase) { c.LeafHash = entry.ZeroHash })
	bad("an inner node for a leaf", func(c *inclusionCase) {
		c.LeafHash, c.Proof = hex.EncodeToString(naiveRoot(vectorLeaves(7)[2:4])), c.Proof[1:]
	})
	bad("an inner node, told as a smaller tree", func(c *inclusionCase) {
		c.LeafHash, c.Proof, c.Index, c.Size = hex.EncodeToString(naiveRoot(vectorLeaves(7)[2:4])), c.Proof[1:], 1, 3
	})
	// The bare fold cannot tell this one: hashes and sides are right for a tree of three leaves with this root. What refuses it in practice is
	// the leaf itself, whose hash is made with another prefix.
	v.Inclusion[len(v.Inclusion)-1].OK, v.Inclusion[len(v.Inclusion)-1].Why = true, ""
	v.Inclusion[len(v.Inclusion)-1].Name = "an inner node, told as a smaller tree: size and leaf hash must come from checkpoint and leaf"
}

func (v *proofVectors) consistency() {
	add := func(name string, from, to int, change func(*consistencyCase)) {
		leaves := vectorLeaves(to)
		c := consistencyCase{Name: name, From: uint64(from), To: uint64(to), FromRoot: hex.EncodeToString(naiveRoot(leaves[:from])), ToRoot: hex.EncodeToString(naiveRoot(leaves)),
			Proof: naiveConsistency(from, leaves), OK: change == nil}
		if change != nil {
			c.Why = name
			change(&c)
		}
		v.Consistency = append(v.Consistency, c)
	}
	for _, at := range [][2]int{{0, 0}, {0, 1}, {0, 7}, {1, 1}, {1, 2}, {3, 7}, {4, 7}, {6, 7}, {7, 7}, {4, 8}, {7, 8}, {6, 13}, {64, 100}, {99, 100}} {
		add(fmt.Sprintf("%d to %d", at[0], at[1]), at[0], at[1], nil)
	}
	bad := func(name string, from, to int, change func(c *consistencyCase)) { add(name, from, to, change) }
	other := hex.EncodeToString(sha("other"))
	bad("a hash missing", 3, 7, func(c *consistencyCase) { c.Proof = c.Proof[1:] })
	bad("the last hash missing", 3, 7, func(c *consistencyCase) { c.Proof = c.Proof[:len(c.Proof)-1] })
	bad("a hash too many", 3, 7, func(c *consistencyCase) { c.Proof = append(c.Proof, other) })
	bad("a hash changed", 3, 7, func(c *consistencyCase) { c.Proof[0] = other })
	bad("hashes swapped", 3, 7, func(c *consistencyCase) { c.Proof[0], c.Proof[1] = c.Proof[1], c.Proof[0] })
	bad("no hashes", 3, 7, func(c *consistencyCase) { c.Proof = []string{} })
	bad("another root of the smaller", 3, 7, func(c *consistencyCase) { c.FromRoot = other })
	bad("another root of the larger", 3, 7, func(c *consistencyCase) { c.ToRoot = other })
	bad("roots swapped", 3, 7, func(c *consistencyCase) { c.FromRoot, c.ToRoot = c.ToRoot, c.FromRoot })
	bad("sizes swapped", 3, 7, func(c *consistencyCase) { c.From, c.To = 7, 3 })
	bad("size 0 with a root that is not the empty one", 0, 7, func(c *consistencyCase) { c.FromRoot = other })
	bad("size 0 with a proof", 0, 7, func(c *consistencyCase) { c.Proof = []string{other} })
	bad("the same size, two roots", 7, 7, func(c *consistencyCase) { c.FromRoot = other })
	bad("the same size with a proof", 7, 7, func(c *consistencyCase) { c.Proof = []string{other} })
}

// entryProofs: proofs of the entries of a real log, as JSON and as files.
func (v *proofVectors) entryProofs(t *testing.T) {
	f := newForger(t)
	f.own(1, 0, entry.TypeConfig, f.configDetail(false))
	for i := range uint64(6) {
		f.event(2+i, 0, fmt.Sprint("e-", i))
	}
	p := prover{v: v, f: f, note: f.batch(7, proof.PlaceEnd).Checkpoint}
	for i := range f.entries {
		p.good(t, i)
	}
	p.badJSON(t)
	p.badFiles(t)
	one := newForger(t)
	one.own(1, 0, entry.TypeConfig, one.configDetail(false))
	(&prover{v: v, f: one, note: one.batch(1, proof.PlaceEnd).Checkpoint}).good(t, 0)
}

type prover struct {
	v    *proofVectors
	f    *forger
	note []byte
}

// proof is the JSON proof of an entry, put together here, as members in order.
func (p *prover) proof(t *testing.T, i int) map[string]any {
	t.Helper()
	leaves := make([][]byte, len(p.f.entries))
	for j, e := range p.f.entries {
		leaves[j] = e.Leaf
	}
	e := p.f.entries[i]
	shown, err := e.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"entry": json.RawMessage(shown), "leaf": string(e.Leaf), "leaf_index": i, "tree_size": len(leaves), "merkle_proof": naivePath(uint64(i), leaves),
		"merkle_root": hex.EncodeToString(naiveRoot(leaves)), "checkpoint": string(p.note), "verified": true}
}

func (p *prover) add(t *testing.T, name string, ok bool, members map[string]any, leaf string) {
	t.Helper()
	raw, err := marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonCase{Name: name, Proof: raw, OK: ok, Leaf: leaf}
	if !ok {
		c.Why, c.Leaf = name, ""
	}
	p.v.JSON = append(p.v.JSON, c)
}

func (p *prover) good(t *testing.T, i int) {
	t.Helper()
	name, m := fmt.Sprintf("index %d of %d", i, len(p.f.entries)), p.proof(t, i)
	p.add(t, name, true, m, m["leaf"].(string))
	p.v.Files = append(p.v.Files, fileCase{Name: name, File: p.file(m), Leaf: blob(m["leaf"].(string)), OK: true})
}

// file is the proof file of a proof.
func (p *prover) file(m map[string]any) blob {
	b := fmt.Sprintf("c2sp.org/tlog-proof@v1\nindex %d\n", m["leaf_index"])
	for _, step := range m["merkle_proof"].([][2]string) {
		raw, _ := hex.DecodeString(step[0])
		b += base64.StdEncoding.EncodeToString(raw) + "\n"
	}
	return blob(b + "\n" + m["checkpoint"].(string))
}

func (p *prover) badJSON(t *testing.T) {
	change := func(name string, ok bool, change func(m map[string]any)) {
		m := p.proof(t, 3)
		leaf := m["leaf"].(string)
		change(m)
		p.add(t, name, ok, m, leaf)
	}
	shown := func(old, new string) func(m map[string]any) {
		return func(m map[string]any) {
			s := string(m["entry"].(json.RawMessage))
			if !strings.Contains(s, old) {
				t.Fatalf("%s is not in %s", old, s)
			}
			m["entry"] = json.RawMessage(strings.Replace(s, old, new, 1))
		}
	}
	salt := entry.FormatHash(entry.DeriveSalt(vectorSecret, "did:mesh:alice", "e-2", []byte(`{"a":1}`)))
	change("with the data", true, shown(`{"entry_hash"`, `{"data":{"a":1},"data_raw":"{\"a\":1}","salt":"`+salt+`","entry_hash"`))
	change("verified is not looked at", true, func(m map[string]any) { m["verified"] = false })
	change("data that does not open data_hash", false, shown(`{"entry_hash"`, `{"data_raw":"{\"a\":2}","salt":"`+salt+`","entry_hash"`))
	change("entry says another outcome than the leaf", false, shown(`"event_type":"x.y"`, `"event_type":"x.z"`))
	change("entry has a member more", false, shown(`"event_type":"x.y"`, `"event_type":"x.y","outcome":"success"`))
	change("entry has a member less", false, shown(`"event_type":"x.y",`, ``))
	change("entry has another entry_hash", false, shown(p.f.entries[3].EntryHash, p.f.entries[2].EntryHash))
	change("leaf changed", false, func(m map[string]any) { m["leaf"] = strings.Replace(m["leaf"].(string), `"e-2"`, `"e-9"`, 1) })
	change("leaf of another index", false, func(m map[string]any) { m["leaf"] = string(p.f.entries[2].Leaf) })
	change("leaf and entry of another index", false, func(m map[string]any) {
		o := p.proof(t, 2)
		m["leaf"], m["entry"] = o["leaf"], o["entry"]
	})
	change("leaf not canonical", false, func(m map[string]any) { m["leaf"] = " " + m["leaf"].(string) })
	change("leaf_index changed", false, func(m map[string]any) { m["leaf_index"] = 2 })
	change("tree_size is not the checkpoint's", false, func(m map[string]any) { m["tree_size"] = 8 })
	change("merkle_root is not the checkpoint's", false, func(m map[string]any) { m["merkle_root"] = entry.ZeroHash })
	change("merkle_root in capitals", false, func(m map[string]any) { m["merkle_root"] = strings.ToUpper(m["merkle_root"].(string)) })
	change("a step missing", false, func(m map[string]any) { m["merkle_proof"] = m["merkle_proof"].([][2]string)[1:] })
	change("a side changed", false, func(m map[string]any) { m["merkle_proof"].([][2]string)[0][1] = "right" })
	change("a side that is no side", false, func(m map[string]any) { m["merkle_proof"].([][2]string)[0][1] = "Left" })
	change("a hash changed", false, func(m map[string]any) { m["merkle_proof"].([][2]string)[0][0] = entry.ZeroHash })
	change("merkle_proof null", false, func(m map[string]any) { m["merkle_proof"] = nil })
	change("checkpoint of another key", false, func(m map[string]any) {
		n, err := vectorKey(t, "sealstream.example", "default", 2).Sign(7, p.f.frontier.Root())
		if err != nil {
			t.Fatal(err)
		}
		m["checkpoint"] = string(n)
	})
	change("checkpoint of another root", false, func(m map[string]any) {
		n, err := p.f.signer.Sign(7, otherHash("root"))
		if err != nil {
			t.Fatal(err)
		}
		m["checkpoint"] = string(n)
	})
	change("checkpoint with a changed signature", false, func(m map[string]any) { m["checkpoint"] = mutateSignature(t, string(p.note)) })
	change("checkpoint without signature", false, func(m map[string]any) { m["checkpoint"] = strings.SplitAfter(string(p.note), "\n\n")[0] })
	for _, name := range []string{"leaf", "merkle_proof", "checkpoint", "entry"} {
		change(name+" missing", false, func(m map[string]any) { delete(m, name) })
	}
}

func (p *prover) badFiles(t *testing.T) {
	m := p.proof(t, 3)
	file, leaf := string(p.file(m)), blob(m["leaf"].(string))
	add := func(name, file string, leaf blob, ok bool) {
		c := fileCase{Name: name, File: blob(file), Leaf: leaf, OK: ok, Why: name}
		if ok {
			c.Why = ""
		}
		p.v.Files = append(p.v.Files, c)
	}
	change := func(name, old, new string, ok bool) {
		if !strings.Contains(file, old) {
			t.Fatalf("%s: %q is not in the file", name, old)
		}
		add(name, strings.Replace(file, old, new, 1), leaf, ok)
	}
	cosigned, err := note.Sign(&note.Note{Text: strings.SplitAfter(string(p.note), "\n\n")[0][:strings.Index(string(p.note), "\n\n")+1]}, vectorSigner(t, p.f.signer.Origin(), 1),
		vectorSigner(t, "witness.example/w", 2))
	if err != nil {
		t.Fatal(err)
	}
	change("with an extra line", "\nindex", "\nextra aGVsbG8=\nindex", true)
	change("cosigned by someone else", string(p.note), string(cosigned), true)
	add("another leaf", file, blob(p.f.entries[2].Leaf), false)
	add("leaf with a line feed", file, append(slices.Clone(leaf), '\n'), false)
	change("another header", "@v1", "@v2", false)
	change("another index", "index 3", "index 2", false)
	change("index with a leading zero", "index 3", "index 03", false)
	change("index beyond the size", "index 3", "index 7", false)
	change("no index", "index 3\n", "", false)
	lines := strings.SplitAfter(file, "\n")
	change("a hash missing", lines[2], "", false)
	change("a hash twice", lines[2], lines[2]+lines[2], false)
	change("hashes swapped", lines[2]+lines[3], lines[3]+lines[2], false)
	change("a hash that is not base64", lines[2], "!"+lines[2][1:], false)
	change("no empty line", "\n\nsealstream", "\nsealstream", false)
	change("two empty lines", "\n\nsealstream", "\n\n\nsealstream", false)
	change("checkpoint changed", "\n7\n", "\n8\n", false)
	add("checkpoint with a changed signature", mutateSignature(t, file), leaf, false)
	add("cut off", file[:len(file)-5], leaf, false)
	add("nothing", "", leaf, false)
}

func TestVectorsProofs(t *testing.T) {
	v := vectors(t, "proofs.json", *makeProofs(t))
	var names []string
	for _, c := range v.Inclusion {
		names = append(names, "inclusion "+c.Name)
		var p proof.Path
		raw, err := json.Marshal(c.Proof)
		if err == nil {
			err = json.Unmarshal(raw, &p)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.CheckInclusion(hash(t, c.LeafHash), c.Index, c.Size, p, hash(t, c.Root)); (err == nil) != c.OK {
			t.Errorf("inclusion %s: %v, want ok %v", c.Name, err, c.OK)
		}
	}
	for _, c := range v.Consistency {
		names = append(names, "consistency "+c.Name)
		list := make([]entry.Hash, len(c.Proof))
		for i, h := range c.Proof {
			list[i] = hash(t, h)
		}
		if err := proof.CheckConsistency(c.From, c.To, hash(t, c.FromRoot), hash(t, c.ToRoot), list); (err == nil) != c.OK {
			t.Errorf("consistency %s: %v, want ok %v", c.Name, err, c.OK)
		}
	}
	for _, c := range v.JSON {
		names = append(names, "json "+c.Name)
		e, err := checkJSONProof(c.Proof, v.VKey)
		if (err == nil) != c.OK || string(e.Leaf) != c.Leaf {
			t.Errorf("json %s: %v, want ok %v", c.Name, err, c.OK)
		}
	}
	for _, c := range v.Files {
		names = append(names, "file "+c.Name)
		f, err := proof.ParseFile(c.File)
		if err == nil {
			_, err = f.Check(c.Leaf, v.VKey)
		}
		if (err == nil) != c.OK {
			t.Errorf("file %s: %v, want ok %v", c.Name, err, c.OK)
		}
	}
	unique(t, "proofs.json", names...)
}

func checkJSONProof(raw []byte, vkey string) (entry.Entry, error) {
	p, err := proof.ParseEntryProof(raw)
	if err != nil {
		return entry.Entry{}, err
	}
	e, _, err := p.Check(vkey)
	return e, err
}
