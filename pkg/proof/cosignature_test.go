package proof_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/cosign"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/proof"
)

func cosigner(t testing.TB, name string) *cosign.Cosigner {
	t.Helper()
	skey, vkey, err := cosign.GenerateKey(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cosign.New(skey)
	if err != nil {
		t.Fatal(err)
	}
	if c.VerifierKey() != vkey || c.Name() != name || !isKey(vkey) {
		t.Fatalf("%s is not the key of %s", c.VerifierKey(), vkey)
	}
	return c
}

func cosignAll(t testing.TB, note []byte, at uint64, list ...*cosign.Cosigner) []byte {
	t.Helper()
	note = bytes.Clone(note)
	for _, c := range list {
		line, err := c.Cosign(note, at)
		if err != nil {
			t.Fatal(err)
		}
		note = append(note, line...)
	}
	return note
}

func policy(t testing.TB, text string) *proof.Policy {
	t.Helper()
	p, err := proof.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func signedNote(t testing.TB) (note []byte, s *proof.Signer) {
	t.Helper()
	skey, _, err := proof.GenerateKey("log.example", "default")
	if err != nil {
		t.Fatal(err)
	}
	if s, err = proof.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	if note, err = s.Sign(7, merkle.EmptyRoot); err != nil {
		t.Fatal(err)
	}
	return note, s
}

// TestQuorum: who has cosigned decides, by every subset of the witnesses of the format's own example.
func TestQuorum(t *testing.T) {
	var list []*cosign.Cosigner
	var text strings.Builder
	for _, name := range []string{"X1", "X2", "X3", "Y1", "Y2", "Y3"} {
		list = append(list, cosigner(t, "same.example/name")) // names may be equal; keys tell
		fmt.Fprintf(&text, "witness %s %s\n", name, list[len(list)-1].VerifierKey())
	}
	p := policy(t,
		text.String()+"group X 2 X1 X2 X3\n\tgroup Y any Y1 Y2 Y3 \n# both\ngroup X-and-Y all X Y\nquorum X-and-Y\n")
	note, s := signedNote(t)
	for set := range 1 << 6 {
		signed, x, y := note, 0, 0
		for i, c := range list {
			if set>>i&1 == 1 {
				signed = cosignAll(t, signed, uint64(1000+i), c)
				if i < 3 {
					x++
				} else {
					y++
				}
			}
		}
		got, err := p.Cosigned(signed)
		if err != nil || got.Quorum != (x >= 2 && y >= 1) || len(got.By) != x+y {
			t.Fatalf("set %06b: %+v %v", set, got, err)
		}
		for i, w := range p.Witnesses {
			if at, ok := got.Time(w); ok != (set>>i&1 == 1) || ok && at != uint64(1000+i) {
				t.Fatalf("set %06b: witness %s: %d %v", set, w.Name, at, ok)
			}
		}
		if _, err := proof.OpenCheckpoint(signed, s.VerifierKey()); err != nil {
			t.Fatalf("a cosigned checkpoint is not opened with the log's key: %v", err)
		}
	}
}

// TestCosignatureFlips: no bit of a cosignature line, or of the text, can be changed without the
// cosignature being lost or refused.
func TestCosignatureFlips(t *testing.T) {
	c := cosigner(t, "witness.example/w")
	p := policy(t, "witness w "+c.VerifierKey()+"\nquorum w\n")
	note, _ := signedNote(t)
	signed := cosignAll(t, note, 1_800_000_000, c)
	logLine := bytes.Index(signed, []byte("\n\n")) + 2
	flips := 0
	for i := range signed {
		if i >= logLine && i < len(note) {
			continue // the log's own line is OpenCheckpoint's
		}
		for bit := range 8 {
			changed := bytes.Clone(signed)
			changed[i] ^= 1 << bit
			flips++
			if got, err := p.Cosigned(changed); err == nil && got.Quorum {
				t.Errorf("bit %d of byte %d: still cosigned: %q", bit, i, changed)
			}
		}
	}
	t.Logf("%d flips, none passes", flips)
}

// TestAddCosignatures: of an answer only what is the policy's own is taken, once.
func TestAddCosignatures(t *testing.T) {
	a, b, stranger := cosigner(t, "a"), cosigner(t, "b"), cosigner(t, "c")
	p := policy(t, "witness a "+a.VerifierKey()+"\nwitness b "+b.VerifierKey()+"\ngroup both all a b\nquorum both\n")
	note, s := signedNote(t)
	other, err := s.Sign(8, merkle.EmptyRoot)
	if err != nil {
		t.Fatal(err)
	}
	lines := func(note []byte, list ...*cosign.Cosigner) []byte { return cosignAll(t, note, 5, list...)[len(note):] }
	answer := bytes.Join([][]byte{lines(note, stranger, a), []byte("rubbish\n\n\u2014 a AAAA\n"), lines(other, b),
		lines(note, a)}, nil)
	one, added := p.AddCosignatures(note, answer)
	if got, err := p.Cosigned(one); err != nil || added != 1 || len(got.By) != 1 || got.Quorum ||
		!bytes.Equal(one, cosignAll(t, note, 5, a)) {
		t.Errorf("%q: %+v %v", one, got, err)
	}
	two, added := p.AddCosignatures(one, append(answer, lines(note, b)...))
	if got, err := p.Cosigned(two); err != nil || added != 1 || !got.Quorum {
		t.Errorf("%q: %+v %v", two, got, err)
	}
	if again, added := p.AddCosignatures(two, lines(note, a, b)); added != 0 || !bytes.Equal(again, two) {
		t.Errorf("%q", again)
	}
}

func TestParsePolicy(t *testing.T) {
	_, s := signedNote(t)
	w1, w2 := cosigner(t, "w1").VerifierKey(), cosigner(t, "w2").VerifierKey()
	good := "log " + s.VerifierKey() + " https://log.example/\nwitness a " + w1 + "  https://w.example/x \nwitness b " +
		w2 + "\ngroup g 1 a b\nquorum g"
	p := policy(t, good)
	if len(p.LogKeys()) != 1 || p.LogKeys()[0] != s.VerifierKey() || p.Witnesses[0].URL != "https://w.example/x" ||
		p.Witnesses[1].URL != "" || p.Quorum != "g" || p.Witnesses[0].KeyName() != "w1" {
		t.Errorf("%+v", p)
	}
	if p := policy(t, "quorum none\n"); len(p.Witnesses) != 0 {
		t.Errorf("%+v", p)
	} else if got, err := p.Cosigned([]byte("x\n\n\u2014 x AAAAAAAA\n")); err != nil || !got.Quorum {
		t.Errorf("%+v %v", got, err)
	}
	a, b := "witness a "+w1+"\n", "witness b "+w2+"\n"
	renamed := "other" + w1[strings.IndexByte(w1, '+'):]
	for _, bad := range []string{
		"", a, a + "quorum b\n", "quorum a\n" + a, a + "quorum a\nquorum a\n", a + a + "quorum a\n", a + "witness b " + w1 + "\nquorum a\n",
		a + "witness b " + renamed + "\nquorum a\n", "witness none " + w1 + "\nquorum none\n", a + "group a all a\nquorum a\n",
		a + "group g 0 a\nquorum g\n", a + "group g 2 a\nquorum g\n", a + "group g 01 a\nquorum g\n", a + "group g all\nquorum g\n",
		a + "group g all none\nquorum g\n", a + b + "group g all a a\nquorum g\n", a + b + "group g all a\ngroup h all a b\nquorum h\n",
		a + "quorum a b\n", a + "qourum a\n", "log\nquorum none\n", "log " + w1 + "\nquorum none\n", "witness a " + s.VerifierKey() + "\nquorum a\n",
		"witness a\nquorum a\n", a + "quorum a\r\n", a + "quorum a\x00\n", "log " + s.VerifierKey() + "\nlog " + s.VerifierKey() + "\nquorum none\n",
		"witness a w1+00000000+" + w1[strings.LastIndexByte(w1[:20], '+')+1:] + "\nquorum a\n",
	} {
		if _, err := proof.ParsePolicy([]byte(bad)); !errors.Is(err, proof.ErrPolicy) {
			t.Errorf("%q: %v, want ErrPolicy", bad, err)
		}
	}
}

func TestCosignerKeys(t *testing.T) {
	for _, name := range []string{"", "a b", "a+b", "a\nb", "\xff"} {
		if _, _, err := cosign.GenerateKey(name); err == nil {
			t.Errorf("a key named %q", name)
		}
	}
	skey, _, err := cosign.GenerateKey("w")
	if err != nil {
		t.Fatal(err)
	}
	_, s := signedNote(t)
	for _, bad := range []string{
		"", skey[1:], skey[:len(skey)-4], skey + "A", s.VerifierKey(), strings.Replace(skey, "+w+", "+v+", 1),
	} {
		if _, err := cosign.New(bad); !errors.Is(err, cosign.Err) {
			t.Errorf("%q: %v", bad, err)
		} else if strings.Contains(err.Error(), skey[len(skey)-20:]) {
			t.Error("the error shows the secret")
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	c := cosigner(f, "w")
	_, s := signedNote(f)
	f.Add("log " + s.VerifierKey() + "\nwitness a " + c.VerifierKey() + " http://x\ngroup g 1 a\nquorum g\n")
	f.Add("quorum none\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := proof.ParsePolicy([]byte(text))
		if err != nil {
			return
		}
		if got, err := p.Cosigned([]byte("a\n0\n\n\u2014 b AAAAAAAA\n")); err == nil &&
			got.Quorum != (p.Quorum == "none") {
			t.Errorf("%q: nobody has cosigned, and that is enough", text)
		}
	})
}

func isKey(vkey string) bool {
	_, err := cosign.ParseKey(vkey)
	return err == nil
}
