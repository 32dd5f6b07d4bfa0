package compliance_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/compliance"
	"github.com/sealstream/sealstream/pkg/proof"
)

// liar is a server that changes questions and answers.
type liar struct {
	http.Handler
	ask    func(r *http.Request)                       // nil: the question stays
	answer func(r *http.Request, answer string) string // nil: the answer stays
}

func (l liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := r.Clone(r.Context())
	if l.ask != nil {
		l.ask(asked)
	}
	got := httptest.NewRecorder()
	l.Handler.ServeHTTP(got, asked)
	text := got.Body.String()
	if l.answer != nil {
		text = l.answer(r, text)
	}
	w.WriteHeader(got.Code)
	fmt.Fprint(w, text)
}

// TestLyingSource: a server that shows other entries than it was asked for, forges them, proves
// others, proves them under another checkpoint, counts what it does not show, or answers for
// another log, passes no control: there is no attestation at all.
func TestLyingSource(t *testing.T) {
	fw := framework(t, "agt-legacy")
	f := newFixture(t, append(declared(t, fw), allGood()...)...)
	other := newFixture(t, append(allGood(), declared(t, fw)...)...) // the same key, the same size, another log
	if a := f.attest(fw); a.ControlsPassed == 0 {
		t.Fatal("nothing passes without lies")
	}
	path := func(p string) func(*http.Request) bool {
		return func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, p) }
	}
	entries, counts := path("/v1/entries"), path("/v1/counts")
	set := func(of func(*http.Request) bool, name, value string) func(*http.Request) {
		return func(r *http.Request) {
			if q := r.URL.Query(); of(r) && q.Has(name) {
				q.Set(name, value)
				r.URL.RawQuery = q.Encode()
			}
		}
	}
	change := func(of func(*http.Request) bool, pattern, now string) func(*http.Request, string) string {
		re := regexp.MustCompile(pattern)
		return func(r *http.Request, answer string) string {
			if !of(r) {
				return answer
			}
			return re.ReplaceAllString(answer, now)
		}
	}
	elsewhere := func(of func(*http.Request) bool) func(*http.Request, string) string {
		return func(r *http.Request, answer string) string {
			if !of(r) {
				return answer
			}
			w := httptest.NewRecorder()
			other.api.ServeHTTP(w, r)
			return w.Body.String()
		}
	}
	swapped := func(of func(*http.Request) bool) func(*http.Request, string) string {
		re, last := regexp.MustCompile(`"hashes":\[[^]]*\]`), ""
		return func(r *http.Request, answer string) string {
			if here := re.FindString(answer); of(r) && here != "" {
				if answer, last = strings.Replace(answer, here, last, 1), here; last == "" {
					return answer
				}
			}
			return answer
		}
	}
	for name, lie := range map[string]liar{
		"entries of another type":     {ask: set(entries, "type", "memory_write")},
		"more entries than asked for": {ask: set(entries, "limit", "40")},
		"entries behind the end":      {answer: change(entries, `\\"index\\":[0-9]+`, `\"index\":999`)},
		"a forged leaf":               {answer: change(entries, `\\"agent_did\\":\\"did:web:[a-z]+`, `\"agent_did\":\"did:web:forged`)},
		"a leaf that is none":         {answer: change(entries, `"leaf":"`, `"leaf":"x`)},
		"no entries":                  {answer: change(entries, `(?s).*`, `{"entries":[],"next_cursor":null}`)},
		"counts of what is not there": {answer: change(counts, `"matches":[0-9]+,"first"`, `"matches":30,"first"`)},
		"counts of nothing":           {answer: change(counts, `(?s)"matches":[1-9][0-9]*,"first"`, `"matches":1,"first"`)},
		"counts of more than the log": {answer: change(counts, `"matches":[0-9]+,"first"`, `"matches":99999,"first"`)},
		"counts of another size":      {answer: change(counts, `"tree_size":[0-9]+`, `"tree_size":7`)},
		"another page's proof":        {answer: swapped(entries)},
		"a proof of another hash":     {answer: change(entries, `("hashes":\[")[0-9a-f]{8}`, `${1}00000000`)},
		"a proof without hashes":      {answer: change(entries, `"hashes":\[[^]]*\]`, `"hashes":[]`)},
		"no proof":                    {answer: change(entries, `,"proof":.*`, `}`)},
		"a proof of another size":     {ask: set(entries, "size", "1")},
		"entries of another log":      {answer: elsewhere(entries)},
		"another log's checkpoint":    {answer: elsewhere(path("/checkpoint"))},
		"a checkpoint of its own":     {answer: change(path("/checkpoint"), `\n[0-9]+\n`, "\n12\n")},
		"no checkpoint":               {answer: change(path("/checkpoint"), `(?s).*`, "")},
		"no JSON":                     {answer: change(counts, `(?s).*`, "{")},
	} {
		lie.Handler = f.api
		v := f.verifier(fw)
		v.Source = f.source(lie)
		if a, err := v.Verify(t.Context()); !errors.Is(err, compliance.ErrSource) && !errors.Is(err, proof.ErrProof) {
			t.Errorf("%s: %d controls pass, %v", name, a.ControlsPassed, err)
		}
	}
	short := f.verifier(fw) // a server may always give fewer entries than asked for, and say so
	short.Source = f.source(liar{Handler: f.api, ask: set(entries, "limit", "1")})
	if a, err := short.Verify(t.Context()); err != nil || a.Hash != f.attest(fw).Hash {
		t.Errorf("short pages: %d controls pass, %v", a.ControlsPassed, err)
	}
	_, foreign, err := proof.GenerateKey("other.example.com", "default")
	if err != nil {
		t.Fatal(err)
	}
	v := f.verifier(fw)
	v.Signer, v.Keys = nil, []string{foreign}
	if _, err := v.Verify(t.Context()); !errors.Is(err, compliance.ErrSource) {
		t.Errorf("another log's key: %v", err)
	}
	v.Keys = nil
	if _, err := v.Verify(t.Context()); !errors.Is(err, compliance.ErrSource) {
		t.Errorf("no key: %v", err)
	}
	v.Signer, v.Keys = f.signer, []string{foreign}
	if _, err := v.Verify(t.Context()); !errors.Is(err, compliance.ErrSigner) {
		t.Errorf("signed with a key that is none of the log's: %v", err)
	}
}

