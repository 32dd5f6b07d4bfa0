package conformance_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
)

// badBatches: batches that continue the log and do not verify. Two good batches stand before each; index 3 is next.
func (v *batchVectors) badBatches(t *testing.T) {
	story := func(about string) *chainStory { return v.story(t, "bad: "+about, about) }
	changed := func(about string, change func(s *chainStory, b *sealedlog.Batch)) {
		s := story(about)
		b := s.rest().last()
		change(s, &b)
		s.bad(3, b)
	}
	changed("root of the header", func(_ *chainStory, b *sealedlog.Batch) { b.Root = otherHash("root") })
	changed("root, and a checkpoint that is signed for it", func(s *chainStory, b *sealedlog.Batch) {
		b.Root = otherHash("root")
		s.sign(b)
	})
	changed("frontier of the header", func(_ *chainStory, b *sealedlog.Batch) { b.Frontier[0] = otherHash("node") })
	changed("frontier of another length", func(_ *chainStory, b *sealedlog.Batch) { b.Frontier = b.Frontier[:1] })
	changed("config of the header", func(_ *chainStory, b *sealedlog.Batch) { b.Config = 1 })
	changed("payload sequence falls", func(_ *chainStory, b *sealedlog.Batch) { b.Payloads = 0 })
	changed("checkpoint of another root", func(s *chainStory, b *sealedlog.Batch) {
		b.Checkpoint, _ = s.signer.Sign(b.Size, otherHash("root"))
	})
	changed("checkpoint of another size", func(s *chainStory, b *sealedlog.Batch) {
		b.Checkpoint, _ = s.signer.Sign(b.Size+1, b.Root)
	})
	changed("checkpoint of another key", func(s *chainStory, b *sealedlog.Batch) {
		b.Checkpoint, _ = vectorKey(t, "sealstream.example", "default", 2).Sign(b.Size, b.Root)
	})
	changed("checkpoint with a changed signature", func(_ *chainStory, b *sealedlog.Batch) {
		b.Checkpoint = []byte(mutateSignature(t, string(b.Checkpoint)))
	})
	changed("checkpoint without signature", func(_ *chainStory, b *sealedlog.Batch) {
		b.Checkpoint = b.Checkpoint[:bytes.Index(b.Checkpoint, []byte("\n\n"))+2]
	})
	changed("checkpoint that is empty", func(_ *chainStory, b *sealedlog.Batch) { b.Checkpoint = []byte("\n") })
	changed("input time of another message", func(_ *chainStory, b *sealedlog.Batch) {
		b.Input.Time = b.Input.Time.Add(1)
	})
	changed("last leaf changed", func(_ *chainStory, b *sealedlog.Batch) {
		b.Leaves[1] = bytes.Replace(b.Leaves[1], []byte(`"entry_id":"4"`), []byte(`"entry_id":"5"`), 1)
	})
	changed("first leaf not canonical", func(_ *chainStory, b *sealedlog.Batch) {
		b.Leaves[0] = append([]byte(" "), b.Leaves[0]...)
	})
	leaf := func(at uint64, about, old, new string) {
		s := story(about)
		b := s.rest().last()
		i := int(at - 3)
		if !strings.Contains(string(b.Leaves[i]), old) {
			t.Fatalf("%s: %s is not in %s", about, old, b.Leaves[i])
		}
		b.Leaves[i] = bytes.Replace(b.Leaves[i], []byte(old), []byte(new), 1)
		s.bad(at, b)
	}
	leaf(4, "second leaf not canonical", `,"log"`, `, "log"`)
	leaf(4, "second leaf of another log", `"log":"default"`, `"log":"other"`)
	leaf(4, "second leaf of another index", `"index":4`, `"index":5`)
	leaf(3, "first leaf of another index", `"index":3`, `"index":4`)
	leaf(4, "second leaf of another version", `"v":1`, `"v":2`)
	leaf(4, "second leaf chained to another", `"previous_hash":"`, `"previous_hash":"0000`) // no hash any more
	s := story("first leaf changed: neither the second leaf nor the root knows it")
	b := s.rest().last()
	b.Leaves[0] = bytes.Replace(b.Leaves[0], []byte(`"entry_id":"3"`), []byte(`"entry_id":"5"`), 1)
	s.bad(3, b)
	s = story("leaves swapped")
	b = s.rest().last()
	b.Leaves[0], b.Leaves[1] = b.Leaves[1], b.Leaves[0]
	s.void("its first leaf is chained to another entry", b)
	s.good(s.forger.rebatch())
	s.end()
	v.badBegins(t)
}

