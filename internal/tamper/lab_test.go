package tamper

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// caught says for each attack which checks find it. It is the promise of the lab: a check that
// finds less than here is broken, and one that finds more says something that it cannot know.
var caught = map[string]string{
	"edit":                   "chain signed saved witness",
	"delete":                 "chain signed saved witness",
	"reorder":                "chain signed saved witness",
	"truncate":               "      signed saved witness",
	"swap payloads":          "      signed saved witness",
	"drop a payload":         "      signed saved witness",
	"re-chain":               "      signed saved witness",
	"re-chain without it":    "      signed saved witness",
	"replace the checkpoint": "      signed saved witness",
	"rewrite and sign":       "             saved witness",
	"truncate and sign":      "             saved witness",
	"restore a backup":       "             saved witness",
	"rewrite what is recent": "                   witness",
	"split view":             "                   witness",
	"seal a lie":             "",
}

func TestLab(t *testing.T) {
	list, err := Run(t.Context(), 60)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != len(caught) {
		t.Errorf("%d attacks, want %d", len(list), len(caught))
	}
	names := map[string]string{"chain": ChainOnly, "signed": Signed, "saved": Saved, "witness": Witnessed}
	for _, r := range list {
		want, ok := caught[r.Attack]
		if !ok || r.About == "" || r.Needs == "" {
			t.Errorf("%+v", r)
		}
		for _, short := range slices.Sorted(maps.Keys(names)) {
			f := r.Checks[names[short]]
			if f.Caught != slices.Contains(strings.Fields(want), short) || f.Caught != (f.Why != "") {
				t.Errorf("%s: %s: %+v, want %q", r.Attack, names[short], f, want)
			}
		}
	}
}
