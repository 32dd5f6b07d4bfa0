package audit_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/eventgen"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// writer seals what it is told to, and cuts it into batches.
type writer struct {
	t        testing.TB
	signer   *proof.Signer
	entries  []entry.Entry
	frontier merkle.Frontier
	epoch    uint64
	config   uint64
	pending  int
	records  []byte
	sealed   []entry.Message
	payloads [][]byte // bodies, by sequence − 1
}

func newWriter(t testing.TB) *writer {
	w := &writer{t: t, signer: signer(1), epoch: 1}
	w.own(1, 0, entry.TypeConfig, w.newConfig())
	w.cut(1, sealedlog.PlaceEnd)
	return w
}

func (w *writer) newConfig() *entry.Config {
	return &entry.Config{Origin: w.signer.Origin(), Keys: []string{w.signer.VerifierKey()},
		EventsCreated: "2026-11-24T08:00:00.000000000Z", Epoch: 1, Rules: ruleset.First,
		SecretFingerprint: draft.SecretFingerprint(secret), Limits: entry.DefaultLimits()}
}

var secret = make([]byte, 32)

func at(seq uint64) time.Time {
	return time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC).Add(time.Duration(seq) * time.Second)
}

func (w *writer) source(seq, position uint64) draft.Source {
	return draft.Source{
		Log: "default", Origin: w.signer.Origin(), Secret: secret, Epoch: w.epoch, Seq: seq, Position: position,
		ReceivedAt: canonical.FormatReceived(at(seq)),
	}
}

func (w *writer) add(d draft.Draft) {
	var previous entry.Hash
	if n := len(w.entries); n > 0 {
		previous = w.entries[n-1].EntryHash
	}
	e, p := d.Seal(uint64(len(w.entries)), previous)
	w.entries = append(w.entries, e)
	w.frontier.Append(entry.LeafHash(e.Leaf))
	if p != nil {
		w.records = append(p.AppendRecord(w.records), '\n')
	}
}

func (w *writer) event(seq, position uint64, ev entry.Event) {
	w.add(draft.Event(w.source(seq, position), ev))
}

// plain is an event without data.
func (w *writer) plain(seq, position uint64) {
	w.event(seq, position, entry.Event{
		ID: fmt.Sprint(seq, "-", position), Source: "did:mesh:alice", Type: "x.y", EventType: "x.y",
	})
}

func (w *writer) own(seq, position uint64, kind string, d entry.Detail) {
	w.add(draft.Own(w.source(seq, position), kind, d))
}

func (w *writer) position(seq uint64, place int) sealedlog.Position {
	return sealedlog.Position{
		Epoch: w.epoch, Seq: seq, Place: place, Digest: sha256.Sum256(fmt.Append(nil, seq)), Time: at(seq),
	}
}

// batch is a batch of the entries that are in none; its payloads are written.
func (w *writer) batch(seq uint64, place int) sealedlog.Batch {
	if w.records != nil {
		w.payloads, w.records = append(w.payloads, w.records), nil
	}
	b := sealedlog.Batch{
		First: uint64(w.pending), Input: w.position(seq, place), Size: w.frontier.Size(), Root: w.frontier.Root(),
		Frontier: w.frontier.Hashes(), Payloads: uint64(len(w.payloads)),
	}
	for _, e := range w.entries[w.pending:] {
		b.Leaves = append(b.Leaves, e.Leaf)
		if e.EventType == entry.TypeConfig {
			w.config = e.Index
		}
	}
	b.Config, w.pending = w.config, len(w.entries)
	w.sign(&b)
	return b
}

func (w *writer) sign(b *sealedlog.Batch) {
	var err error
	if b.Checkpoint, err = w.signer.Sign(b.Size, b.Root); err != nil {
		w.t.Fatal(err)
	}
}

func (w *writer) cut(seq uint64, place int) { w.commit(w.batch(seq, place)) }

func (w *writer) commit(b sealedlog.Batch) {
	m := message(b)
	m.Seq = uint64(len(w.sealed) + 1)
	w.sealed = append(w.sealed, m)
}

func message(b sealedlog.Batch) entry.Message {
	h, body := b.Format()
	return entry.Message{Subject: "audit.default.sealed", Header: h, Data: body}
}

// generated is a log of n messages of generated events, with whatever else a log can hold, in batches of random sizes.
func generated(t testing.TB, seed uint64, n uint64) *writer {
	t.Helper()
	w, g, r := newWriter(t), eventgen.New(seed, eventgen.Options{}), rand.New(rand.NewPCG(seed, 1))
	seq := uint64(1)
	for range n {
		seq++
		made := 0
		step := func() {
			made++
			if r.IntN(9) == 0 {
				w.cut(seq, made)
			}
		}
		if r.IntN(12) == 0 {
			from := seq
			seq += uint64(r.IntN(5)) + 1
			w.own(seq-1, 0, entry.TypeGap, &entry.Gap{From: from, To: seq - 1})
			step()
		}
		w.message(g, r, seq, step)
		if r.IntN(3) == 0 && len(w.entries) > w.pending {
			w.cut(seq, sealedlog.PlaceEnd)
		}
		if len(w.entries)-w.pending > 200 {
			w.cut(seq, sealedlog.PlaceEnd)
		}
	}
	seq++
	w.plain(seq, 0)
	w.cut(seq, sealedlog.PlaceEnd)
	return w
}

// message seals the entries of one message.
func (w *writer) message(g *eventgen.Gen, r *rand.Rand, seq uint64, step func()) {
	switch r.IntN(10) {
	case 0:
		w.add(draft.Rejected(w.source(seq, 0), errors.New("refused"), slices.Repeat([]byte("x"), r.IntN(6000)),
			"audit.default.events.open"))
		step()
	case 1:
		w.own(seq, 0, entry.TypeErasure,
			&entry.Erasure{Indexes: []uint64{uint64(r.IntN(len(w.entries)))}, Reason: "r", Authority: "a"})
		step()
	case 2:
		d := draft.Event(w.source(seq, 0), g.Event())
		w.add(d.Equivocation(uint64(r.IntN(len(w.entries)))))
		step()
	default:
		var originals []entry.Original
		events := uint64(1 + r.IntN(6))
		for p := range events {
			if r.IntN(5) == 0 {
				originals = append(originals, entry.Original{Index: uint64(r.IntN(len(w.entries))), Position: p})
				continue
			}
			w.event(seq, p, g.Event())
			step()
		}
		if originals != nil {
			w.own(seq, events, entry.TypeDuplicate, &entry.Duplicate{Originals: originals})
			step()
		}
	}
}

func all(list []entry.Message) iter.Seq2[entry.Message, error] {
	return func(yield func(entry.Message, error) bool) {
		for _, m := range list {
			if !yield(m, nil) {
				return
			}
		}
	}
}

// audit audits the log as written, or as changed.
func (w *writer) audit(sealed []entry.Message, payloads [][]byte, keys ...string) (audit.Report, error) {
	return audit.Log(audit.Config{Keys: keys, Payloads: func(seq uint64) ([]byte, bool, error) {
		if seq == 0 || seq > uint64(len(payloads)) || payloads[seq-1] == nil {
			return nil, false, nil
		}
		return payloads[seq-1], true, nil
	}}, all(sealed))
}

// first is the index of a MismatchError, and the check that failed.
func first(t testing.TB, err error) (uint64, audit.Check) {
	t.Helper()
	m, ok := errors.AsType[*audit.MismatchError](err)
	if !ok {
		t.Fatalf("not a mismatch: %v", err)
	}
	return m.Index, m.What
}
