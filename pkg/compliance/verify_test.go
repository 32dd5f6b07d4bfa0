package compliance_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/compliance"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestAirline holds what is found in the log of a real agent to golden files: attestation, table
// and badge, of both frameworks.
func TestAirline(t *testing.T) {
	f := newFixture(t, tau(t)...)
	for _, name := range compliance.Frameworks() {
		a := f.attest(framework(t, name))
		var text bytes.Buffer
		if err := a.Summary(&text); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&text, a.BadgeMarkdown())
		golden(t, "airline-"+name+".txt", text.Bytes())
		raw, err := json.MarshalIndent(a, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "airline-"+name+".json", append(raw, '\n'))
		if a.Passed || len(a.Proofs) == 0 {
			t.Errorf("%s: passed %v with %d proofs", name, a.Passed, len(a.Proofs))
		}
	}
}

// TestAllPass is case 50 of conformance/cases_test.go (all pass): a log that has everything is
// evidence for every control of both frameworks.
func TestAllPass(t *testing.T) {
	for _, name := range compliance.Frameworks() {
		fw := framework(t, name)
		f := newFixture(t, append(append(declared(t, fw), allGood()...), ev("x", "escalation"))...)
		a := f.attest(fw)
		for _, c := range a.Controls {
			if c.Verdict != compliance.Pass {
				t.Errorf("%s %s: %s %v", name, c.ID, c.Verdict, c.Reasons)
			}
		}
		if !a.Passed || a.ControlsPassed != 10 || a.ControlsTotal != 10 || a.CoveragePct != 100 ||
			!strings.Contains(a.BadgeMarkdown(), "10%2F10") || !strings.Contains(a.BadgeMarkdown(), "-brightgreen?") {
			t.Errorf("%s: %d/%d %d%% %s", name, a.ControlsPassed, a.ControlsTotal, a.CoveragePct, a.BadgeMarkdown())
		}
	}
}

// TestDeclaredAlone is case 50 of conformance/cases_test.go (missing): ten components declared over
// a log without anything else are evidence for nothing.
func TestDeclaredAlone(t *testing.T) {
	for _, name := range compliance.Frameworks() {
		fw := framework(t, name)
		a := newFixture(t, declared(t, fw)...).attest(fw)
		if a.Passed || a.ControlsPassed != 0 || a.ControlsTotal != 10 || a.CoveragePct != 0 {
			t.Errorf("%s: %d/%d, passed %v", name, a.ControlsPassed, a.ControlsTotal, a.Passed)
		}
		for _, c := range a.Controls {
			if c.Verdict != compliance.NoEvidence || c.Declared == nil {
				t.Errorf("%s: %s, declared %v", c.ID, c.Verdict, c.Declared)
			}
		}
	}
}

// without is events but for those of a type.
func without(list []entry.Event, kind string) []entry.Event {
	return slices.DeleteFunc(slices.Clone(list), func(e entry.Event) bool {
		return e.Type == ruleset.CloudEventType(kind)
	})
}

// TestDeletedEvidence takes the evidence for one control after the other out of the log, and its verdict turns.
func TestDeletedEvidence(t *testing.T) {
	fw := framework(t, "owasp-asi-2026")
	all := append(declared(t, fw), allGood()...)
	for _, c := range []struct {
		gone, control string
		want          compliance.Verdict
	}{
		{"policy_evaluation", "ASI01", compliance.NoEvidence}, {"tool_invocation", "ASI02", compliance.Partial}, {"agent_verified", "ASI03", compliance.Partial},
		{"integrity_check", "ASI04", compliance.NoEvidence}, {"code_execution", "ASI05", compliance.Partial}, {"memory_write", "ASI06", compliance.NoEvidence},
		{"trust_handshake", "ASI07", compliance.Partial}, {"circuit_breaker", "ASI08", compliance.NoEvidence}, {"approval_decided", "ASI09", compliance.Fail},
		{"containment", "ASI10", compliance.Fail}, {"tool_blocked", "ASI01", compliance.Fail}, {"component_declaration", "ASI01", compliance.Partial},
	} {
		a := newFixture(t, without(all, c.gone)...).attest(fw)
		for _, x := range a.Controls {
			if x.ID == c.control && x.Verdict != c.want || a.Passed {
				if x.ID == c.control {
					t.Errorf("without %s: %s is %s %v, want %s", c.gone, x.ID, x.Verdict, x.Reasons, c.want)
				}
			}
		}
		if a.Passed {
			t.Errorf("without %s: passed", c.gone)
		}
	}
}

