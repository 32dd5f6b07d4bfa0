package conformance_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

type batchVectors struct {
	VKeys []string    `json:"vkeys"`
	Cases []batchCase `json:"cases"`
}

type batchCase struct {
	Name     string         `json:"name"`
	About    string         `json:"about"`
	Messages []batchMessage `json:"messages"`
	Size     uint64         `json:"size"`
	Root     string         `json:"root"`
}

type batchMessage struct {
	Headers       header  `json:"headers"`
	Body          blob    `json:"body"`
	Verdict       string  `json:"verdict"`
	Why           string  `json:"why,omitempty"`
	FirstBadIndex *uint64 `json:"first_bad_index,omitempty"`
}

// forger seals whatever it is told to, with good hashes and signatures all the way: what is bad in
// its logs is bad by content.
type forger struct {
	t        *testing.T
	signer   *proof.Signer
	by       []string // keys that sign; none: all that the signer has
	entries  []entry.Entry
	frontier merkle.Frontier
	pending  int // index of the first entry that is in no batch
	payloads uint64
	config   uint64
	epoch    uint64
}

func newForger(t *testing.T) *forger {
	return &forger{t: t, signer: vectorKey(t, "sealstream.example", "default", 1), epoch: 1}
}

func (f *forger) clone() *forger {
	c := *f
	c.entries, c.frontier = slices.Clone(f.entries), f.frontier.Clone()
	return &c
}

func (f *forger) source(seq, position uint64) draft.Source {
	return draft.Source{
		Log: "default", Origin: f.signer.Origin(), Secret: vectorSecret, Epoch: f.epoch, Seq: seq, Position: position,
		ReceivedAt: canonical.FormatReceived(forgedTime(seq)),
	}
}

func forgedTime(seq uint64) time.Time {
	return time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC).Add(time.Duration(seq) * time.Second)
}

func (f *forger) add(d draft.Draft) *forger { return f.addAt(d, uint64(len(f.entries)), f.last()) }

// last is the entry hash of the newest entry, or zero.
func (f *forger) last() (h entry.Hash) {
	if n := len(f.entries); n > 0 {
		h = f.entries[n-1].EntryHash
	}
	return h
}

// addAt seals with an index and a previous hash of the caller's.
func (f *forger) addAt(d draft.Draft, index uint64, previous entry.Hash) *forger {
	e, p := d.Seal(index, previous)
	if p != nil && f.payloads == f.named() {
		f.payloads++
	}
	f.frontier.Append(entry.LeafHash(e.Leaf))
	f.entries = append(f.entries, e)
	return f
}

// named is the payload sequence of the batches so far: the entries in them that have data, each batch counted once.
func (f *forger) named() uint64 {
	for _, e := range f.entries[f.pending:] {
		if e.DataHash != nil {
			return f.payloads - 1
		}
	}
	return f.payloads
}

func (f *forger) event(seq, position uint64, id string) *forger {
	return f.add(f.draft(seq, position, id, `{"a":1}`))
}

func (f *forger) draft(seq, position uint64, id, data string) draft.Draft {
	ev := entry.Event{ID: id, Source: "did:mesh:alice", Type: "x.y"}
	if data != "" {
		if err := ev.SetJSON([]byte(data)); err != nil {
			f.t.Fatal(err)
		}
	}
	if err := ev.Check(); err != nil {
		f.t.Fatal(err)
	}
	return draft.Event(f.source(seq, position), ev)
}

func (f *forger) own(seq, position uint64, kind string, d entry.Detail) *forger {
	return f.add(draft.Own(f.source(seq, position), kind, d))
}

func (f *forger) configDetail(open bool) *entry.Config {
	return (&eventVectors{Origin: f.signer.Origin(), VKey: f.signer.VerifierKey()}).config(open)
}

func (f *forger) position(seq uint64, place int) sealedlog.Position {
	return sealedlog.Position{
		Epoch: f.epoch, Seq: seq, Place: place, Digest: entry.Hash(sha(fmt.Sprint("message ", seq))),
		Time: forgedTime(seq),
	}
}

