package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/eventgen"
)

// TestVerifiersAgree gives random exports, whole and filtered, good and bad, to both verifiers:
// what one takes, the other must take, and where they refuse, they must name the same index.
func TestVerifiersAgree(t *testing.T) {
	exports := 300
	switch {
	case os.Getenv("SEALSTREAM_EXHAUSTIVE") != "":
		exports = 1000
	case testing.Short():
		exports = 40
	}
	var bases []baseExport
	for seed := range uint64(6) {
		bases = append(bases, generatedExports(t, seed)...)
	}
	var group sync.WaitGroup
	var good, bad, same int
	var mu sync.Mutex
	slots := make(chan struct{}, 2)
	dir := t.TempDir()
	for n := range exports {
		r := rand.New(rand.NewPCG(uint64(n), 1))
		base := bases[r.IntN(len(bases))]
		text, how := base.text, "untouched"
		if r.IntN(4) > 0 {
			text, how = mutate(r, text)
		}
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			goValid, goIndex, goErr := auditGo(text, base.key)
			pyValid, pyIndex, pyErr := auditPython(t, filepath.Join(dir, fmt.Sprint(n)), text, base.key)
			if goValid != pyValid {
				t.Errorf("export %d, %s: Go says %v (%v), Python %v (%s)", n, how, goValid, goErr, pyValid, pyErr)
			}
			mu.Lock()
			defer mu.Unlock()
			if goValid {
				good++
				return
			}
			bad++
			if goIndex != nil && pyIndex != nil && *goIndex == *pyIndex {
				same++
			} else if goIndex != nil && pyIndex != nil && !strings.Contains(how, "line 0") {
				// A spoiled manifest may contradict itself in several ways at once, and either may
				// name the first that it meets.
				t.Errorf("export %d, %s: first bad index: Go %d (%v), Python %d (%s)", n, how, *goIndex, goErr,
					*pyIndex, pyErr)
			}
		})
	}
	group.Wait()
	if good < exports/10 || bad < exports/4 {
		t.Fatalf("%d good and %d bad exports: too few of one kind to mean something", good, bad)
	}
	t.Logf("%d good, %d bad, of which both name the index in %d", good, bad, same)
}

type baseExport struct {
	text []byte
	key  string
}

// generatedExports seals generated events and exports them whole, and by filters.
func generatedExports(t *testing.T, seed uint64) []baseExport {
	t.Helper()
	l, err := Embedded(t.Context(), EmbedConfig{Plugins: withPlugins})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	g := eventgen.New(seed, eventgen.Options{})
	var events [][]byte
	for range 10 + 10*seed {
		ev := g.Event()
		events = append(events, ev.AppendJSON(nil))
	}
	events = append(events, events[:3]...) // repeats
	body := append(append([]byte("["), bytes.Join(events, []byte(","))...), ']')
	req := httptest.NewRequest(http.MethodPost, "/v1/events?wait=sealed", bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/cloudevents-batch+json")
	w := httptest.NewRecorder()
	l.Handler().ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if err := l.pipeline.query.Await(t.Context(), l.pipeline.sealer.Status().Size); err != nil {
		t.Fatal(err)
	}
	var list []baseExport
	for _, q := range []url.Values{
		nil, {"outcome": {"success", "denied"}}, {"type": {"tool_invocation"}}, {"agent": {"nobody"}},
	} {
		w := httptest.NewRecorder()
		l.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/export?"+q.Encode(), nil))
		if w.Code != http.StatusOK {
			t.Fatalf("export: status %d: %s", w.Code, w.Body)
		}
		list = append(list, baseExport{w.Body.Bytes(), l.Key()})
	}
	return list
}

// mutate changes an export in one of the ways in which files are changed.
func mutate(r *rand.Rand, text []byte) ([]byte, string) {
	lines := bytes.SplitAfter(bytes.Clone(text), []byte("\n"))
	lines = lines[:len(lines)-1]
	i := r.IntN(len(lines))
	switch r.IntN(9) {
	case 0:
		at := r.IntN(len(lines[i]))
		lines[i][at] ^= 1 << r.IntN(8)
		return bytes.Join(lines, nil), fmt.Sprintf("bit flip in line %d at %d", i, at)
	case 1:
		lines = append(lines[:i], lines[i+1:]...)
		return bytes.Join(lines, nil), fmt.Sprintf("line %d dropped", i)
	case 2:
		lines = append(lines[:i+1], lines[i:]...)
		return bytes.Join(lines, nil), fmt.Sprintf("line %d doubled", i)
	case 3:
		j := r.IntN(len(lines))
		lines[i], lines[j] = lines[j], lines[i]
		return bytes.Join(lines, nil), fmt.Sprintf("lines %d and %d swapped", i, j)
	case 4:
		at := r.IntN(len(text))
		return text[:at], fmt.Sprintf("cut at %d", at)
	case 5:
		return replaceIn(lines, i, `"data_raw":"`, `"data_raw":"x`)
	case 6:
		return replaceIn(lines, i, `\"outcome\":\"success\"`, `\"outcome\":\"denied\"`)
	case 7:
		return replaceIn(lines, 0, `"count":`, `"count":1`)
	}
	return replaceIn(lines, i, `"salt":"`, `"salt":"0`)
}

func replaceIn(lines [][]byte, i int, old, new string) ([]byte, string) {
	lines[i] = bytes.Replace(lines[i], []byte(old), []byte(new), 1)
	return bytes.Join(lines, nil), fmt.Sprintf("line %d: %s becomes %s", i, old, new)
}

func auditGo(text []byte, key string) (valid bool, index *uint64, err error) {
	_, err = audit.Export(audit.Config{Keys: []string{key}}, func(yield func([]byte, error) bool) {
		for line := range bytes.Lines(text) {
			if !yield(bytes.TrimSuffix(line, []byte("\n")), nil) {
				return
			}
		}
	})
	if bad, ok := errors.AsType[*audit.MismatchError](err); ok {
		index = &bad.Index
	}
	return err == nil, index, err
}

func auditPython(t *testing.T, file string, text []byte, key string) (valid bool, index *uint64, why string) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Error(err)
		return false, nil, ""
	}
	out, err := exec.Command("python3", "../../sdk/python/sealstream_verify.py", "export", file, "--key", key,
		"--json").Output()
	exit, failed := errors.AsType[*exec.ExitError](err)
	if err != nil && !failed || failed && exit.ExitCode() > 2 {
		t.Errorf("Python: %v", err)
	}
	var answer struct {
		Valid bool
		Error string
		Index *uint64 `json:"first_bad_index"`
	}
	if len(bytes.TrimSpace(out)) > 0 {
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Errorf("Python: %v: %s", err, out)
		}
	}
	if answer.Valid != (err == nil) {
		t.Errorf("Python: says valid %v, exits with %v", answer.Valid, err)
	}
	return answer.Valid, answer.Index, answer.Error
}