// relabel puts another leaf in the place of the newest entry.
func (f *forger) relabel(index int, leaf string) {
	e, err := entry.ParseEntry([]byte(leaf))
	if err != nil || string(f.entries[index].Leaf) == leaf {
		f.t.Fatalf("relabel: %v", err)
	}
	f.entries = append(f.entries[:index], e)
	f.frontier = merkle.Frontier{}
	for _, e := range f.entries {
		f.frontier.Append(entry.LeafHash(e.Leaf))
	}
}

// rebatch makes the newest batch again.
func (f *forger) rebatch() sealedlog.Batch {
	f.pending = 3
	return f.batch(3, sealedlog.PlaceEnd)
}

// badBegins: logs that are bad from index 0.
func (v *batchVectors) badBegins(t *testing.T) {
	begin := func(about string, fill func(s *chainStory)) {
		s := &chainStory{forger: newForger(t), c: batchCase{Name: "bad begin: " + about, About: about}, made: v}
		fill(s)
		s.c.Root = entry.Hash{}.String() // no good message
		s.bad(0, s.batch(1, sealedlog.PlaceEnd))
	}
	begin("no config", func(s *chainStory) { s.event(1, 0, "1") })
	begin("a config with a predecessor", func(s *chainStory) {
		c, previous := s.configDetail(false), uint64(0)
		c.Previous = &previous
		s.own(1, 0, entry.TypeConfig, c)
	})
	begin("a config of other keys", func(s *chainStory) {
		c := s.configDetail(false)
		c.Keys = []string{vectorKey(t, "sealstream.example", "default", 2).VerifierKey()}
		s.own(1, 0, entry.TypeConfig, c)
	})
	begin("a config of another origin", func(s *chainStory) {
		c := s.configDetail(false)
		c.Origin = "sealstream.example/default/00000000"
		src := s.source(1, 0)
		src.Origin = c.Origin
		s.add(draft.Own(src, entry.TypeConfig, c))
	})
	begin("agent_did of the config is not the origin", func(s *chainStory) {
		src := s.source(1, 0)
		src.Origin = "sealstream.example/default/00000000"
		s.add(draft.Own(src, entry.TypeConfig, s.configDetail(false)))
	})
	begin("previous_hash of index 0 is not zero, yet nothing is before it", func(s *chainStory) {
		s.addAt(draft.Own(s.source(1, 0), entry.TypeConfig, s.configDetail(false)), 0, entry.Hash{31: 1})
	})
	last := &v.Cases[len(v.Cases)-1] // chained to another entry: void
	last.Messages[0].Verdict, last.Messages[0].FirstBadIndex = "void", nil
}

