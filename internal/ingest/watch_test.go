package ingest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestSealed: receipts of sealed events are those of the log, for new events, repeats and other
// content under the same id, alone and in one message, from many callers at once, over both stores.
func TestSealed(t *testing.T) {
	for name, log := range map[string]func(testing.TB) *store.Log{
		"memory": func(testing.TB) *store.Log { return store.NewMemory("default") },
		"nats":   onNATS,
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, log(t), ingest.Config{})
			var all [64][]api.Receipt
			parallel(len(all), func(p int) {
				for n := range 8 {
					id := func(k int) string { return fmt.Sprintf("%d-%d-%d", p, n, k) }
					raws := []ingest.Raw{
						{Event: []byte(event(id(0)))}, {Event: []byte(event(id(0)))}, {Event: []byte(`{}`)},
						{Event: []byte(event(id(1)))},
					}
					if n > 0 {
						// a repeat of the message before
						raws = append(raws, ingest.Raw{Event: []byte(event(fmt.Sprintf("%d-%d-0", p, n-1)))},
							ingest.Raw{
								Event: []byte(`{"specversion":"1.0","id":"` + id(0) +
									`","source":"did:web:a.example","type":"other"}`),
							})
					}
					got, err := w.ingest.Submit(t.Context(), raws, ingest.WaitSealed)
					if err != nil {
						t.Errorf("%v", err)
						return
					}
					all[p] = append(all[p], got...)
				}
			})
			list := w.entries(t)
			for _, receipts := range all {
				states := map[string]int{}
				for _, r := range receipts {
					states[r.Status]++
					checkSealed(t, w, list, r)
					if r.EquivocationOf != 0 {
						states["equivocation"]++
					}
				}
				if want := (map[string]int{
					"sealed": 23, "duplicate": 15, "rejected": 8, "equivocation": 7,
				}); fmt.Sprint(states) != fmt.Sprint(want) {
					t.Errorf("%v, want %v", states, want)
				}
			}
		})
	}
}

func checkSealed(t *testing.T, w *world, list []entry.Entry, r api.Receipt) {
	t.Helper()
	if r.Status == api.Rejected {
		if r.Error == nil || r.Index != 0 {
			t.Errorf("receipt %+v", r)
		}
		return
	}
	e := list[r.Index]
	source, id := e.Claim()
	if e.EntryHash.String() != r.EntryHash || id != r.EntryID || source != r.AgentDID || r.Wait != "" {
		t.Errorf("receipt %+v for %s", r, e.Leaf)
	}
	if at := e.InputSeq == r.InputSeq && e.Position == r.Position; at != (r.Status == api.Sealed) {
		t.Errorf("receipt %+v for %s", r, e.Leaf)
	}
	if q, ok := e.Detail.(*entry.Equivocation); ok != (r.EquivocationOf != 0) || ok && q.Original != r.EquivocationOf {
		t.Errorf("receipt %+v for %s", r, e.Leaf)
	}
	if cp, err := proof.OpenCheckpoint([]byte(r.Checkpoint), w.vkey); err != nil || cp.Size <= r.Index {
		t.Errorf("checkpoint of size %d for %+v: %v", cp.Size, r, err)
	}
}

// TestSealedSmallBatches: the entries of one message stand in many batches, of which most are long
// passed when the last is sealed.
func TestSealedSmallBatches(t *testing.T) {
	l := logtest.New(t, store.NewMemory(logtest.Name), func(c *sealer.Config) { c.MaxEntries = 3 })
	l.Run("sealer", l.Sealer().Run)
	w := &world{log: l.Store, vkey: l.Key}
	w.run(t, ingest.Config{Log: l.Store}) // without keys: it learns them from index 0
	var raws []ingest.Raw
	for i := range 256 {
		raws = append(raws, ingest.Raw{Event: []byte(event(fmt.Sprint(i % 200)))})
	}
	for round := range 3 {
		got, err := w.ingest.Submit(t.Context(), raws, ingest.WaitSealed)
		if err != nil {
			t.Fatal(err)
		}
		list := w.entries(t)
		for i, r := range got {
			checkSealed(t, w, list, r)
			want := api.Sealed
			if round > 0 || i >= 200 {
				want = api.Duplicate
			}
			if r.Status != want {
				t.Errorf("round %d, event %d: %+v", round, i, r)
			}
		}
		if round == 1 {
			// the reader of SEALED is closed meanwhile; nothing depends on whether it is
			time.Sleep(300 * time.Millisecond)
		}
	}
}

// TestVoid: messages on SEALED that are none of the log's are passed over.
func TestVoid(t *testing.T) {
	log := store.NewMemory("default")
	w := start(t, log, ingest.Config{})
	for i := range 5 {
		got, err := w.ingest.Submit(t.Context(), []ingest.Raw{{Event: []byte(event(fmt.Sprint(i)))}}, ingest.WaitSealed)
		if err != nil || got[0].Status != api.Sealed || got[0].Index != uint64(i+1) {
			t.Fatalf("%d: %+v %v", i, got, err)
		}
		info, _ := log.Sealed.Info(t.Context())
		again, err := log.Sealed.Get(t.Context(), info.Last)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []entry.Message{
			{Subject: "audit.default.sealed", Data: []byte("x\n")},
			{Subject: again.Subject, Header: again.Header, Data: again.Data},
		} {
			if _, err := log.Sealed.Append(t.Context(), m, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestSealTimeout: an event that is stored but not sealed in time says just that.
func TestSealTimeout(t *testing.T) {
	log := store.NewMemory("default")
	w := &world{log: log}
	w.run(t, ingest.Config{Log: log, SealTimeout: 20 * time.Millisecond})
	r := w.post(t, "/v1/events?wait=sealed", structured, event("x"))
	if r.status != 200 || r.Status != "stored" || r.Receipt.Wait != "timeout" || r.Index != 0 || r.Checkpoint != "" ||
		r.InputSeq != 1 {
		t.Errorf("%d %s", r.status, r.body)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	got, err := w.ingest.Submit(ctx, []ingest.Raw{{Event: []byte(event("y"))}}, ingest.WaitSealed)
	if err != nil || got[0].Status != api.Stored || got[0].Wait != "timeout" {
		t.Errorf("%+v %v", got, err)
	}
}
