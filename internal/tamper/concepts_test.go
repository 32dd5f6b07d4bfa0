package tamper

import (
	"os"
	"strings"
	"testing"
)

// shown is what the rows of the table in docs/concepts.md stand for.
var shown = map[string][]string{
	"edits, deletes or reorders entries":                                                     {"edit", "delete", "reorder"},
	"recomputes the chain, exchanges or drops data, cuts the log, or signs with another key": {"re-chain", "re-chain without it", "swap payloads", "drop a payload", "replace the checkpoint", "truncate"},
	"rewrites or cuts the log and signs it with its own key, or restores a backup":           {"rewrite and sign", "truncate and sign", "restore a backup"},
	"rewrites only entries newer than the saved checkpoint, or shows people different logs":  {"rewrite what is recent", "split view"},
	"records a lie as a new event":                                                           {"seal a lie"},
}

// TestConcepts: the table in docs/concepts.md says what the lab shows, of every attack.
func TestConcepts(t *testing.T) {
	text, err := os.ReadFile("../../docs/concepts.md")
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 || shown[strings.TrimSpace(cells[0])] == nil {
			continue
		}
		for _, attack := range shown[strings.TrimSpace(cells[0])] {
			told++
			for i, check := range []string{"chain", "signed", "saved", "witness"} {
				if found := strings.TrimSpace(cells[i+1]) == "found"; found != strings.Contains(caught[attack], check) {
					t.Errorf("%s, %s: the page says %v", attack, check, found)
				}
			}
		}
	}
	if told != len(attacks) {
		t.Errorf("the page tells of %d attacks, the lab plays %d", told, len(attacks))
	}
}
