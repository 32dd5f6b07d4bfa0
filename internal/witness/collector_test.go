package witness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/cosign"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/streams/subject"
)

// world is a sealed log in memory, which grows when it is told to.
type world struct {
	*testing.T
	log    *store.Log
	signer *proof.Signer
	sealer *sealer.Sealer
	sent   int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	log := store.NewMemory(logtest.Name)
	l := logtest.New(t, log, func(c *sealer.Config) { c.MaxEntries, c.KeepEvents = 40, false })
	w := &world{T: t, log: log, signer: l.Config.Signer, sealer: l.Sealer()}
	logtest.Run(w, "sealer", w.sealer.Run)
	logtest.Until(w, "index 0 is sealed", func() bool { return w.sealer.Status().Size == 1 })
	return w
}

// grow seals n events.
func (w *world) grow(n int) {
	w.Helper()
	for range n {
		w.sent++
		body := fmt.Sprintf(`{"specversion":"1.0","id":"e-%d","source":"did:web:a","type":"x.y"}`, w.sent)
		if _, err := w.log.Events.Append(w.Context(),
			entry.Message{Subject: "audit.default.events.open", Data: []byte(body)}, nil); err != nil {
			w.Fatal(err)
		}
	}
	logtest.Until(w, "all is sealed", func() bool { return w.sealer.Status().Size == uint64(w.sent)+1 })
}

func (w *world) cosigned(p *proof.Policy) (proof.Checkpoint, proof.Cosigned) {
	cp, err := store.Cosigned(context.Background(), w.log, w.signer.VerifierKey())
	if err != nil {
		return proof.Checkpoint{}, proof.Cosigned{}
	}
	by, err := p.Cosigned(cp.Note)
	if err != nil {
		w.Errorf("HEAD holds a wrong cosignature: %v", err)
	}
	return cp, by
}

// site is a witness on HTTP that can be sent away.
type site struct {
	*httptest.Server
	witness *Witness
	away    atomic.Bool
	slow    atomic.Bool
	asked   atomic.Int64
}

