package archive_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// both runs a test on a log in memory and on one on JetStream.
func both(t *testing.T, test func(f *fixture)) {
	t.Run("memory", func(t *testing.T) { test(memory(t)) })
	t.Run("nats", func(t *testing.T) { test(onNATS(t)) })
}

// TestThrough: a log that is archived and trimmed reads, message by message, audit and search, as it did before
// (case 13 of conformance/cases_test.go).
func TestThrough(t *testing.T) {
	both(t, func(f *fixture) {
		f.seal(f.log, 1500)
		before := f.messages(f.log)
		want, err := store.Audit(f.Context(), f.log, audit.Config{Keys: []string{f.key}})
		if err != nil {
			f.Fatal(err)
		}
		f.well(f.archive(300))
		info, err := f.log.Sealed.Info(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		at, err := sealedlog.ParseBatch(before[info.First-1])
		if err != nil || at.First > f.size-300 || at.Size <= f.size-300 {
			f.Fatalf("trimmed to the batch of indexes %d to %d of %d, %v", at.First, at.Size, f.size, err)
		}
		through := archive.New(f.log).Through()
		if after := f.messages(through); !reflect.DeepEqual(after, before) {
			f.Fatalf("%d messages, were %d", len(after), len(before))
		}
		got, err := store.Audit(f.Context(), through, audit.Config{Keys: []string{f.key}})
		if err != nil || !reflect.DeepEqual(got, want) {
			f.Fatalf("%+v, %v\nwant %+v", got, err, want)
		}
		for _, m := range before {
			if got, err := through.Sealed.Get(f.Context(), m.Seq); err != nil || !reflect.DeepEqual(got, m) {
				f.Fatalf("%+v, %v\nwant %+v", got, err, m)
			}
		}
		for range 300 {
			x := rand.Uint64N(f.size)
			at, err := store.FindBatch(f.Context(), through, x)
			if err != nil || x < at.Batch.First || x >= at.Batch.Size {
				f.Fatalf("index %d: found %d to %d, %v", x, at.Batch.First, at.Batch.Size, err)
			}
			e, err := entry.ParseEntry(at.Batch.Leaves[x-at.Batch.First])
			if err != nil {
				f.Fatal(err)
			}
			in, err := store.FindInput(f.Context(), through, e.InputEpoch, e.InputSeq)
			if err != nil || in.Batch.Input.Seq < e.InputSeq || in.Seq < at.Seq {
				f.Fatalf("input %d of index %d: found %d, %v", e.InputSeq, x, in.Batch.Input.Seq, err)
			}
			list, err := store.Payloads(f.Context(), through, at.Batch.Payloads)
			if p, there := list[x]; e.DataHash != nil && !(err == nil && there && p.Opens(e)) {
				f.Fatalf("data of index %d: %v, %v", x, there, err)
			}
		}
		if _, err := through.Sealed.Get(f.Context(), info.Last+1); !errors.Is(err, store.ErrNotFound) {
			f.Fatalf("behind the end: %v", err)
		}
		if _, ok := through.Sealed.(store.Purger); ok {
			f.Fatal("SEALED can be purged by whoever reads it")
		}
	})
}

// TestFromAnywhere: a follower begins at any index, in the archive or behind it.
func TestFromAnywhere(t *testing.T) {
	f := memory(t)
	f.seal(f.log, 1500)
	f.well(f.archive(200))
	through := archive.New(f.log).Through()
	for _, from := range []uint64{0, 1, 255, 256, 257, 700, 1299, f.size - 201, f.size - 1} {
		next := from
		for s, err := range (store.Follower{Log: through, Keys: []string{f.key}, From: from,
			Stop: true}).Batches(f.Context()) {
			if err != nil {
				f.Fatalf("from %d: %v", from, err)
			}
			for _, e := range s.Entries {
				if e.Index >= from {
					if e.Index != next {
						f.Fatalf("from %d: index %d, want %d", from, e.Index, next)
					}
					next++
				}
			}
		}
		if next != f.size {
			f.Fatalf("from %d: ended at %d of %d", from, next, f.size)
		}
	}
}

// TestConsistencyOfTrimmed: proofs from sizes that are archived, or just behind, are those of the tree.
func TestConsistencyOfTrimmed(t *testing.T) {
	both(t, func(f *fixture) {
		f.seal(f.log, 1500)
		tree := new(merkle.Tree)
		for e, err := range store.Follow(f.Context(), f.log, 0, f.key) {
			if err != nil {
				f.Fatal(err)
			}
			if tree.Append(entry.LeafHash(e.Leaf)); tree.Size() == f.size {
				break
			}
		}
		f.well(f.archive(300))
		log := archive.New(f.log).Through()
		for _, from := range []uint64{1, 255, 256, 257, 1023, f.size - 301, f.size - 300, f.size - 299, f.size - 1} {
			for _, to := range []uint64{from + 1, f.size - 1, f.size} {
				root, got, err := store.Consistency(f.Context(), log, from, to)
				want, _ := proof.Consistency(from, to, tree)
				if wantRoot, _ := tree.Root(from); err != nil || root != wantRoot || !slices.Equal(got, want) {
					f.Fatalf("%d to %d of %d: %v", from, to, f.size, err)
				}
			}
		}
	})
}

// TestTrimmedWhileRead: a reader that lags behind a trim goes on in the archive.
func TestTrimmedWhileRead(t *testing.T) {
	both(t, func(f *fixture) {
		f.seal(f.log, 1200)
		want := f.messages(f.log)
		through := archive.New(f.log).Through()
		r, err := through.Sealed.Read(f.Context(), 1)
		if err != nil {
			f.Fatal(err)
		}
		defer r.Close()
		got, err := r.Next(f.Context(), 1)
		if err != nil {
			f.Fatal(err)
		}
		f.well(f.archive(100))
		for len(got) < len(want) {
			next, err := r.Next(f.Context(), 3)
			if err != nil {
				f.Fatal(err)
			}
			got = append(got, next...)
		}
		if !reflect.DeepEqual(got, want) {
			f.Fatal("other messages than were sealed")
		}
	})
}

// TestSealOn: a sealer starts on a trimmed log, knows the repeats of what was trimmed, and goes on.
func TestSealOn(t *testing.T) {
	both(t, func(f *fixture) {
		f.seal(f.log, 1200)
		f.well(f.archive(1))
		f.events = 10 // those from the 10th on come again
		through := archive.New(f.log).Through()
		f.seal(through, 100)
		kinds := map[string]int{}
		for s, err := range (store.Follower{Log: through, Keys: []string{f.key}, From: 1201,
			Stop: true}).Batches(f.Context()) {
			if err != nil {
				f.Fatal(err)
			}
			for _, e := range s.Entries {
				kinds[e.EventType]++
				if d, ok := e.Detail.(*entry.Duplicate); ok && len(d.Originals) != 100 {
					f.Fatalf("%d originals named, of 100", len(d.Originals))
				}
			}
		}
		if kinds[entry.TypeDuplicate] != 1 || len(kinds) != 1 {
			f.Fatalf("a repeat of trimmed events was sealed as %v", kinds)
		}
		f.events = 2000
		f.seal(through, 600)
		f.well(f.archive(1))
		if _, err := f.verify(); err != nil {
			f.Fatal(err)
		}
	})
	t.Run("without the archive", func(t *testing.T) {
		f := memory(t)
		f.seal(f.log, 1200)
		f.well(f.archive(1))
		s, err := sealer.New(f.sealerConfig(f.log))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(t.Context()); err == nil {
			t.Fatal("a sealer sealed without the whole window")
		}
	})
}

// TestAlone: the index can be built from the archive and nothing else, by the same follower and the same checks.
func TestAlone(t *testing.T) {
	f := memory(t)
	f.seal(f.log, 1500)
	f.well(f.archive(1))
	a := archive.New(&store.Log{Name: "default", Archive: f.log.Archive})
	alone, err := a.Alone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q, err := query.New(query.Config{Log: alone, Keys: []string{f.key}})
	if err != nil {
		t.Fatal(err)
	}
	logtest.Run(f, "query", q.Run)
	if err := q.CaughtUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	segments, err := a.Segments(t.Context())
	if err != nil || len(segments) != 5 {
		t.Fatalf("%d segments, %v", len(segments), err)
	}
	end := segments[4]
	if got := q.Status(); got.Size != end.Size || got.Err != nil {
		t.Fatalf("%d entries indexed of %d archived: %v", got.Size, end.Size, got.Err)
	}
	cp, err := q.Checkpoint()
	if err != nil || string(cp.Note) != end.Checkpoint {
		t.Fatalf("checkpoint %q, %v\nwant %q", cp.Note, err, end.Checkpoint)
	}
	page, err := q.Entries(t.Context(), api.Filter{Agent: []string{"did:web:agent-3.example"}}, query.Page{Limit: 1000})
	if err != nil || len(page.Entries) < 180 {
		t.Fatalf("%d entries, %v", len(page.Entries), err)
	}
	for _, e := range page.Entries {
		if e.Entry.DataHash != nil && (e.Payload == nil || !e.Payload.Opens(e.Entry)) {
			t.Fatalf("index %d has no data", e.Entry.Index)
		}
	}
	if v, err := q.Verify(t.Context()); err != nil || !v.Valid || v.TreeSize != end.Size {
		t.Fatalf("%+v, %v", v, err)
	}
}

// TestNothingArchived: an archive without segments changes nothing, and verifies.
func TestNothingArchived(t *testing.T) {
	f := memory(t)
	f.seal(f.log, 100)
	f.well(f.archive(10))
	if got, want := f.messages(archive.New(f.log).Through()), f.messages(f.log); !reflect.DeepEqual(got, want) {
		t.Fatal("other messages")
	}
	if r, err := f.verify(); err != nil || r.Segments != 0 || r.Audit.Size != f.size {
		t.Fatalf("%+v, %v", r, err)
	}
	if alone, err := archive.New(f.log).Alone(t.Context()); err != nil {
		t.Fatal(err)
	} else if info, err := alone.Sealed.Info(t.Context()); err != nil || info.Last != 0 {
		t.Fatalf("%+v, %v", info, err)
	}
}

// TestSegments: each ends with the first batch that reaches its number of leaves, and they go on
// where the one before ends.
func TestSegments(t *testing.T) {
	f := memory(t)
	f.seal(f.log, 1500)
	f.well(f.archive(0))
	segments, err := archive.New(f.log).Segments(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	index, seq := uint64(0), uint64(0)
	for n, s := range segments {
		full := uint64(n+1) * leaves
		if s.First != index || s.FirstSeq != seq+1 || s.Size < full || s.Size >= full+50 {
			t.Errorf("segment %d: %d to %d, sequences %d to %d", n, s.First, s.Size, s.FirstSeq, s.LastSeq)
		}
		index, seq = s.Size, s.LastSeq
		cp, err := proof.OpenCheckpoint([]byte(s.Checkpoint), f.key)
		if err != nil || cp.Size != s.Size {
			t.Errorf("segment %d: checkpoint of size %d, %v", n, cp.Size, err)
		}
		if again, err := archive.ParseSegment(f.object(fmt.Sprintf("default/%08d/segment.json", n))); err != nil ||
			!reflect.DeepEqual(again, s) {
			t.Errorf("segment %d: %+v, %v", n, again, err)
		}
	}
	if info, err := f.log.Sealed.Info(t.Context()); err != nil || info.First != 1 {
		t.Errorf("SEALED was trimmed to %d without being told to, %v", info.First, err)
	}
	if !strings.HasPrefix(string(f.object("default/00000000/segment.json")),
		`{"sealstream_segment":1,"log":"default","segment":0,"first":0,`) {
		t.Error("segment.json is written in another order")
	}
}
