package secrets

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"math/rand"
	"os/exec"
	"testing"

	"github.com/sealstream/sealstream/pkg/redact"
)

var every = flag.Bool("every", false, "Compare the Python SDK with package redact on every ordinary line.")

// filter redacts each line, a JSON string, as text; one that begins with ! is JSON text itself behind it.
const filter = `
import json, sys
import sealstream_redact as r
for line in sys.stdin:
    text = json.loads(line)
    out, found = r.redact_json(text[1:], "/data") if text[:1] == "!" else r.redact_text(text)
    print(json.dumps([out, [list(f) for f in found] if text[:1] == "!" else found]))
`

// TestPython: the Python SDK finds what package redact finds, in texts with secrets, in ordinary
// ones, and in pieces of both.
func TestPython(t *testing.T) {
	s := set(t)
	var texts []string
	r := rand.New(rand.NewSource(1))
	for i, rule := range rules(t) {
		if rule.Regex == nil {
			continue
		}
		for _, sec := range generate(t, rule, int64(1000+i)) {
			at := surroundings[r.Intn(len(surroundings))]
			texts = append(texts, at[0]+sec.text+at[1])
		}
	}
	for i, line := range ordinary(t) {
		if *every || i%8 == 0 {
			texts = append(texts, line)
		}
	}
	for n := len(texts); len(texts) < n+3000; { // pieces side by side
		a, b := []rune(texts[r.Intn(n)]), []rune(texts[r.Intn(n)])
		i, j := r.Intn(len(a)+1), r.Intn(len(b)+1)
		texts = append(texts, string(a[:min(i, 200)])+string(b[j:min(len(b), j+200)]))
	}
	var in bytes.Buffer
	var kept []string
	for k, text := range texts {
		if k%4 == 0 {
			q, err := json.Marshal(map[string]any{
				"a": text, "b": []any{text, 4242424242424242, map[string]string{"name": "X_TOKEN", "value": text}},
			})
			if err != nil {
				t.Fatal(err)
			}
			text = "!" + string(q)
		} else if text == "" || text[0] == '!' {
			continue
		}
		line, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line, &text); err != nil { // what is no UTF-8 becomes so
			t.Fatal(err)
		}
		kept = append(kept, text)
		in.Write(append(line, '\n'))
	}
	python := exec.Command("python3", "-c", filter)
	python.Dir, python.Stdin = "../../../sdk/python", &in
	var complaint bytes.Buffer
	python.Stderr = &complaint
	out, err := python.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, complaint.Bytes())
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<24)
	different := 0
	for _, text := range kept {
		if !lines.Scan() {
			t.Fatal("too few lines")
		}
		var have [2]any
		if err := json.Unmarshal(lines.Bytes(), &have); err != nil {
			t.Fatal(err)
		}
		want := redacted(s, text)
		if a, b := compact(t, have), compact(t, want); a != b {
			if different++; different < 20 {
				t.Errorf("%q\n python %s\n go     %s", text, a, b)
			}
		}
	}
	t.Logf("%d of %d differ", different, len(kept))
}

func redacted(s *redact.Set, text string) [2]any {
	found := []any{}
	if text[0] == '!' {
		out, list := s.JSON([]byte(text[1:]), "/data")
		for _, f := range list {
			found = append(found, []any{f.Kind, f.Path})
		}
		return [2]any{string(out), found}
	}
	out, kinds := s.Text([]byte(text))
	for _, k := range kinds {
		found = append(found, k)
	}
	return [2]any{string(out), found}
}

func compact(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
