package witness

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/cosign"
	"github.com/sealstream/sealstream/internal/logtest/keytest"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// logOf is a log of another kind: a tree, and a key that signs whatever it is asked to.
type logOf struct {
	t      testing.TB
	signer *proof.Signer
	tree   merkle.Tree
}

func newLog(t testing.TB) *logOf {
	s := keytest.Signer(t, "log.example", "default")
	return &logOf{t: t, signer: s}
}

func (l *logOf) grow(n int, text string) {
	for range n {
		l.tree.Append(entry.LeafHash(fmt.Appendf(nil, "%s %d", text, l.tree.Size())))
	}
}

func (l *logOf) note(size uint64) []byte {
	l.t.Helper()
	root, err := l.tree.Root(size)
	if err != nil {
		l.t.Fatal(err)
	}
	n, err := l.signer.Sign(size, root)
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

func (l *logOf) submit(old, size uint64) []byte {
	l.t.Helper()
	hashes, err := proof.Consistency(old, size, &l.tree)
	if err != nil {
		l.t.Fatal(err)
	}
	return Submission{old, hashes, l.note(size)}.Format()
}

func newWitness(t testing.TB, state string, c *cosign.Cosigner, logs ...string) *Witness {
	t.Helper()
	w, err := New(Config{
		Cosigner: c, Logs: logs, State: state, Now: func() time.Time { return time.Unix(1_800_000_000, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func newCosigner(t testing.TB, name string) *cosign.Cosigner {
	t.Helper()
	skey, _, err := cosign.GenerateKey(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cosign.New(skey)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// policyOf asks for k of cosigners, each at its URL, if any.
func policyOf(t testing.TB, k int, cosigners []*cosign.Cosigner, urls ...string) *proof.Policy {
	t.Helper()
	var b strings.Builder
	names := ""
	for i, c := range cosigners {
		url := ""
		if i < len(urls) {
			url = urls[i]
		}
		fmt.Fprintf(&b, "witness w%d %s %s\n", i, c.VerifierKey(), url)
		names += fmt.Sprintf(" w%d", i)
	}
	fmt.Fprintf(&b, "group all-of-them %d%s\nquorum all-of-them\n", k, names)
	p, err := proof.ParsePolicy([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAdd: the answers of the protocol, and that only growth is signed.
func TestAdd(t *testing.T) {
	l, other := newLog(t), newLog(t)
	l.grow(20, "leaf")
	other.grow(20, "leaf")
	c := newCosigner(t, "witness.example/w")
	policy := policyOf(t, 1, []*cosign.Cosigner{c})
	w := newWitness(t, filepath.Join(t.TempDir(), "state"), c, l.signer.VerifierKey())
	good := func(old, size uint64) {
		t.Helper()
		line, err := w.Add(l.submit(old, size))
		if err != nil {
			t.Fatalf("%d to %d: %v", old, size, err)
		}
		note, added := policy.AddCosignatures(l.note(size), line)
		if by, err := policy.Cosigned(note); err != nil || added != 1 || !by.Quorum || by.By[0].Time != 1_800_000_000 {
			t.Fatalf("%d to %d: cosigned %+v, added %d, %v", old, size, by, added, err)
		}
		if kept, ok := w.Newest(l.signer.Origin()); !ok || !bytes.Contains(kept, line) && old != size {
			t.Fatalf("kept %q", kept)
		}
	}
	bad := func(name string, body []byte, want error) {
		t.Helper()
		before, _ := w.Newest(l.signer.Origin())
		line, err := w.Add(body)
		if line != nil || err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %q, %v; want %v", name, line, err, want)
		}
		if after, _ := w.Newest(l.signer.Origin()); !bytes.Equal(before, after) {
			t.Errorf("%s: the state has changed", name)
		}
	}
	conflict := func(name string, body []byte, size uint64, fork bool) {
		t.Helper()
		bad(name, body, nil)
		_, err := w.Add(body)
		if e, ok := errors.AsType[*ConflictError](err); !ok || e.Size != size || e.Fork != fork {
			t.Errorf("%s: %v, want a conflict with size %d, fork %v", name, err, size, fork)
		}
	}

	bad("unknown log", other.submit(0, 5), ErrUnknownLog)
	conflict("nothing is known yet", l.submit(3, 5), 0, false)
	good(0, 5)
	good(5, 5)
	good(5, 8)
	conflict("old size of before", l.submit(5, 9), 8, false)
	conflict("roll-back", l.submit(0, 5), 8, false)
	bad("old beyond the checkpoint", Submission{8, nil, l.note(7)}.Format(), ErrOld)
	bad("no proof", Submission{8, nil, l.note(12)}.Format(), ErrInconsistent)
	bad("unsigned", bytes.Replace(l.submit(8, 12), []byte("\n12\n"), []byte("\n13\n"), 1), ErrUnsigned)

	fork := &logOf{t: t, signer: l.signer}
	fork.grow(20, "other")
	conflict("another root of the same size", Submission{8, nil, fork.note(8)}.Format(), 8, true)
	bad("a fork that has grown", fork.submit(8, 15), ErrInconsistent)
	bad("a fork with the right log's proof", func() []byte {
		s, err := ParseSubmission(l.submit(8, 15))
		if err != nil {
			t.Fatal(err)
		}
		s.Note = fork.note(15)
		return s.Format()
	}(), ErrInconsistent)
	if raw, err := os.ReadFile(w.cfg.State + ".forks"); err != nil || bytes.Count(raw, []byte("\n")) == 0 {
		t.Errorf("evidence of the fork: %q, %v", raw, err)
	}
	for _, body := range []string{"", "old 8", "old 08\n\n" + string(l.note(12)), "old -1\n\n" + string(l.note(12)),
		"old 8\nAAA=\n\n" + string(l.note(12)),
		"old 8\n\nnothing\n", "old 8\n" + strings.Repeat("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", 64) + "\n" + string(l.note(12))} {
		bad(fmt.Sprintf("%.30q", body), []byte(body), errSubmission)
	}
	good(8, 20)
}

// TestStateIsKept: a witness that was stopped goes on where it was; one whose state is damaged, or
// another's, does not start.
func TestStateIsKept(t *testing.T) {
	l, c, path := newLog(t), newCosigner(t, "witness.example/w"), filepath.Join(t.TempDir(), "state")
	l.grow(9, "leaf")
	if _, err := newWitness(t, path, c, l.signer.VerifierKey()).Add(l.submit(0, 6)); err != nil {
		t.Fatal(err)
	}
	w := newWitness(t, path, c, l.signer.VerifierKey())
	if _, err := w.Add(l.submit(0, 9)); err == nil {
		t.Error("a witness has forgotten what it cosigned")
	}
	if _, err := w.Add(l.submit(6, 9)); err != nil {
		t.Error(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	start := func(c *cosign.Cosigner, content []byte) error {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := New(Config{Cosigner: c, Logs: []string{l.signer.VerifierKey()}, State: path})
		return err
	}
	if err := start(newCosigner(t, "witness.example/w"), raw); err == nil {
		t.Error("another witness has taken the state over")
	}
	for name, content := range map[string][]byte{"empty": nil, "cut": raw[:len(raw)/2],
		"size":    bytes.Replace(raw, []byte(`"size": 9`), []byte(`"size": 3`), 1),
		"version": bytes.Replace(raw, []byte(`witness": 1`), []byte(`witness": 2`), 1)} {
		if err := start(c, content); err == nil {
			t.Errorf("%s: a damaged state was taken", name)
		}
	}
	if err := start(c, raw); err != nil {
		t.Error(err)
	}
	// A state that cannot be written is not answered for.
	blocked := newWitness(t, path, c, l.signer.VerifierKey())
	blocked.cfg.State = filepath.Join(t.TempDir(), "gone", "state")
	l.grow(3, "leaf")
	if line, err := blocked.Add(l.submit(9, 12)); err == nil {
		t.Errorf("cosigned without remembering: %q", line)
	}
	blocked.cfg.State = path
	if _, err := blocked.Add(l.submit(9, 12)); err != nil {
		t.Error(err)
	}
}

// TestRace: of many submissions at once, those that are signed make one line of growth.
func TestRace(t *testing.T) {
	l, c := newLog(t), newCosigner(t, "witness.example/w")
	l.grow(64, "leaf")
	w := newWitness(t, filepath.Join(t.TempDir(), "state"), c, l.signer.VerifierKey())
	if _, err := w.Add(l.submit(0, 1)); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	next := map[uint64]uint64{} // size that was signed after another
	var group sync.WaitGroup
	for size := uint64(2); size <= 64; size++ {
		for _, old := range []uint64{1, size - 1} {
			body := l.submit(old, size)
			group.Go(func() {
				if _, err := w.Add(body); err == nil {
					mu.Lock()
					defer mu.Unlock()
					if other, twice := next[old]; twice && other != size {
						t.Errorf("from %d, both %d and %d were cosigned", old, other, size)
					}
					next[old] = size
				}
			})
		}
	}
	group.Wait()
	if len(next) == 0 {
		t.Error("nothing was cosigned")
	}
}

// TestForeignCheckpoints: logs of others may have extension lines and further signatures.
func TestForeignCheckpoints(t *testing.T) {
	note := []byte("example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n" +
		"extension\n\n" +
		"\u2014 example.com/behind-the-sofa " +
		"Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n" +
		"\u2014 other opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n")
	s, err := ParseSubmission(Submission{20852014, []entry.Hash{{1}}, note}.Format())
	if err != nil || s.Old != 20852014 || len(s.Proof) != 1 || !bytes.Equal(s.Note, note) {
		t.Fatalf("%+v %v", s, err)
	}
	cp, err := proof.ParseForeignCheckpoint(note)
	if err != nil || cp.Size != 20852163 || cp.Origin != "example.com/behind-the-sofa" {
		t.Errorf("%+v %v", cp, err)
	}
	kept, err := logSigned(note)
	if err != nil || bytes.Contains(kept, []byte("other")) ||
		!bytes.Contains(kept, []byte("extension\n\n\u2014 example.com")) {
		t.Errorf("%q %v", kept, err)
	}
}

func FuzzParseSubmission(f *testing.F) {
	l := newLog(f)
	l.grow(9, "leaf")
	f.Add(l.submit(3, 9))
	f.Add(l.submit(0, 5))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := ParseSubmission(body)
		if err == nil && !bytes.Equal(s.Format(), body) {
			t.Errorf("%q is read, but written as %q", body, s.Format())
		}
	})
}
