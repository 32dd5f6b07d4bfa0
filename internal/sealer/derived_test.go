package sealer

import (
	"fmt"
	"testing"

	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/streams/subject"
)

// head reads and opens what stands in HEAD.
func (f *fixture) head() proof.Checkpoint {
	f.t.Helper()
	value, _, err := f.log.Head.Get(f.t.Context(), testLog)
	if err != nil {
		f.t.Fatal(err)
	}
	c, err := proof.OpenCheckpoint(value, testSigner.VerifierKey())
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// TestHead: HEAD holds the newest checkpoint, and an older one is never written over it.
func TestHead(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		everything(f)
		f.mustSeal(entriesOf(3))
		newest := f.head()
		if r := f.audit(); newest.Size != r.Size || newest.Root != r.Root {
			t.Fatalf("HEAD is of size %d, the log of %d", newest.Size, r.Size)
		}
		s, err := New(f.cfg)
		if err != nil {
			t.Fatal(err)
		}
		put := func(seq uint64) {
			t.Helper()
			m, err := f.log.Sealed.Get(t.Context(), seq)
			if err != nil {
				t.Fatal(err)
			}
			b, err := sealedlog.ParseBatch(m)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.putHead(t.Context(), committed{batch: b}); err != nil {
				t.Fatal(err)
			}
		}
		put(2)
		if got := f.head(); got.Size != newest.Size {
			t.Fatalf("HEAD fell to size %d", got.Size)
		}
		if err := f.log.Head.Put(t.Context(), testLog, []byte("nonsense")); err != nil {
			t.Fatal(err)
		}
		put(2)
		if got := f.head(); got.Size != 6 {
			t.Fatalf("HEAD is of size %d, want 6", got.Size)
		}
	})
}

// TestTrim: EVENTS is purged behind the commit, and keeps the message at the input position, even a half sealed one.
func TestTrim(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		f.cfg.KeepEvents = false
		everything(f)
		f.sealSome(6, entriesOf(2))
		_, at := lastBatch(t, f.log)
		info, err := f.log.Events.Info(t.Context())
		if err != nil || at.Place == sealedlog.PlaceEnd || info.First > at.Seq {
			t.Fatalf("EVENTS begins at %d, the log reaches %+v; %v", info.First, at, err)
		}
		f.mustSeal(entriesOf(5))
		if info, err = f.log.Events.Info(t.Context()); err != nil || info.First != info.Last {
			t.Fatalf("EVENTS goes from %d to %d; %v", info.First, info.Last, err)
		}
		f.publish(tokenSubject("did:a"), event("more", "1"))
		f.mustSeal()
		if r := f.audit(); r.Size != 23 {
			t.Fatalf("%d entries", r.Size)
		}
	})
}

// orphan writes what a crashed sealer leaves on PAYLOADS.
func (f *fixture) orphan() uint64 {
	f.t.Helper()
	seq, err := f.log.Payloads.Append(f.t.Context(),
		entry.Message{Subject: subject.Payloads(testLog), Data: []byte("orphan\n")}, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return seq
}

func exists(t *testing.T, s store.Stream, seq uint64) bool {
	t.Helper()
	_, err := s.Get(t.Context(), seq)
	return err == nil
}

// TestSweep: orphans between named payload messages go, at once or after a restart, with and
// without the cursor; what is above the newest named one stays, and so does a rewritten message.
func TestSweep(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		small := func(c *Config) { c.window, c.slack = 10, 30 }
		var orphans []uint64
		own := tokenSubject("did:a")
		for i := range 30 {
			if i%3 == 0 {
				orphans = append(orphans, f.orphan(), f.orphan())
			}
			f.publish(own, event(fmt.Sprint(i), "1"))
			f.publish(own, `{"specversion":"1.0","id":"no data `+fmt.Sprint(i)+`","source":"did:a","type":"t"}`)
			switch i % 4 {
			case 0:
				f.mustSeal(small, entriesOf(1))
			case 1: // a sealer that gets no further than the commit
				f.sealWithoutDuties(small, entriesOf(1))
			}
		}
		rewritten, err := f.log.Payloads.Append(t.Context(), entry.Message{Subject: subject.Payloads(testLog) + ".2"},
			nil)
		if err != nil {
			t.Fatal(err)
		}
		f.publish(own, event("last", "1"))
		f.sealWithoutDuties(small)
		above := f.orphan()
		f.mustSeal(small)
		for _, seq := range orphans {
			if exists(t, f.log.Payloads, seq) {
				t.Errorf("the orphan at sequence %d is there", seq)
			}
		}
		if !exists(t, f.log.Payloads, above) || !exists(t, f.log.Payloads, rewritten) {
			t.Errorf("above the tail or rewritten, and gone: %v %v", exists(t, f.log.Payloads, above),
				exists(t, f.log.Payloads, rewritten))
		}
		f.audit()
	})
}

// sealWithoutDuties seals while PAYLOADS refuses to delete and CURSORS to store.
func (f *fixture) sealWithoutDuties(change ...func(*Config)) {
	f.t.Helper()
	log := *f.log
	log.Payloads = struct{ store.Stream }{f.log.Payloads} // no Purger
	log.Cursors = store.NewMemoryKV()
	f.mustSeal(append(change, func(c *Config) { c.Log = &log })...)
}

// TestSweepOfAVoidMessage: what a void message names is not swept up to.
func TestSweepOfAVoidMessage(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		f.publish(tokenSubject("did:a"), event("1", "1"))
		f.mustSeal()
		m, err := f.log.Sealed.Get(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		m.Header = entry.Header{}
		for name, v := range stored(t, f.log.Sealed)[0].Header {
			m.Header[name] = v
		}
		m.Header["Sealstream-Payloads"] = []string{"100"}
		if _, err := f.log.Sealed.Append(t.Context(), m, nil); err != nil {
			t.Fatal(err)
		}
		waiting := f.orphan() // may be on its way
		f.mustSeal()
		if !exists(t, f.log.Payloads, waiting) {
			t.Fatal("swept up to what a void message names")
		}
	})
}
