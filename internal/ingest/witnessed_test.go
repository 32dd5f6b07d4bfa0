package ingest_test

import (
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/cosign"
	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/streams/subject"
)

// TestWitnessed: a receipt says witnessed once HEAD holds a checkpoint that covers the entry, by
// the log's key and enough witnesses, and not before.
func TestWitnessed(t *testing.T) {
	skey, vkey, err := cosign.GenerateKey("w.example/w")
	if err != nil {
		t.Fatal(err)
	}
	cosigner, err := cosign.New(skey)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := proof.ParsePolicy([]byte("witness w " + vkey + "\nquorum w\n"))
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, store.NewMemory("default"), ingest.Config{Policy: policy, SealTimeout: 500 * time.Millisecond})
	submit := func(ids ...string) []api.Receipt {
		t.Helper()
		var raws []ingest.Raw
		for _, id := range ids {
			raws = append(raws, ingest.Raw{Event: []byte(event(id))})
		}
		got, err := w.ingest.Submit(t.Context(), append(raws, ingest.Raw{Event: []byte("{}")}), ingest.WaitWitnessed)
		if err != nil {
			t.Fatal(err)
		}
		if r := got[len(ids)]; r.Status != api.Rejected || r.Wait != "" {
			t.Errorf("%+v", r)
		}
		return got[:len(ids)]
	}
	put := func(note []byte) {
		t.Helper()
		if err := w.log.Head.Put(t.Context(), subject.Cosigned("default"), note); err != nil {
			t.Fatal(err)
		}
	}
	cosign := func(note string) []byte {
		t.Helper()
		line, err := cosigner.Cosign([]byte(note), 1)
		if err != nil {
			t.Fatal(err)
		}
		return append([]byte(note), line...)
	}

	first := submit("1")[0]
	if first.Status != api.Sealed || first.Wait != "timeout" || first.Index == 0 {
		t.Fatalf("nobody has cosigned: %+v", first)
	}
	put([]byte(first.Checkpoint))
	if r := submit("1")[0]; r.Status != api.Duplicate || r.Wait != "timeout" {
		t.Errorf("a checkpoint without its cosignature: %+v", r)
	}
	put(cosign(first.Checkpoint))
	got := submit("1", "2")
	if r := got[0]; r.Status != api.Duplicate || r.Wait != "" || r.Checkpoint != string(cosign(first.Checkpoint)) {
		t.Errorf("covered: %+v", r)
	}
	if r := got[1]; r.Status != api.Sealed || r.Wait != "timeout" {
		t.Errorf("not covered: %+v", r)
	}
	put(cosign(got[1].Checkpoint))
	third := submit("2")[0]
	if third.Wait != "" || third.Checkpoint != string(cosign(got[1].Checkpoint)) {
		t.Errorf("%+v", third)
	}
}
