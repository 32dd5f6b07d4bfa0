package archive_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestSuccession: a log that has handed its key on, with void messages before and after, is archived
// and trimmed by an archiver that knows the first key alone, over several starts. From the archive
// alone, the first key verifies all of it.
func TestSuccession(t *testing.T) {
	skey, vkey, err := proof.GenerateKey("keys.example.com", "default")
	if err != nil {
		t.Fatal(err)
	}
	origin, _, _ := strings.Cut(vkey, "+")
	nextSkey, nextVkey, err := proof.GenerateNextKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	signer := func(skeys ...string) *proof.Signer {
		s, err := proof.NewSigner(skeys...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	l := logtest.New(t, store.NewMemory("default"), func(c *sealer.Config) {
		c.Signer, c.MaxEntries, c.KeepEvents = signer(skey), 50, false
	})
	f := &fixture{T: t, log: l.Store, signer: signer(skey), key: vkey}
	f.seal(f.log, 400)
	first, err := f.log.Sealed.Get(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	f.void(first)
	f.well(f.archive(100))
	through := archive.New(f.log).Through()
	f.signer = signer(skey, nextSkey)
	for _, keys := range [][]string{{vkey, nextVkey}, {nextVkey}} {
		if did, err := sealer.AnnounceKeys(t.Context(), f.sealerConfig(through), keys); err != nil || !did {
			t.Fatal(did, err)
		}
		f.seal(through, 200)
	}
	f.signer, f.former = signer(nextSkey), []string{vkey}
	f.seal(through, 400)
	f.void(first)
	f.seal(through, 400)
	f.well(f.archive(100)) // of which some segments have a checkpoint that the first key has not signed
	f.seal(through, 400)
	f.well(f.archive(1))
	before := f.messages(through)
	r, err := f.verify()
	if err != nil || len(r.Audit.Void) != 2 || r.Audit.Size != f.size {
		t.Fatalf("%+v, %v", r, err)
	}
	alone, err := archive.New(&store.Log{Name: "default", Archive: f.log.Archive}).Alone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	archived := f.messages(alone)
	if !reflect.DeepEqual(archived, before[:len(archived)]) {
		t.Error("the archive gives back other messages than SEALED had")
	}
	got, err := store.Audit(t.Context(), alone, audit.Config{Keys: []string{vkey}})
	if err != nil || got.Size != r.Archived || len(got.Void) != 2 {
		t.Errorf("audited from the archive alone: %+v, %v", got, err)
	}
}