// batch makes a batch of the entries that are in none.
func (f *forger) batch(seq uint64, place int) sealedlog.Batch {
	b := sealedlog.Batch{First: uint64(f.pending), Input: f.position(seq, place), Size: f.frontier.Size(),
		Root: f.frontier.Root(), Frontier: f.frontier.Hashes(),
		Payloads: f.payloads, Config: f.config}
	for _, e := range f.entries[f.pending:] {
		b.Leaves = append(b.Leaves, e.Leaf)
		if e.EventType == entry.TypeConfig {
			b.Config = e.Index
		}
	}
	f.pending, f.config = len(f.entries), b.Config
	f.sign(&b)
	return b
}

func (f *forger) sign(b *sealedlog.Batch) {
	var err error
	if b.Checkpoint, err = f.signer.Sign(b.Size, b.Root, f.by...); err != nil {
		f.t.Fatal(err)
	}
}

// chainStory writes one case of batches.json.
type chainStory struct {
	*forger
	c    batchCase
	made *batchVectors
}

// story begins with two good batches: the config; then an event, and the first of the three events
// of the message after it.
func (v *batchVectors) story(t *testing.T, name, about string) *chainStory {
	s := &chainStory{forger: newForger(t), c: batchCase{Name: name, About: about}, made: v}
	s.own(1, 0, entry.TypeConfig, s.configDetail(false))
	s.good(s.batch(1, sealedlog.PlaceEnd))
	s.event(2, 0, "1").event(3, 0, "2")
	s.good(s.batch(3, 1))
	return s
}

func (s *chainStory) write(verdict, why string, at *uint64, b sealedlog.Batch,
	change func(entry.Header, []byte) []byte) {
	h, body := b.Format()
	if change != nil {
		body = change(h, body)
	}
	m := batchMessage{Body: body, Verdict: verdict, Why: why, FirstBadIndex: at}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			m.Headers = append(m.Headers, [2]string{name, value})
		}
	}
	s.c.Messages = append(s.c.Messages, m)
	if verdict == "good" {
		s.c.Size, s.c.Root = b.Size, b.Root.String()
	}
}

func (s *chainStory) good(b sealedlog.Batch)             { s.write("good", "", nil, b, nil) }
func (s *chainStory) void(why string, b sealedlog.Batch) { s.write("void", why, nil, b, nil) }
func (s *chainStory) end()                               { s.made.Cases = append(s.made.Cases, s.c) }
func (s *chainStory) bad(at uint64, b sealedlog.Batch) {
	s.write("bad", s.c.About, &at, b, nil)
	s.end()
}
func (s *chainStory) rest() *chainStory     { s.event(3, 1, "3").event(3, 2, "4"); return s }
func (s *chainStory) last() sealedlog.Batch { return s.batch(3, sealedlog.PlaceEnd) }

func makeBatches(t *testing.T) *batchVectors {
	v := &batchVectors{VKeys: []string{vectorKey(t, "sealstream.example", "default", 1).VerifierKey()}}
	v.goodLogs(t)
	v.voidMessages(t)
	v.badBatches(t)
	v.badAccounts(t)
	v.handOvers(t)
	return v
}

