package sealstream_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// homes are ideas of the HTTP contract that have one home: a text that gives an implementation away, and
// the files outside tests in which it stands.
var homes = []struct{ what, telltale, files string }{
	{"media type of problems", `application/problem\+json`, "pkg/api/problem.go"},
	{"writer of problems", `, api\.ProblemMediaType`, "internal/httpapi/members.go internal/httpapi/problem.go"},
	{"type of problems", `json:"candidates|"about:blank"`, "pkg/api/problem.go"},
	{"server of events", `"Content-Type", "text/event-stream"`, "internal/httpapi/sse.go"},
	{"server of events", `"(id|event|retry): `, "internal/httpapi/sse.go"},
	{"reader of events", `field, value, _ := bytes\.Cut|CutPrefix\(line, "(id|event|data):`, "internal/sse/sse.go"},
	{"check of parameters", `unknown parameter %`, "internal/httpapi/params.go"},
	{"type of receipts", `json:"equivocation_of`, "pkg/api/receipt.go"},
	{"type of refusals", `json:"field,omitempty"[^\n]*\n\s*Reason `, "pkg/api/receipt.go"},
	{"type of filters", `json:"outcome,omitempty"|Agent, Type, Action, Outcome \[\]string`, "pkg/api/filter.go"},
	{"names of filters", `"agent",\s+"type",\s+"action"|"agent": +f\.Agent`, "pkg/api/filter.go"},
	{"type of counts", `json:"matches"[^\n]*\n\s*First `, "pkg/api/stats.go"},
	{"type of stats", `json:"other_event_types"`, "pkg/api/stats.go"},
	{"type of pages", `json:"entries"[^}]*json:"next_cursor`, "pkg/api/page.go"},
	{"type of traces", `json:"delegation"|json:"claimed"`, "pkg/api/trace.go"},
	{"parser and writer of sizes", `"[kKMGT]i?B"`, "internal/size/size.go"},
	{"type of listed alerts", `json:"subject"[^}]*json:"event"`, "pkg/api/page.go"},
}

// TestOneHome looks for a second implementation of what package api and httpapi hold.
func TestOneHome(t *testing.T) {
	sources := map[string]string{}
	for _, dir := range []string{"cmd", "internal", "pkg", "streams"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			sources[filepath.ToSlash(path)] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range homes {
		telltale, found := regexp.MustCompile(h.telltale), []string{}
		for path, text := range sources {
			if telltale.MatchString(text) {
				found = append(found, path)
			}
		}
		slices.Sort(found)
		if got := strings.Join(found, " "); got != h.files {
			t.Errorf("%s (%s): it is in %s, want %s", h.what, h.telltale, got, h.files)
		}
	}
}
