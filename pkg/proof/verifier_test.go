package proof_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestVerifierForgets: what is no note under the keys takes no memory, and does not displace what is.
func TestVerifierForgets(t *testing.T) {
	v, err := proof.NewVerifier(logtest.Signer(t, logtest.Name).VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	const size, notes = 4 << 20, 32
	before := heap()
	for i := range notes {
		if _, _, err := v.Open([]byte(strings.Repeat("x", size+i))); err == nil {
			t.Fatal("opened")
		}
	}
	if after := heap(); after > before+notes/4*size {
		t.Errorf("%d bytes are held", after-before)
	}
	runtime.KeepAlive(v)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