func (v *batchVectors) goodLogs(t *testing.T) {
	s := v.story(t, "good", "events, repeats, rejected ones, gaps, a config, an erasure, in batches that cut messages")
	s.event(3, 1, "3")
	s.good(s.batch(3, 2))
	s.own(3, 3, entry.TypeDuplicate, &entry.Duplicate{Originals: []entry.Original{{Index: 1, Position: 2}}})
	s.good(s.last())
	s.own(6, 0, entry.TypeGap, &entry.Gap{From: 4, To: 6})
	s.good(s.batch(7, 1)) // the gap is the first entry of message 7
	s.event(7, 0, "5").add(s.draft(7, 1, "6", ""))
	previous := uint64(0)
	config := s.configDetail(true)
	config.Previous = &previous
	s.own(8, 0, entry.TypeConfig, config)
	s.add(draft.Rejected(s.source(9, 0), errors.New("not JSON"), []byte("x"), "audit.default.events.open"))
	s.good(s.batch(9, sealedlog.PlaceEnd))
	s.own(10, 2, entry.TypeDuplicate, &entry.Duplicate{Originals: []entry.Original{
		{Index: 1, Position: 0}, {Index: 1, Position: 1},
	}})
	s.own(11, 0, entry.TypeErasure, &entry.Erasure{Indexes: []uint64{1, 2}, Reason: "GDPR", Authority: "DPO"})
	s.add(s.draft(12, 0, "1", `{"a":2}`).Equivocation(1))
	s.good(s.batch(12, sealedlog.PlaceEnd))
	after := entry.After{InputEpoch: 1, InputSeq: 12, Size: s.frontier.Size(), Root: s.frontier.Root().String()}
	s.epoch = 2
	epoch := &entry.Epoch{Epoch: 2, EventsCreated: "2026-11-24T09:00:00.000000000Z", Reason: "disk lost", After: after}
	d := s.source(0, 0)
	d.ReceivedAt = canonical.FormatReceived(forgedTime(40))
	s.add(draft.Own(d, entry.TypeEpoch, epoch))
	s.good(s.batch(30, 1))
	s.event(30, 0, "7")
	s.own(31, 0, entry.TypeControl, epoch)
	s.good(s.batch(31, sealedlog.PlaceEnd))
	s.end()
	long := v.story(t, "256 entries", "one message of 256 events, one batch of 256 entries")
	long.rest()
	long.good(long.last())
	for i := range uint64(256) {
		long.add(long.draft(4, i, fmt.Sprint("n", i), ""))
	}
	long.good(long.batch(4, sealedlog.PlaceEnd))
	long.end()
}

func (v *batchVectors) voidMessages(t *testing.T) {
	s := v.story(t, "void: does not continue", "messages of another writer, or of an older state, between good ones")
	other := s.forger.clone()
	s.void("of the begin of a log", firstBatch(t))
	repeat := s.clone()
	repeat.pending = 1
	s.void("the batch before, once more", repeat.batch(3, 1))
	ahead := s.clone()
	ahead.event(3, 1, "3")
	ahead.pending++
	ahead.event(3, 2, "4")
	s.void("an index is missing in front", ahead.batch(3, sealedlog.PlaceEnd))
	forked := s.clone()
	forked.addAt(forked.draft(3, 1, "3", ""), 3, entry.Hash(bytes.Repeat([]byte{0xab}, 32)))
	s.void("its first leaf is chained to another entry", forked.batch(3, 2))
	s.void("its input position is that of the batch before", other.event(3, 1, "3").batch(3, 1))
	other = s.clone()
	s.void("its input position is before it", other.event(3, 1, "3").batch(2, sealedlog.PlaceEnd))
	other = s.clone()
	other.epoch = 3
	s.void("its input epoch leaves one out", other.event(3, 1, "3").batch(3, 2))
	s.rest()
	s.good(s.last())
	s.end()
	s = v.story(t, "void: form",
		"headers that are missing or not of their form, bodies that are not lines; the good message comes last")
	s.rest()
	b := s.last()
	for _, name := range headerNames {
		s.write("void", name+" missing", nil, b, func(h entry.Header, body []byte) []byte {
			delete(h, "Sealstream-"+name)
			return body
		})
		s.write("void", name+" twice", nil, b, func(h entry.Header, body []byte) []byte {
			h["Sealstream-"+name] = append(h["Sealstream-"+name], h["Sealstream-"+name]...)
			return body
		})
		s.write("void", name+" empty", nil, b, func(h entry.Header, body []byte) []byte {
			h["Sealstream-"+name] = []string{""}
			return body
		})
		s.write("void", name+" with a space", nil, b, func(h entry.Header, body []byte) []byte {
			if h["Sealstream-"+name][0] += " "; name == "Version" {
				h["Sealstream-"+name] = []string{"1", " "}
			}
			return body
		})
	}
	for _, c := range [][2]string{{"First", "03"}, {"First", "+3"}, {"First", "-3"}, {"First", "9007199254740992"}, {
		"Count", "1",
	}, {"Count", "3"}, {"Count", "0"}, {"Size", "6"}, {"Size", "5.0"}, {"Input", "1 3"},
		{"Input", "1 3 END"}, {"Input", "1 3 0"}, {"Input", "1 3 02"}, {"Input", "1  3 end"}, {"Input", "1 3 end 1"}, {"Input", "1 3 -1"}, {"Input-Time", "2026-11-24T08:30:03Z"}, {"Input-Time", "2026-11-24T09:30:03.000000000+01:00"},
		{"Input-Digest", strings.Repeat("AB", 32)}, {"Root", "ab"}, {"Frontier", strings.Repeat("ab", 32) + ","}, {"Frontier", strings.Repeat("ab", 32) + ", " + strings.Repeat("ab", 32)}, {"Checkpoint", "not base64"},
		{"Payloads", "0x1"}, {"Config", "zero"}, {"Key", "null"}} {
		s.write("void", c[0]+" is "+c[1], nil, b, func(h entry.Header, body []byte) []byte {
			h["Sealstream-"+c[0]] = []string{c[1]}
			return body
		})
	}
	s.write("void", "the last line does not end", nil, b, func(_ entry.Header, body []byte) []byte {
		return body[:len(body)-1]
	})
	s.write("void", "a line more", nil, b, func(_ entry.Header, body []byte) []byte { return append(body, '\n') })
	s.write("void", "no body", nil, b, func(entry.Header, []byte) []byte { return nil })
	s.write("good", "", nil, b, func(h entry.Header, body []byte) []byte {
		h["Other"] = []string{"x", "y"}
		return body
	})
	s.end()
	s = v.story(t, "version", "a format version that is not known")
	s.rest()
	s.write("version", "version 2", nil, s.last(), func(h entry.Header, body []byte) []byte {
		h["Sealstream-Version"] = []string{"2"}
		return []byte("anything")
	})
	s.end()
}

