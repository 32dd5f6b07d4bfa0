package witness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/cosign"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/merkle"
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

func newWorld(t *testing.T, tiles store.KV) *world {
	t.Helper()
	log := store.NewMemory(logtest.Name)
	if tiles != nil {
		log.Tiles = tiles
	}
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

// noTiles is a bucket that is not written yet.
type noTiles struct{ store.KV }

func (noTiles) Get(context.Context, string) ([]byte, uint64, error) { return nil, 0, store.ErrNotFound }

// TestSubtrees: proofs from tiles and leaves are those of the tree, whichever tiles are written.
func TestSubtrees(t *testing.T) {
	for name, tiles := range map[string]store.KV{"tiles": nil, "no tiles": noTiles{store.NewMemoryKV()}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tiles)
			w.grow(1100)
			if tiles == nil {
				logtest.Until(w, "the fourth tile is written", func() bool {
					_, _, err := w.log.Tiles.Get(t.Context(), "default/"+merkle.TilePath(0, 3, 0))
					return err == nil
				})
			}
			var tree merkle.Tree
			for e, err := range store.Follow(t.Context(), w.log, 0, w.signer.VerifierKey()) {
				if err != nil {
					t.Fatal(err)
				}
				tree.Append(entry.LeafHash(e.Leaf))
				if tree.Size() == 1101 {
					break
				}
			}
			for _, to := range []uint64{1, 2, 255, 256, 257, 511, 700, 1024, 1101} {
				root, err := merkle.RootAt(to, store.Subtrees(t.Context(), w.log))
				if want, _ := tree.Root(to); err != nil || root != want {
					t.Fatalf("root of size %d: %v", to, err)
				}
				for from := uint64(0); from <= to; from += 1 + to/7 {
					got, err := proof.Consistency(from, to, store.Subtrees(t.Context(), w.log))
					want, _ := proof.Consistency(from, to, &tree)
					if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
						t.Fatalf("%d to %d: %v", from, to, err)
					}
				}
			}
		})
	}
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
	w := newWorld(t, nil)
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
	w := newWorld(t, nil)
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

// TestHead: which checkpoint is shown.
func TestHead(t *testing.T) {
	w := newWorld(t, nil)
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