// TestGrowingLog: what comes after the checkpoint takes no place of what it covers, be it evidence,
// a declaration or a handling.
func TestGrowingLog(t *testing.T) {
	fw := framework(t, "owasp-asi-2026")
	events := append(declared(t, fw), allGood()...)
	covered := uint64(len(events) + 1)
	for range 300 {
		events = append(events, ev("late", "policy_evaluation"), ev("a", "tool_blocked", session("v"), action("deny")))
	}
	for _, e := range append(declared(t, fw), allGood()...) {
		e.ID = "late-" + e.ID
		events = append(events, e)
	}
	f := newFixture(t, events...)
	size, note := f.earlier(covered)
	a, err := f.verifier(fw).VerifyAt(t.Context(), note)
	if err != nil {
		t.Fatal(err)
	}
	if !a.Passed || a.TreeSize != size {
		t.Errorf("at size %d of %d: %d of %d", size, f.size, a.ControlsPassed, a.ControlsTotal)
	}
	for _, c := range a.Controls {
		if c.Verdict != compliance.Pass {
			t.Errorf("%s: %s %v", c.ID, c.Verdict, c.Reasons)
		}
	}
	if err := a.Check(f.signer.VerifierKey()); err != nil {
		t.Error(err)
	}
}

// earlier is the first checkpoint that covers so many entries, where the log goes on behind it.
func (f *fixture) earlier(covered uint64) (size uint64, note []byte) {
	f.Helper()
	for size = covered; size < f.size-100; size++ {
		w := httptest.NewRecorder()
		f.api.ServeHTTP(w, httptest.NewRequest(http.MethodGet, fmt.Sprint("/v1/entries/0/proof?size=", size), nil))
		if w.Code == http.StatusOK {
			p, err := proof.ParseEntryProof(w.Body.Bytes())
			if err != nil {
				f.Fatal(err)
			}
			return size, []byte(p.Checkpoint)
		}
	}
	f.Fatalf("no checkpoint from %d to %d", covered, f.size-100)
	return 0, nil
}