// TestNotApplicable: what is said not to apply does not count, until an entry shows that it does.
func TestNotApplicable(t *testing.T) {
	fw := framework(t, "owasp-asi-2026")
	said := func(control string) entry.Event {
		e, err := compliance.NotApplicable{Agent: "did:web:operator.example.com", Framework: fw.ID, Control: control,
			Reason: "no memory"}.Event()
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	a := newFixture(t,
		append(append(declared(t, fw), without(allGood(), "memory_write")...), said("ASI06"))...).attest(fw)
	if c := a.Controls[5]; c.Verdict != compliance.NotApplicableVerdict || !a.Passed || a.ControlsTotal != 9 ||
		a.NotApplicable != 1 {
		t.Errorf("%s %v, %d/%d", c.Verdict, c.Reasons, a.ControlsPassed, a.ControlsTotal)
	}
	var text strings.Builder // who said so and why stands with it, and the badge tells
	if err := a.Summary(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "so did:web:operator.example.com says at index") ||
		!strings.Contains(text.String(), ": no memory") ||
		!strings.Contains(a.BadgeMarkdown(), "9%2F9_%281_not_applicable%29") {
		t.Errorf("%s\n%s", &text, a.BadgeMarkdown())
	}
	a = newFixture(t, append(append(declared(t, fw), allGood()...), said("ASI06"))...).attest(fw)
	if c := a.Controls[5]; c.Verdict != compliance.Fail || a.Passed {
		t.Errorf("with memory: %s %v", c.Verdict, c.Reasons)
	}
	var none []entry.Event
	for _, c := range fw.Controls {
		none = append(none, said(c.ID))
	}
	if a = newFixture(t, none...).attest(fw); a.Passed || a.CoveragePct != 0 || a.ControlsTotal != 0 {
		t.Errorf("nothing applies: passed %v, %d%%", a.Passed, a.CoveragePct)
	}
}

// TestWindow: what was received before the window is no evidence, but a declaration holds.
func TestWindow(t *testing.T) {
	fw := framework(t, "owasp-asi-2026")
	f := newFixture(t, append(declared(t, fw), allGood()...)...)
	v := f.verifier(fw)
	var err error
	if v.Window, err = compliance.NewWindow("2026-03-01T13:00:00+00:00", ""); err != nil {
		t.Fatal(err)
	}
	a, err := v.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c := a.Controls[0]; c.Verdict != compliance.NoEvidence || c.Declared == nil {
		t.Errorf("%s, declared %v", c.Verdict, c.Declared)
	}
	for _, w := range [][2]string{
		{"yesterday", ""}, {"", "2026-13-01T00:00:00Z"}, {"2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z"},
	} {
		if _, err := compliance.NewWindow(w[0], w[1]); err == nil {
			t.Errorf("%v is taken for a window", w)
		}
	}
}

// TestAttestation is case 52 of conformance/cases_test.go: the hash changes with whatever is
// changed, and neither it nor the signature can be made up.
func TestAttestation(t *testing.T) {
	fw := framework(t, "owasp-asi-2026")
	f := newFixture(t, append(declared(t, fw), without(allGood(), "circuit_breaker")...)...)
	key := f.signer.VerifierKey()
	whole := f.attest(fw)
	for name, change := range map[string]func(*compliance.Attestation){
		"passed": func(a *compliance.Attestation) { a.Passed = true }, "total": func(a *compliance.Attestation) { a.ControlsTotal = 9 },
		"passed count": func(a *compliance.Attestation) { a.ControlsPassed = 10 }, "coverage": func(a *compliance.Attestation) { a.CoveragePct = 100 },
		"platform": func(a *compliance.Attestation) { a.Platform = "other" }, "version": func(a *compliance.Attestation) { a.Version = "other" },
		"window": func(a *compliance.Attestation) { a.Window.From = "2026-03-01T12:00:20.000000000Z" }, "verdict": func(a *compliance.Attestation) { a.Controls[7].Verdict = compliance.Pass },
		"a citation less":         func(a *compliance.Attestation) { a.Controls[0].Evidence[0].Cited = a.Controls[0].Evidence[0].Cited[1:] },
		"a proof less":            func(a *compliance.Attestation) { a.Proofs = a.Proofs[1:] },
		"another entry cited":     func(a *compliance.Attestation) { a.Controls[0].Evidence[0].Cited[0] = *a.Controls[0].Declared },
		"another leaf":            func(a *compliance.Attestation) { a.Proofs[0].Leaf = a.Proofs[1].Leaf },
		"a control less":          func(a *compliance.Attestation) { a.Controls = slices.Delete(a.Controls, 7, 8) },
		"less asked for":          func(a *compliance.Attestation) { a.Controls[0].Evidence[0].AtLeast = 1 },
		"negative less":           func(a *compliance.Attestation) { a.Controls[0].Negative = a.Controls[0].Negative[1:] },
		"another checkpoint":      func(a *compliance.Attestation) { a.Checkpoint = strings.Replace(a.Checkpoint, "\n", "x\n", 1) },
		"another tree size":       func(a *compliance.Attestation) { a.TreeSize++ },
		"a log that is not valid": func(a *compliance.Attestation) { a.LogValid = false; a.Passed = true },
	} {
		a := clone(t, whole)
		change(&a)
		if err := a.Check(key); !errors.Is(err, compliance.ErrAttestation) {
			t.Errorf("%s: %v", name, err)
		}
		if err := a.Sign(nil); err != nil {
			t.Fatal(err)
		}
		if a.Hash == whole.Hash {
			t.Errorf("%s: the same hash", name)
		}
		if name == "platform" || name == "version" { // words of whoever signs
			continue
		}
		if err := a.Sign(f.signer); err != nil { // even the log's key cannot make it follow from the entries
			t.Fatal(err)
		}
		if err := a.Check(key); !errors.Is(err, compliance.ErrAttestation) {
			t.Errorf("%s, signed: %v", name, err)
		}
	}
	_, other, err := proof.GenerateKey("other.example.com", "default")
	if err != nil {
		t.Fatal(err)
	}
	if err := whole.Check(other); !errors.Is(err, compliance.ErrAttestation) {
		t.Errorf("another key: %v", err)
	}
	unsigned := clone(t, whole)
	if err := unsigned.Sign(nil); err != nil || unsigned.Hash != whole.Hash {
		t.Fatalf("unsigned: %v", err)
	}
	if err := unsigned.Check(key); !errors.Is(err, compliance.ErrAttestation) {
		t.Errorf("not signed: %v", err)
	}
	for _, text := range []string{
		"", "{", "[]", `{"schema":"x"}`, `{"schema":"sealstream-attestation/v1","x":1}`,
		`{"schema":"a","schema":"sealstream-attestation/v1"}`,
	} {
		if _, err := compliance.ParseAttestation([]byte(text)); !errors.Is(err, compliance.ErrAttestation) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestAttestationForOthers: a file that Go reads as what was signed, and everybody else as
// something better, is refused.
func TestAttestationForOthers(t *testing.T) {
	raw, err := json.Marshal(newFixture(t).attest(framework(t, "owasp-asi-2026")))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		strings.Replace(string(raw), `"passed":false`, `"passed":true,"Passed":false`, 1), strings.Replace(string(raw), `"coverage_pct":0`, `"coverage_pct":100,"COVERAGE_PCT":0`, 1),
		strings.Replace(string(raw), `"passed":false,`, "", 1), strings.Replace(string(raw), `"verdict":"no-evidence"`, `"verdict":"pass","Verdict":"no-evidence"`, 1),
	} {
		if text == string(raw) {
			t.Fatal("nothing was changed")
		}
		if _, err := compliance.ParseAttestation([]byte(text)); !errors.Is(err, compliance.ErrAttestation) {
			t.Errorf("%.200s: %v", text, err)
		}
	}
}

func clone(t *testing.T, a compliance.Attestation) compliance.Attestation {
	t.Helper()
	raw, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	b, err := compliance.ParseAttestation(raw)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFramework is case 53 of conformance/cases_test.go: what a framework's file lacks or misspells
// is refused, as is one that is too large.
func TestFramework(t *testing.T) {
	good := "id: own\ntitle: Own\nversion: \"1\"\ncontrols:\n  - id: C1\n    name: One\n    component: Thing\n    " +
		"evidence:\n      - what: something happens\n        filter: {type: [x]}\n        agents: 2\n" +
		"    negative:\n      - what: bad\n        filter: {type: [y]}\n        handling: {filter: {type: [z]}, " +
		"same: trace}\n    remedy: do it\n"
	fw, err := compliance.ParseFramework([]byte(good))
	if err != nil || fw.Controls[0].Evidence[0].AtLeast != 2 || fw.Badge != "Own" {
		t.Fatalf("%+v %v", fw, err)
	}
	for old, now := range map[string]string{
		"title: Own": "titel: Own", "id: own": "id: Own!", "remedy: do it": "remedy: ''", "agents: 2": "agents: 65", "{type: [x]}": "{}", "[x]": "[component_declaration]",
		"{type: [y]}": "{typ: [y]}", "same: trace": "same: day", "{type: [z]}": "{}", "what: something happens": "what: ''", "controls:": "controls: 3\nx:",
		"remedy: do it\n": "remedy: do it\n---\nid: second\n",
	} {
		bad := strings.Replace(good, old, now, 1)
		if bad == good {
			t.Fatalf("%q is not there", old)
		}
		if _, err := compliance.ParseFramework([]byte(bad)); !errors.Is(err, compliance.ErrFramework) {
			t.Errorf("%q for %q: %v", now, old, err)
		}
	}
	twice := good + good[strings.Index(good, "  - id: C1"):]
	if _, err := compliance.ParseFramework([]byte(twice)); !errors.Is(err, compliance.ErrFramework) {
		t.Errorf("a control twice: %v", err)
	}
	bare := good[:strings.Index(good, "    evidence:")] + "    remedy: none\n"
	if _, err := compliance.ParseFramework([]byte(bare)); !errors.Is(err, compliance.ErrFramework) {
		t.Errorf("a control without evidence: %v", err)
	}
	if _, err := compliance.ParseFramework(bytes.Repeat([]byte("#"), 11<<20)); !errors.Is(err,
		compliance.ErrFramework) {
		t.Errorf("11 MiB: %v", err)
	}
	if _, err := compliance.BuiltIn("../../streams"); !errors.Is(err, compliance.ErrFramework) {
		t.Errorf("a path: %v", err)
	}
	f := newFixture(t, ev("a", "x"), ev("b", "x"),
		ev("a", "y", func(e *entry.Event) { e.TraceID = strings.Repeat("a", 32) }))
	if a := f.attest(fw); a.Controls[0].Verdict != compliance.Fail || len(a.Controls[0].Evidence[0].Cited) != 2 {
		t.Errorf("own framework: %+v", a.Controls[0])
	}
}

// TestDeclaration refuses declarations that say too little.
func TestDeclaration(t *testing.T) {
	good := compliance.Declaration{
		Agent: "did:web:a", Name: "Thing", Version: "1", Digest: "sha256:" + strings.Repeat("0", 64),
	}
	if _, err := good.Event(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*compliance.Declaration){
		"agent": func(d *compliance.Declaration) { d.Agent = "" }, "name": func(d *compliance.Declaration) { d.Name = "a/b" }, "version": func(d *compliance.Declaration) { d.Version = "" },
		"digest": func(d *compliance.Declaration) { d.Digest = "sha256:latest" }, "star": func(d *compliance.Declaration) { d.Name = "*" },
	} {
		d := good
		change(&d)
		if _, err := d.Event(); err == nil {
			t.Errorf("%s: %+v is taken", name, d)
		}
	}
}