var headerNames = []string{
	"Version", "First", "Count", "Input", "Input-Digest", "Input-Time", "Size", "Root", "Frontier", "Checkpoint",
	"Payloads", "Config", "Key",
}

func firstBatch(t *testing.T) sealedlog.Batch {
	f := newForger(t)
	return f.own(1, 0, entry.TypeConfig, f.configDetail(true)).batch(1, sealedlog.PlaceEnd)
}

func TestVectorsBatches(t *testing.T) {
	v := vectors(t, "batches.json", *makeBatches(t))
	names := make([]string, len(v.Cases))
	for i, c := range v.Cases {
		names[i] = c.Name
		chain := audit.NewChain(v.VKeys...)
		for j, m := range c.Messages {
			entries, err := chain.Next(m.Headers.message("audit.default.sealed", m.Body))
			at := "-"
			if m.FirstBadIndex != nil {
				at = fmt.Sprint(*m.FirstBadIndex)
			}
			if got, want := verdict(err), m.Verdict+" "+at; got != want {
				t.Errorf("%s: message %d (%s): %s, want %s: %v", c.Name, j, m.Why, got, want, err)
			}
			if err == nil && chain.Size() != entries[len(entries)-1].Index+1 {
				t.Errorf("%s: message %d: size %d", c.Name, j, chain.Size())
			}
			if m.Verdict != "good" && m.Verdict != "void" && j != len(c.Messages)-1 {
				t.Errorf("%s: message %d should be the last", c.Name, j)
			}
		}
		if b := chain.Batch(); b.Size != c.Size || b.Root.String() != c.Root {
			t.Errorf("%s: size %d root %s, want %d %s", c.Name, b.Size, b.Root, c.Size, c.Root)
		}
	}
	unique(t, "batches.json", names...)
}

func verdict(err error) string {
	switch m, ok := errors.AsType[*audit.MismatchError](err); {
	case err == nil:
		return "good -"
	case ok:
		return fmt.Sprint("bad ", m.Index)
	case errors.Is(err, sealedlog.ErrVoid):
		return "void -"
	case errors.Is(err, sealedlog.ErrVersion):
		return "version -"
	}
	return err.Error()
}

// otherHash is a hash that stands for nothing.
func otherHash(what string) entry.Hash {
	h, err := entry.ParseHash(hex.EncodeToString(sha(what)))
	if err != nil {
		panic(err)
	}
	return h
}