// badAccounts: entries with good hashes whose input positions do not add up (SPEC 10, item 3), or
// whose ids do not (item 6). The message of sequence 3 is sealed up to its first event; index 3 is
// next.
func (v *batchVectors) badAccounts(t *testing.T) {
	bad := func(at uint64, about string, seq uint64, place int, fill func(s *chainStory)) {
		s := v.story(t, "bad account: "+about, about)
		fill(s)
		s.bad(at, s.batch(seq, place))
	}
	end, dup := sealedlog.PlaceEnd, func(o ...entry.Original) *entry.Duplicate { return &entry.Duplicate{Originals: o} }
	at := func(index, position uint64) entry.Original { return entry.Original{Index: index, Position: position} }
	bad(4, "a position is left out, and the next message comes", 4, end, func(s *chainStory) {
		s.event(3, 2, "4").event(4, 0, "5")
	})
	bad(3, "a position is left out at the end of a message", 3, end, func(s *chainStory) { s.event(3, 2, "4") })
	bad(3, "a position twice", 3, end, func(s *chainStory) { s.event(3, 0, "3") })
	bad(4, "a position falls", 3, end, func(s *chainStory) { s.event(3, 2, "4").event(3, 1, "3") })
	bad(3, "a message is left out without a gap", 5, end, func(s *chainStory) { s.event(5, 0, "5") })
	bad(3, "a message comes again", 3, end, func(s *chainStory) { s.event(2, 0, "5") })
	bad(3, "a gap that does not begin at the next message", 6, end, func(s *chainStory) {
		s.own(5, 0, entry.TypeGap, &entry.Gap{From: 5, To: 5}).event(6, 0, "5")
	})
	bad(3, "a gap that goes back", 4, end, func(s *chainStory) {
		s.own(3, 0, entry.TypeGap, &entry.Gap{From: 4, To: 3}).event(4, 0, "5")
	})
	bad(3, "a gap whose input_seq is not its end", 6, end, func(s *chainStory) {
		s.own(4, 0, entry.TypeGap, &entry.Gap{From: 4, To: 5}).event(6, 0, "5")
	})
	bad(4, "a message behind a gap that does not reach it", 7, end, func(s *chainStory) {
		s.own(5, 0, entry.TypeGap, &entry.Gap{From: 4, To: 5}).event(7, 0, "5")
	})
	bad(4, "an event of a message that is in a gap", 5, end, func(s *chainStory) {
		s.own(5, 0, entry.TypeGap, &entry.Gap{From: 4, To: 5}).event(5, 0, "5")
	})
	bad(3, "a duplicate entry that names too few", 3, end, func(s *chainStory) {
		s.own(3, 3, entry.TypeDuplicate, dup(at(1, 1)))
	})
	bad(3, "a duplicate entry that names too many", 3, end, func(s *chainStory) {
		s.own(3, 2, entry.TypeDuplicate, dup(at(1, 0), at(1, 1)))
	})
	bad(3, "a duplicate entry that names none", 3, end, func(s *chainStory) { s.own(3, 1, entry.TypeDuplicate, dup()) })
	bad(3, "a duplicate entry out of order", 3, end, func(s *chainStory) {
		s.own(3, 3, entry.TypeDuplicate, dup(at(1, 2), at(1, 1)))
	})
	bad(3, "a duplicate entry that names another position", 3, end, func(s *chainStory) {
		s.own(3, 2, entry.TypeDuplicate, dup(at(1, 2)))
	})
	bad(3, "a duplicate entry that names itself", 3, end, func(s *chainStory) {
		s.own(3, 2, entry.TypeDuplicate, dup(at(3, 1)))
	})
	bad(4, "an event behind the duplicate entry", 3, end, func(s *chainStory) {
		s.own(3, 2, entry.TypeDuplicate, dup(at(1, 1))).event(3, 2, "4")
	})
	bad(3, "another epoch without an epoch entry", 3, 2, func(s *chainStory) { s.epoch = 2; s.event(3, 1, "3") })
	bad(3, "the input position names a message that the entries do not reach", 4, end, func(s *chainStory) { s.rest() })
	bad(3, "the input position counts an entry too many", 3, 3, func(s *chainStory) { s.event(3, 1, "3") })
	bad(3, "the input position counts an entry too few", 3, 2, func(s *chainStory) { s.rest() })
	bad(3, "the input position is the last message of a gap", 5, 1, func(s *chainStory) {
		s.rest().own(5, 0, entry.TypeGap, &entry.Gap{From: 4, To: 5})
	})
	epoch := func(s *chainStory, number uint64, change func(*entry.After)) {
		after := entry.After{InputEpoch: 1, InputSeq: 3, Size: s.frontier.Size(), Root: s.frontier.Root().String()}
		change(&after)
		s.epoch = 2
		s.own(0, 0, entry.TypeEpoch,
			&entry.Epoch{Epoch: number, EventsCreated: "2026-11-24T09:00:00.000000000Z", Reason: "x", After: after})
		s.event(9, 0, "9")
	}
	bad(5, "an epoch that leaves one out", 9, end, func(s *chainStory) { s.rest(); epoch(s, 3, func(*entry.After) {}) })
	bad(5, "an epoch after another root", 9, end, func(s *chainStory) {
		s.rest()
		epoch(s, 2, func(a *entry.After) { a.Root = entry.Hash{}.String() })
	})
	bad(5, "an epoch after another size", 9, end, func(s *chainStory) {
		s.rest()
		epoch(s, 2, func(a *entry.After) { a.Size++ })
	})
	bad(5, "an epoch after another message", 9, end, func(s *chainStory) {
		s.rest()
		epoch(s, 2, func(a *entry.After) { a.InputSeq++ })
	})
	bad(5, "entry_id of an own entry", 4, end, func(s *chainStory) {
		s.rest().own(4, 0, entry.TypeErasure, &entry.Erasure{Indexes: []uint64{1}, Reason: "r", Authority: "a"})
		e := s.entries[5]
		s.relabel(5, strings.Replace(string(e.Leaf), e.EntryID, strings.Replace(e.EntryID, "-5", "-4", 1), 1))
	})
	bad(5, "agent_did of an own entry", 4, end, func(s *chainStory) {
		src := s.rest().source(4, 0)
		src.Origin = "someone"
		s.add(draft.Rejected(src, errors.New("x"), nil, "s"))
	})
	bad(5, "a config that does not name the newest", 4, end, func(s *chainStory) {
		s.rest()
		c, previous := s.configDetail(true), uint64(1)
		c.Previous = &previous
		s.own(4, 0, entry.TypeConfig, c)
	})
	bad(5, "a config that changes the secret", 4, end, func(s *chainStory) {
		s.rest()
		c, previous := s.configDetail(true), uint64(0)
		c.Previous, c.SecretFingerprint = &previous, strings.Repeat("0", 32)
		s.own(4, 0, entry.TypeConfig, c)
	})
}
