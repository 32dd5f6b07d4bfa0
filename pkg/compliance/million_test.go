package compliance_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
)

// TestLargeReport makes a report of a log of 20,000 entries, or of as many as
// SEALSTREAM_REPORT_ENTRIES says, and tells how long that took once the index was up. It holds the
// sums to what was logged.
func TestLargeReport(t *testing.T) {
	n := 20000
	if text := os.Getenv("SEALSTREAM_REPORT_ENTRIES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	} else if testing.Short() {
		n = 2000
	}
	kinds := []string{
		"tool_invocation", "tool_invocation", "tool_invocation", "policy_evaluation", "agent_invocation",
		"tool_invocation", "tool_blocked", "trust_handshake", "approval_decided", "tool_invocation",
	}
	events := make([]entry.Event, n)
	violations := 0
	for i := range events {
		kind := kinds[i%len(kinds)]
		if i%100 == 7 {
			kind = "policy_violation"
			violations++
		}
		events[i] = ev(fmt.Sprint("agent-", i%1000), kind, outcome([]string{"success", "failure"}[i%2]),
			session(fmt.Sprint("s-", i/5)))
	}
	f := newFixture(t, events...)
	began := time.Now()
	r, err := f.verifier(framework(t, "owasp-asi-2026")).Report(t.Context(), begin)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("report of %d entries, %d violations: %s", f.size, violations, time.Since(began).Round(time.Millisecond))
	if r.Trail.TotalEntries != uint64(n+1) || r.Violations.Total != uint64(violations) || r.Trail.Agents != 1001 ||
		r.Trail.ByType["tool_blocked"]+r.Trail.ByType["policy_violation"] == 0 {
		t.Errorf("%+v %+v", r.Trail.TotalEntries, r.Violations.Total)
	}
}
