package conformance_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// The vectors of testdata/vectors are made here, from fixed keys, secrets and times, and checked
// against the code. Each file has a maker, which says by hand what is to come out where that is
// possible, and a check, which knows nothing of the maker and reads the committed file as any other
// implementation would.
var update = flag.Bool("update", false, "write the vectors anew")

const vectorDir = "vectors"

// vectors compares a file with what its maker makes, or writes it, and returns what the file says.
func vectors[T any](t *testing.T, file string, made T) T {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(made); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(vectorDir, filepath.FromSlash(file))
	golden(t, name, b.Bytes())
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var read T
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&read); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return read
}

// golden compares a file with the bytes that it should have, or writes it.
func golden(t *testing.T, name string, made []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, made) {
		t.Errorf("%s is not what its maker makes now (%s); a change of vectors is a change of the format", name,
			firstDifference(have, made))
	}
}

func firstDifference(a, b []byte) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	part := func(x []byte) []byte { return x[max(0, i-60):min(len(x), i+60)] }
	return fmt.Sprintf("at byte %d: %q, made %q", i, part(a), part(b))
}

// blob is bytes as the README's conventions write them.
type blob []byte

func (b blob) MarshalJSON() ([]byte, error) {
	if unit, at, n := longestRun(b); n >= 512 {
		parts := []any{b[:at], map[string]any{"repeat": unit, "times": n}, b[at+n*len(unit):]}
		return marshal(parts)
	}
	if utf8.Valid(b) {
		return marshal(string(b))
	}
	return marshal(map[string]string{"base64": base64.StdEncoding.EncodeToString(b)})
}

// longestRun finds the longest repetition of one byte, or of one of the units that the vectors repeat.
func longestRun(b []byte) (unit blob, at, n int) {
	for _, u := range []string{"", "é"} {
		for i := 0; i < len(b); i++ {
			w := []byte(u)
			if u == "" {
				w = b[i : i+1]
			}
			k := 0
			for bytes.HasPrefix(b[i+k*len(w):], w) {
				k++
			}
			if k > n {
				unit, at, n = blob(w), i, k
			}
			if k > 1 {
				i += k*len(w) - 1
			}
		}
	}
	return unit, at, n
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

func (b *blob) UnmarshalJSON(raw []byte) error {
	var s string
	var parts []blob
	var object struct {
		Base64 *string
		Repeat blob
		Times  int
	}
	switch {
	case raw[0] == '"':
		err := json.Unmarshal(raw, &s)
		*b = blob(s)
		return err
	case raw[0] == '[':
		if err := json.Unmarshal(raw, &parts); err != nil {
			return err
		}
		*b = blob{}
		for _, p := range parts {
			*b = append(*b, p...)
		}
		return nil
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return err
	}
	if object.Base64 == nil {
		*b = bytes.Repeat(object.Repeat, object.Times)
		return nil
	}
	v, err := base64.StdEncoding.DecodeString(*object.Base64)
	*b = v
	return err
}

// vectorKey signs for a log with a key whose seed is one byte, 32 times over.
func vectorKey(t testing.TB, host, log string, fill byte) *proof.Signer {
	t.Helper()
	seed := bytes.Repeat([]byte{fill}, ed25519.SeedSize)
	origin := proof.Origin(host, log, ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
	s, err := proof.NewSigner(vectorSKey(origin, seed))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// vectorVKey and vectorSKey are note keys, as c2sp.org/signed-note and golang.org/x/mod write them.
func vectorVKey(name string, seed []byte) string {
	pub := append([]byte{1}, ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)...)
	return fmt.Sprintf("%s+%x+%s", name, sha(name, "\n", pub)[:4], base64.StdEncoding.EncodeToString(pub))
}

func vectorSKey(name string, seed []byte) string {
	id := strings.Split(vectorVKey(name, seed), "+")[1]
	return "PRIVATE+KEY+" + name + "+" + id + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, seed...))
}

// vectorSecret is the log secret of all vectors: the bytes 0 to 31.
var vectorSecret = func() []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}()

// header is headers as the vectors list them.
type header [][2]string

func (h header) message(subject string, body []byte) entry.Message {
	m := entry.Message{Subject: subject, Data: body, Header: entry.Header{}}
	for _, nv := range h {
		m.Header[nv[0]] = append(m.Header[nv[0]], nv[1])
	}
	return m
}

func unique(t *testing.T, list string, names ...string) {
	t.Helper()
	seen := map[string]bool{}
	for _, n := range names {
		if n == "" || seen[n] {
			t.Errorf("%s: name %q is empty or not unique", list, n)
		}
		seen[n] = true
	}
}
