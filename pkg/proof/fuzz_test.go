package proof_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Every parser takes any bytes without a panic, and what it takes is what its Format writes.

func FuzzOpenCheckpoint(f *testing.F) {
	s, other := signer(1), signer(2)
	for _, size := range []uint64{0, 1, 1 << 40} {
		signed, err := s.Sign(size, entry.LeafHash([]byte("x")))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(signed)
	}
	signed, err := other.Sign(7, entry.Hash{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add([]byte("\n\n— x y\n"))
	f.Fuzz(func(t *testing.T, note []byte) {
		c, err := proof.OpenCheckpoint(note, s.VerifierKey())
		u, err2 := proof.ParseCheckpointUnverified(note)
		if err != nil && !errors.Is(err, proof.ErrCheckpoint) || err2 != nil && !errors.Is(err2, proof.ErrCheckpoint) {
			t.Fatal(err, err2)
		}
		if err != nil {
			return
		}
		want, err := s.Sign(c.Size, c.Root)
		if err != nil || !bytes.HasPrefix(note, bytes.SplitAfter(want, []byte("\n\n"))[0]) ||
			!bytes.Contains(note, bytes.SplitAfter(want, []byte("\n\n"))[1]) {
			t.Fatalf("taken, but it is not what the signer signs: %q", note)
		}
		if err2 != nil || !reflect.DeepEqual(u, c) {
			t.Fatalf("read in two ways: %+v, %+v, %v", c, u, err2)
		}
	})
}

func FuzzPathJSON(f *testing.F) {
	f.Add([]byte("[]"))
	f.Add([]byte(`[["` + entry.Hash{}.String() + `","left"],["` + entry.Hash{}.String() + `","right"]]`))
	f.Add([]byte(`[["x","left"]]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p proof.Path
		if err := json.Unmarshal(raw, &p); err != nil {
			return
		}
		written, err := json.Marshal(p)
		var back proof.Path
		if err == nil {
			err = json.Unmarshal(written, &back)
		}
		if err != nil || !slices.Equal(back, p) {
			t.Fatalf("%s: %v", written, err)
		}
	})
}
