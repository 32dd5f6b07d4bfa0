package query_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	ours "github.com/sealstream/sealstream/pkg/proof"
)

func hash(t testing.TB, hex string) entry.Hash {
	t.Helper()
	h, err := entry.ParseHash(hex)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestProofs checks the proof of every entry with this module, with x/mod and with
// transparency-dev/merkle, by index and by id, as JSON and as a proof file.
func TestProofs(t *testing.T) {
	f := newFixture(t)
	f.publishAll(append(tau(t, 60), generated(rand.New(rand.NewPCG(1, 1)), 60)...), 7)
	cp, err := f.q.Checkpoint()
	if err != nil || cp.Size != f.size {
		t.Fatalf("checkpoint of size %d, log of %d: %v", cp.Size, f.size, err)
	}
	for _, e := range f.scan() {
		for _, path := range []string{
			fmt.Sprintf("/v1/entries/%d", e.Index), "/v1/entries/id/" + url.PathEscape(e.EntryID),
		} {
			for _, raw := range []string{"", "?raw=1"} {
				f.checkProof(e, path+"/proof"+raw, cp)
			}
			a := f.do("GET", path+"/proof", "Accept", "text/plain")
			file, err := ours.ParseFile(a.body)
			if err != nil || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Fatalf("%s: %v\n%s", path, err, a.body)
			}
			if c, err := file.Check(e.Leaf, f.key); err != nil || file.Index != e.Index || c.Size != cp.Size {
				t.Fatalf("%s: %v", path, err)
			}
		}
	}
}

func (f *fixture) checkProof(e entry.Entry, path string, cp ours.Checkpoint) {
	f.Helper()
	raw := f.do("GET", path).body
	p, err := ours.ParseEntryProof(raw)
	if err != nil {
		f.Fatalf("%s: %v\n%s", path, err, raw)
	}
	got, c, err := p.Check(f.key)
	if err != nil || got.EntryHash != e.EntryHash || c.Size != cp.Size || !p.Verified || p.TreeSize != f.size {
		f.Fatalf("%s: %v\n%s", path, err, raw)
	}
	if strings.Contains(path, "raw=1") != strings.Contains(string(p.Entry), `"salt":`) && e.DataHash != nil {
		f.Fatalf("%s: data is shown, or not, against the wish: %s", path, p.Entry)
	}
	theirs, siblings := tlog.RecordProof{}, [][]byte{}
	for _, s := range p.MerkleProof {
		theirs, siblings = append(theirs, tlog.Hash(s.Hash)), append(siblings, s.Hash[:])
	}
	leaf := entry.LeafHash(e.Leaf)
	if err := tlog.CheckRecord(theirs, int64(c.Size), tlog.Hash(c.Root), int64(e.Index), tlog.Hash(leaf)); err != nil {
		f.Fatalf("%s: x/mod: %v", path, err)
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, e.Index, c.Size, leaf[:], siblings, c.Root[:]); err != nil {
		f.Fatalf("%s: merkle: %v", path, err)
	}
}

func TestConsistency(t *testing.T) {
	f := newFixture(t)
	f.publishAll(generated(rand.New(rand.NewPCG(1, 2)), 200), 9)
	var tree merkle.Tree
	for _, e := range f.scan() {
		tree.Append(entry.LeafHash(e.Leaf))
	}
	r := rand.New(rand.NewPCG(9, 9))
	pairs := [][2]uint64{{0, 0}, {0, f.size}, {f.size, f.size}, {1, f.size}, {1, 2}, {f.size - 1, f.size}}
	for range 100 {
		to := r.Uint64N(f.size + 1)
		pairs = append(pairs, [2]uint64{r.Uint64N(to + 1), to})
	}
	for _, pair := range pairs {
		from, to := pair[0], pair[1]
		var c query.Consistency
		a := f.get(fmt.Sprintf("/v1/consistency?from=%d&to=%d", from, to), &c)
		fromRoot, _ := tree.Root(from)
		toRoot, _ := tree.Root(to)
		if c.From != from || c.To != to || hash(t, c.FromRoot) != fromRoot || hash(t, c.ToRoot) != toRoot ||
			c.Proof == nil {
			t.Fatalf("%d to %d: %s", from, to, a.body)
		}
		var list []entry.Hash
		var theirs [][]byte
		for _, s := range c.Proof {
			h := hash(t, s)
			list, theirs = append(list, h), append(theirs, h[:])
		}
		if err := ours.CheckConsistency(from, to, fromRoot, toRoot, list); err != nil {
			t.Fatal(err)
		}
		if from == 0 { // merkle v0.0.2 takes anything from size 0
			continue
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, from, to, theirs, fromRoot[:], toRoot[:]); err != nil {
			t.Fatalf("%d to %d: %v", from, to, err)
		}
	}
	for _, q := range []string{"", "from=1", "to=1", "from=2&to=1", "from=1&to=99999", "from=-1&to=1", "from=a&to=1",
		"from=1&to=1.5", "from=01&to=2", "from=1&from=1&to=2",
		"from=&to=1", "from=1&to=18446744073709551616", "from=1&to=2&x=1"} {
		f.refused(400, "GET", "/v1/consistency?"+q)
	}
}

func TestCheckpoint(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 10), 3)
	a := f.do("GET", "/checkpoint")
	c, err := ours.OpenCheckpoint(a.body, f.key)
	if err != nil || c.Size != f.size || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" ||
		a.Header.Get("Cache-Control") != "max-age=1" {
		t.Fatalf("%v %v\n%s", err, a.Header, a.body)
	}
	var s api.Stats
	f.get("/v1/stats", &s)
	if s.Root != c.Root.String() || s.Origin != c.Origin {
		t.Fatalf("stats and checkpoint do not agree: %+v", s)
	}
}

func TestStats(t *testing.T) {
	f := newFixture(t)
	f.publishAll(append(tau(t, 713), []byte(`{"specversion":"1.0"}`)), 100)
	var s api.Stats
	a := f.get("/v1/stats", &s)
	all := f.scan()
	types, actions, outcomes, agents := map[string]uint64{}, map[string]uint64{}, map[string]uint64{}, map[string]bool{}
	for _, e := range all {
		types[e.EventType]++
		agents[e.AgentDID] = true
		if e.Action != "" {
			actions[e.Action]++
		}
		if e.Outcome != "" {
			outcomes[e.Outcome]++
		}
	}
	want := api.Stats{
		Log: "default", Origin: f.signer.Origin(), Keys: []string{f.key}, TreeSize: f.size, Root: s.Root,
		Durability: "test", EventTypes: types, Actions: actions,
		Outcomes: outcomes, Agents: len(agents), FirstReceivedAt: all[0].ReceivedAt,
		LastReceivedAt: all[len(all)-1].ReceivedAt,
		Index:          api.IndexStats{Ready: true, Valid: true, SealedSeq: s.Index.SealedSeq, Void: []uint64{}},
	}
	got, _ := json.Marshal(s)
	wanted, _ := json.Marshal(want)
	if string(got) != string(wanted) || types[entry.TypeRejected] != 1 || s.Index.SealedSeq == 0 {
		t.Fatalf("got  %s\nwant %s\n%s", got, wanted, a.body)
	}
}
