package compliance_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/pkg/compliance"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestReport holds the reports on a real agent's log to golden files, in all three formats.
func TestReport(t *testing.T) {
	f := newFixture(t, tau(t)...)
	r, err := f.verifier(framework(t, "owasp-asi-2026")).Report(t.Context(), begin.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	conforms(t, "report", r)
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "airline-report.json", append(raw, '\n'))
	var html, md bytes.Buffer
	if err := errors.Join(r.HTML(&html), r.Markdown(&md)); err != nil {
		t.Fatal(err)
	}
	golden(t, "airline-report.html", html.Bytes())
	golden(t, "airline-report.md", md.Bytes())
	if r.Trail.TotalEntries != 714 || r.Trail.ByType["tool_invocation"] != 550 || r.Violations.Total != 41 ||
		r.Trail.ByOutcome["error"] != 33 {
		t.Errorf("%+v", r.Trail)
	}
}

// TestReportPage: what agents write stays text, and the page needs nothing from anywhere.
func TestReportPage(t *testing.T) {
	f := newFixture(t, ev("a", "<script>alert(1)</script>"),
		ev("a", "policy_violation", func(e *entry.Event) { e.Subject = `"><img src=x onerror=y>` }),
		ev("b", "a|b`c", outcome("error")),
		ev("a", "policy_violation", func(e *entry.Event) {
			e.Source = `urn:x:</text></svg><script>alert(2)</script>`
			e.MatchedRule = `{{.}}</style><img src=x>`
		}),
		ev("a", "policy_violation", func(e *entry.Event) { e.Subject = "/safe\u202Egnp.exe" }))
	r, err := f.verifier(framework(t, "agt-legacy")).Report(t.Context(), begin)
	if err != nil {
		t.Fatal(err)
	}
	var page, md bytes.Buffer
	if err := errors.Join(r.HTML(&page), r.Markdown(&md)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img", "<link", "@import", "url("} {
		if strings.Contains(page.String(), bad) {
			t.Errorf("the page holds %s", bad)
		}
	}
	for _, there := range []string{
		"urn:x:&lt;/text&gt;&lt;/svg&gt;&lt;script", "{{.}}&lt;/style&gt;", "/safe\uFFFDgnp.exe",
	} {
		if !strings.Contains(page.String(), there) {
			t.Errorf("the page does not show %s", there)
		}
	}
	if !strings.Contains(page.String(), "<svg") || strings.Contains(md.String(), "| a|b`c") {
		t.Error("no charts, or a broken table")
	}
	d := xml.NewDecoder(&page)
	d.Strict, d.Entity, d.AutoClose = false, xml.HTMLEntity, append(xml.HTMLAutoClose, "meta")
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the page is not well formed: %v", err)
		}
	}
}

// TestReportHandling: a violation is handled by what comes later in its session, and by nothing before or elsewhere.
func TestReportHandling(t *testing.T) {
	f := newFixture(t,
		ev("a", "tool_blocked", session("before")), ev("a", "policy_violation", session("before")),
		ev("a", "policy_violation", session("after")), ev("b", "tool_blocked", session("after")),
		ev("a", "policy_violation", session("after")),
		ev("a", "policy_violation"), ev("a", "rogue_detection", session("q")), ev("a", "quarantine", session("q")),
		ev("service", "integrity_check", outcome("failure")))
	r, err := f.verifier(framework(t, "owasp-asi-2026")).Report(t.Context(), begin)
	if err != nil {
		t.Fatal(err)
	}
	var open []uint64
	for _, v := range r.Violations.First {
		open = append(open, v.Index)
	}
	if r.Violations.Total != 5 || r.Violations.Handled != 2 || len(open) != 3 || open[0] != 2 || open[1] != 5 ||
		open[2] != 6 {
		t.Errorf("%+v", r.Violations)
	}
	if r.Supply != (compliance.Supply{Passed: false, Checks: 1, Failed: 1}) {
		t.Errorf("%+v", r.Supply)
	}
}
