package tamper

import (
	"os"
	"strings"
	"testing"
)

// shown is what the rows of the README's table stand for.
var shown = map[string][]string{
	"edits, deletes or reorders entries":                                {"edit", "delete", "reorder"},
	"makes the chain anew, swaps or drops data, signs with another key": {"re-chain", "re-chain without it", "swap payloads", "drop a payload", "replace the checkpoint", "truncate"},
	"rewrites or cuts with the log's own key, restores a backup":        {"rewrite and sign", "truncate and sign", "restore a backup"},
	"rewrites what is newer than the saved checkpoint, shows two logs":  {"rewrite what is recent", "split view"},
	"seals a lie from the start":                                        {"seal a lie"},
}

// TestREADME: the README's table says what the lab shows, of every attack.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
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
					t.Errorf("%s, %s: the README says %v", attack, check, found)
				}
			}
		}
	}
	if told != len(attacks) {
		t.Errorf("the README tells of %d attacks, the lab plays %d", told, len(attacks))
	}
}