// TestOwnFrameworkIsNamed: an attestation under a framework that is not built in says so, whatever
// title it gives itself, and must ask for something.
func TestOwnFrameworkIsNamed(t *testing.T) {
	text := "id: own\ntitle: OWASP ASI 2026\nversion: \"1\"\ncontrols:\n  - {id: C1, name: One, remedy: do it, " +
		"evidence: [{what: something, filter: {type: [tool_invocation]}}]}\n"
	fw, err := compliance.ParseFramework([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, ev("a", "tool_invocation"))
	a := f.attest(fw)
	var out strings.Builder
	if err := a.Summary(&out); err != nil {
		t.Fatal(err)
	}
	if !a.Passed || a.BuiltIn() || !strings.Contains(out.String(), "own 1, which is not built in") ||
		!strings.Contains(a.BadgeMarkdown(), "own_framework_own") {
		t.Errorf("%s\n%s", &out, a.BadgeMarkdown())
	}
	for name, change := range map[string]func(*compliance.Attestation){
		"asks for nothing":  func(a *compliance.Attestation) { a.Controls[0].Evidence = []compliance.EvidenceFinding{} },
		"asks for no entry": func(a *compliance.Attestation) { e := &a.Controls[0].Evidence[0]; e.AtLeast, e.Agents = 0, 0 },
		"takes anything":    func(a *compliance.Attestation) { a.Controls[0].Evidence[0].Filter = api.Filter{} },
		"takes a declaration": func(a *compliance.Attestation) {
			a.Controls[0].Evidence[0].Filter.Type = []string{compliance.DeclarationType, "tool_invocation"}
		},
		"has a control twice": func(a *compliance.Attestation) {
			a.Controls = append(a.Controls, a.Controls[0])
			a.ControlsPassed, a.ControlsTotal = 2, 2
		},
		"counts what it lacks": func(a *compliance.Attestation) { a.Controls[0].Evidence[0].Matches = 0 },
		"counts too much":      func(a *compliance.Attestation) { a.Controls[0].Evidence[0].Matches = 1 << 40 },
	} {
		b := clone(t, a)
		change(&b)
		if err := b.Sign(f.signer); err != nil {
			t.Fatal(err)
		}
		if err := b.Check(f.signer.VerifierKey()); !errors.Is(err, compliance.ErrAttestation) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEmptyLog: over a log that holds nothing but its own first entry, and in a window in which
// nothing came, nothing passes, and report and page are whole.
func TestEmptyLog(t *testing.T) {
	f := newFixture(t)
	for name, w := range map[string]compliance.Window{
		"all":     {},
		"past":    {From: canonical.FormatReceived(begin.AddDate(-1, 0, 0)), To: canonical.FormatReceived(begin.AddDate(0, -1, 0))},
		"to come": {From: canonical.FormatReceived(begin.AddDate(1, 0, 0))},
	} {
		v := f.verifier(framework(t, "owasp-asi-2026"))
		v.Window = w
		r, err := v.Report(t.Context(), begin)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		conforms(t, "report", r)
		want := uint64(0)
		if name == "all" {
			want = 1
		}
		if r.Trail.TotalEntries != want || r.OWASP.Passed || r.OWASP.Controls != 0 || r.OWASP.Total != 10 ||
			r.OWASP.CoveragePct != 0 || r.Supply.Passed || r.Violations.Total != 0 {
			t.Errorf("%s: %+v %+v", name, r.Trail, r.OWASP)
		}
		var page, md strings.Builder
		if err := errors.Join(r.HTML(&page), r.Markdown(&md)); err != nil ||
			!strings.HasSuffix(page.String(), "</html>\n") {
			t.Errorf("%s: %v", name, err)
		}
		raw, err := json.Marshal(r)
		if err != nil ||
			strings.Contains(string(raw), ":null") != strings.Contains(string(raw), `"chain_integrity_error":null`) ||
			strings.Count(string(raw), ":null") != 1 {
			t.Errorf("%s: %v %s", name, err, raw)
		}
	}
}
