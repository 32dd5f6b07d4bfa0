package conformance_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
)

// entryProofs: proofs of the entries of a real log, as JSON and as files.
func (v *proofVectors) entryProofs(t *testing.T) {
	f := newForger(t)
	f.own(1, 0, entry.TypeConfig, f.configDetail(false))
	for i := range uint64(6) {
		f.event(2+i, 0, fmt.Sprint("e-", i))
	}
	p := prover{v: v, f: f, note: f.batch(7, sealedlog.PlaceEnd).Checkpoint}
	for i := range f.entries {
		p.good(t, i)
	}
	p.badJSON(t)
	p.badFiles(t)
	one := newForger(t)
	one.own(1, 0, entry.TypeConfig, one.configDetail(false))
	(&prover{v: v, f: one, note: one.batch(1, sealedlog.PlaceEnd).Checkpoint}).good(t, 0)
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
	return map[string]any{"entry": json.RawMessage(shown), "leaf": string(e.Leaf), "leaf_index": i,
		"tree_size": len(leaves), "merkle_proof": naivePath(uint64(i), leaves),
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
	salt := entry.Hash(draft.DeriveSalt(vectorSecret, "did:mesh:alice", "e-2", []byte(`{"a":1}`))).String()
	change("with the data", true,
		shown(`{"entry_hash"`, `{"data":{"a":1},"data_raw":"{\"a\":1}","salt":"`+salt+`","entry_hash"`))
	proven := `"data_raw":"{\"a\":1}","salt":"` + salt + `","entry_hash"`
	change("data with white space and an escape", true, shown(`{"entry_hash"`, `{"data":{ "\u0061" : 1 },`+proven))
	change("data as the string of its text", true, shown(`{"entry_hash"`, `{"data":"{\"a\":1}",`+proven))
	change("data of another value than data_raw", false, shown(`{"entry_hash"`, `{"data":{"a":2},`+proven))
	change("data of a number in another form", false, shown(`{"entry_hash"`, `{"data":{"a":1.0},`+proven))
	change("data with a member more than data_raw", false, shown(`{"entry_hash"`, `{"data":{"a":1,"b":1},`+proven))
	change("data null beside data_raw", false, shown(`{"entry_hash"`, `{"data":null,`+proven))
	change("data without what proves it", false, shown(`{"entry_hash"`, `{"data":{"a":1},"entry_hash"`))
	change("entry without entry_hash", false, shown(`"entry_hash":"`+p.f.entries[3].EntryHash.String()+`",`, ``))
	change("entry has a member that no leaf has", false, shown(`{"entry_hash"`, `{"note":"x","entry_hash"`))
	change("an unknown member", false, func(m map[string]any) { m["note"] = "x" })
	change("a member in capitals beside", false, func(m map[string]any) { m["Leaf"] = m["leaf"] })
	change("verified missing", true, func(m map[string]any) { delete(m, "verified") })
	change("verified is not looked at", true, func(m map[string]any) { m["verified"] = false })
	change("data that does not open data_hash", false,
		shown(`{"entry_hash"`, `{"data_raw":"{\"a\":2}","salt":"`+salt+`","entry_hash"`))
	change("entry says another outcome than the leaf", false, shown(`"event_type":"x.y"`, `"event_type":"x.z"`))
	change("entry has a member more", false, shown(`"event_type":"x.y"`, `"event_type":"x.y","outcome":"success"`))
	change("entry has a member less", false, shown(`"event_type":"x.y",`, ``))
	change("entry has another entry_hash", false,
		shown(p.f.entries[3].EntryHash.String(), p.f.entries[2].EntryHash.String()))
	change("leaf changed", false, func(m map[string]any) {
		m["leaf"] = strings.Replace(m["leaf"].(string), `"e-2"`, `"e-9"`, 1)
	})
	change("leaf of another index", false, func(m map[string]any) { m["leaf"] = string(p.f.entries[2].Leaf) })
	change("leaf and entry of another index", false, func(m map[string]any) {
		o := p.proof(t, 2)
		m["leaf"], m["entry"] = o["leaf"], o["entry"]
	})
	change("leaf not canonical", false, func(m map[string]any) { m["leaf"] = " " + m["leaf"].(string) })
	change("leaf_index changed", false, func(m map[string]any) { m["leaf_index"] = 2 })
	change("tree_size is not the checkpoint's", false, func(m map[string]any) { m["tree_size"] = 8 })
	change("merkle_root is not the checkpoint's", false, func(m map[string]any) {
		m["merkle_root"] = entry.Hash{}.String()
	})
	change("merkle_root in capitals", false, func(m map[string]any) {
		m["merkle_root"] = strings.ToUpper(m["merkle_root"].(string))
	})
	change("a step missing", false, func(m map[string]any) { m["merkle_proof"] = m["merkle_proof"].([][2]string)[1:] })
	change("a side changed", false, func(m map[string]any) { m["merkle_proof"].([][2]string)[0][1] = "right" })
	change("a side that is no side", false, func(m map[string]any) { m["merkle_proof"].([][2]string)[0][1] = "Left" })
	change("a hash changed", false, func(m map[string]any) {
		m["merkle_proof"].([][2]string)[0][0] = entry.Hash{}.String()
	})
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
	change("checkpoint with a changed signature", false, func(m map[string]any) {
		m["checkpoint"] = mutateSignature(t, string(p.note))
	})
	change("checkpoint without signature", false, func(m map[string]any) {
		m["checkpoint"] = strings.SplitAfter(string(p.note), "\n\n")[0]
	})
	for _, name := range []string{
		"leaf", "merkle_proof", "checkpoint", "entry", "leaf_index", "tree_size", "merkle_root",
	} {
		change(name+" missing", false, func(m map[string]any) { delete(m, name) })
	}
	change("verified null", false, func(m map[string]any) { m["verified"] = nil })
	first := p.proof(t, 0)
	delete(first, "leaf_index")
	p.add(t, "leaf_index of index 0 missing", false, first, "")
	null := p.proof(t, 0)
	null["leaf_index"] = nil
	p.add(t, "leaf_index of index 0 null", false, null, "")
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
	cosigned, err := note.Sign(&note.Note{
		Text: strings.SplitAfter(string(p.note), "\n\n")[0][:strings.Index(string(p.note), "\n\n")+1],
	}, vectorSigner(t, p.f.signer.Origin(), 1),
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