func newSite(t *testing.T, c *cosign.Cosigner, logs ...string) *site {
	t.Helper()
	s := &site{witness: newWitness(t, filepath.Join(t.TempDir(), "state"), c, logs...)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		switch {
		case s.away.Load():
			http.Error(rw, "away", http.StatusServiceUnavailable)
		case s.slow.Load():
			io.Copy(io.Discard, r.Body) // or the server would not see that the client has gone
			<-r.Context().Done()
		default:
			s.witness.Handler().ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// TestCollector: two of three witnesses are enough; while fewer are there, the log goes on and the
// status says so; a collector that begins again, and a witness that was away, find each other by
// the 409.
func TestCollector(t *testing.T) {
	w := newWorld(t)
	key := w.signer.VerifierKey()
	cosigners := []*cosign.Cosigner{newCosigner(t, "w0"), newCosigner(t, "w1"), newCosigner(t, "w2")}
	var sites []*site
	var urls []string
	for _, c := range cosigners {
		sites = append(sites, newSite(t, c, key))
		urls = append(urls, sites[len(sites)-1].URL+"/")
	}
	policy := policyOf(t, 2, cosigners, urls...)
	start := func() (*Collector, func()) {
		c, err := NewCollector(CollectorConfig{
			Log: w.log, Keys: []string{key}, Policy: policy, Timeout: 2 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		return c, logtest.Run(w, "collector", c.Run)
	}
	reached := func(least int) {
		t.Helper()
		logtest.Until(w, fmt.Sprintf("%d cosignatures of size %d", least, w.sent+1), func() bool {
			cp, by := w.cosigned(policy)
			return cp.Size == uint64(w.sent)+1 && len(by.By) >= least && by.Quorum
		})
	}
	c, stop := start()
	w.grow(5)
	reached(3)
	logtest.Until(w, "the status says so", func() bool {
		s := c.Status()
		return s.Met && s.Size == 6 && s.Behind == 0 && s.Err() == nil
	})

	sites[2].away.Store(true)
	w.grow(300)
	reached(2)
	logtest.Until(w, "the one that is away is named", func() bool {
		return strings.Contains(c.Status().Witnesses[2].Error, "503")
	})

	sites[1].slow.Store(true)
	w.grow(20)
	logtest.Until(w, "the one that is slow is named", func() bool { return c.Status().Witnesses[1].Error != "" })
	if cp, by := w.cosigned(policy); cp.Size != 306 || !by.Quorum {
		t.Errorf("one of two needed has cosigned, and HEAD says %d %+v", cp.Size, by)
	}
	if s := c.Status(); s.Behind != 20 || s.Size != 306 {
		t.Errorf("status %+v", s)
	}
	stop()

	for _, s := range sites {
		s.away.Store(false)
		s.slow.Store(false)
	}
	before := sites[0].asked.Load()
	c, stop = start() // knows nothing of what they have cosigned
	reached(3)
	if n := sites[0].asked.Load() - before; n == 0 {
		t.Errorf("%d requests", n)
	}
	w.grow(700)
	reached(3)
	stop()

	// Another history under the same key and of more entries: no witness follows, and the collector says why.
	forked := &logOf{t: t, signer: w.signer}
	forked.grow(5000, "another history")
	if err := w.log.Head.Put(t.Context(), "default", forked.note(5000)); err != nil {
		t.Fatal(err)
	}
	c, _ = start()
	logtest.Until(w, "the fork is refused", func() bool { return c.Status().Witnesses[0].Error != "" })
	for i, s := range sites {
		if note, _ := s.witness.Newest(w.signer.Origin()); bytes.Contains(note, []byte("\n5000\n")) {
			t.Errorf("witness %d has cosigned the fork", i)
		}
	}
	if s := c.Status(); s.Size == 5000 {
		t.Errorf("status %+v", s)
	}
}

// TestConflicts: what a collector says of a witness that knows more, or another history of the same size.
func TestConflicts(t *testing.T) {
	w := newWorld(t)
	w.grow(9)
	key, cosigner := w.signer.VerifierKey(), newCosigner(t, "w0")
	other := &logOf{t: t, signer: w.signer}
	other.grow(50, "another history")
	for _, x := range []struct {
		size uint64
		says string
	}{{50, "rolled back"}, {10, "two histories"}} {
		s := newSite(t, cosigner, key)
		if _, err := s.witness.Add(other.submit(0, x.size)); err != nil {
			t.Fatal(err)
		}
		c, err := NewCollector(CollectorConfig{
			Log: w.log, Keys: []string{key}, Policy: policyOf(t, 1, []*cosign.Cosigner{cosigner}, s.URL),
		})
		if err != nil {
			t.Fatal(err)
		}
		stop := logtest.Run(w, "collector", c.Run)
		logtest.Until(w, x.says, func() bool { return strings.Contains(c.Status().Witnesses[0].Error, x.says) })
		if st := c.Status(); st.Met || st.Err() == nil {
			t.Errorf("status %+v", st)
		}
		stop()
	}
}

// altered is a SEALED stream on which the frontier of one message can be altered.
type altered struct {
	store.Stream
	seq uint64
	on  atomic.Bool
}

func (a *altered) Get(ctx context.Context, seq uint64) (entry.Message, error) {
	m, err := a.Stream.Get(ctx, seq)
	if err == nil && seq == a.seq && a.on.Load() {
		m.Header = maps.Clone(m.Header)
		m.Header["Sealstream-Frontier"] = []string{strings.Repeat("0", 64) + m.Header["Sealstream-Frontier"][0][64:]}
	}
	return m, err
}

// TestAlteredSealed: a proof that does not verify, because SEALED was altered, is not sent, and the
// status says why.
func TestAlteredSealed(t *testing.T) {
	w := newWorld(t)
	w.grow(9)
	at, err := store.FindBatch(t.Context(), w.log, 9)
	if err != nil {
		t.Fatal(err)
	}
	key, cosigner := w.signer.VerifierKey(), newCosigner(t, "w0")
	s := newSite(t, cosigner, key)
	sealed := &altered{Stream: w.log.Sealed, seq: at.Seq}
	log := *w.log
	log.Sealed = sealed
	c, err := NewCollector(CollectorConfig{
		Log: &log, Keys: []string{key}, Policy: policyOf(t, 1, []*cosign.Cosigner{cosigner}, s.URL),
	})
	if err != nil {
		t.Fatal(err)
	}
	logtest.Run(w, "collector", c.Run)
	says := func(text string) {
		t.Helper()
		logtest.Until(w, text, func() bool { return strings.Contains(c.Status().Witnesses[0].Error, text) })
	}
	logtest.Until(w, "size 10 is cosigned", func() bool { return c.Status().Size == 10 })
	s.away.Store(true)
	w.grow(30)
	says("503")
	logtest.Until(w, "HEAD is of size 40", func() bool {
		note, _, err := w.log.Head.Get(t.Context(), "default")
		if err != nil {
			return false
		}
		cp, err := proof.OpenCheckpoint(note, key)
		return err == nil && cp.Size == 40
	})
	sealed.on.Store(true)
	says("batches do not make the proof from size 10")
	asked := s.asked.Load()
	s.away.Store(false)
	sealed.on.Store(false)
	logtest.Until(w, "size 40 is cosigned", func() bool { return c.Status().Size == 40 })
	if n := s.asked.Load(); n != asked+1 {
		t.Errorf("%d requests with a proof that does not verify", n-asked-1)
	}
}

// TestHead: which checkpoint is shown.
func TestHead(t *testing.T) {
	w := newWorld(t)
	w.grow(3)
	head := &store.Head{Log: w.log, Keys: func() []string { return []string{w.signer.VerifierKey()} }}
	newest := func() proof.Checkpoint {
		t.Helper()
		var cp proof.Checkpoint
		logtest.Until(w, "HEAD holds the newest checkpoint", func() bool {
			note, _, err := w.log.Head.Get(t.Context(), "default")
			if err != nil {
				return false
			}
			cp, err = proof.OpenCheckpoint(note, w.signer.VerifierKey())
			return err == nil && cp.Size == uint64(w.sent)+1
		})
		return cp
	}
	plain := newest()
	if got := head.Newest(t.Context(), plain); !bytes.Equal(got.Note, plain.Note) {
		t.Error("without witnesses, the newest checkpoint is shown")
	}
	c := newCosigner(t, "w")
	line, err := c.Cosign(plain.Note, 1)
	if err != nil {
		t.Fatal(err)
	}
	cosigned := append(bytes.Clone(plain.Note), line...)
	if err := w.log.Head.Put(t.Context(), subject.Cosigned("default"), cosigned); err != nil {
		t.Fatal(err)
	}
	logtest.Until(w, "the cosigned form is shown", func() bool {
		return bytes.Equal(head.Newest(t.Context(), plain).Note, cosigned)
	})
	w.grow(2)
	if got := head.Newest(t.Context(), newest()); !bytes.Equal(got.Note, cosigned) {
		t.Error("the cosigned checkpoint is shown while it is fresh")
	}
	if _, ok := head.Covering(t.Context(), 3); !ok {
		t.Error("index 3 is covered")
	}
	if _, ok := head.Covering(t.Context(), 4); ok {
		t.Error("index 4 is not covered")
	}
}
