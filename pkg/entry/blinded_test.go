package entry

import (
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/canonical"
)

// TestBlindedOwn: a leaf with a blind is refused if an entry of the log's own has the type of an
// event, or if a rejected entry has no data or a digest that does not fit. Older leaves are read as
// ever.
func TestBlindedOwn(t *testing.T) {
	const digest = "5714a6b4beb0cb40f95fbe933b4bcc8c1634572adadf1356c17de93605794f7c"
	const received = "2026-12-01T08:00:00.000000000Z"
	good := `{"agent_did":"o","blind":"` + strings.Repeat("0", 32) + `","data_hash":"` + digest + `",` +
		`"detail":{"digest":"` + digest + `","reason":"r","size":9,"subject":"s"},"entry_id":"i",` +
		`"event_type":"sealstream.rejected","index":1,"input_epoch":1,"input_seq":1,"log":"l","position":0,` +
		`"previous_hash":"` + digest + `","received_at":"` + received + `","timestamp":"` + received + `","v":1}`
	other := strings.Repeat("1", 64)
	for _, c := range []struct {
		name, from, to string
		ok             bool
	}{
		{"as it is", "", "", true},
		{"digest of more than the data", `{"digest":"` + digest + `","reason":"r","size":9`,
			`{"digest":"` + other + `","reason":"r","size":5000`, true},
		{"another digest", `{"digest":"` + digest, `{"digest":"` + other, false},
		{"a digest that is none", `{"digest":"` + digest + `","reason":"r","size":9`,
			`{"digest":"x","reason":"r","size":5000`, false},
		{"no data", `"data_hash":"` + digest + `",`, "", false},
		{"type of an event", `"data_hash"`, `"cloudevent_type":"t","data_hash"`, false},
	} {
		leaf := strings.Replace(good, c.from, c.to, 1)
		if _, err := canonical.Canonicalize([]byte(leaf)); err != nil {
			t.Fatal(err)
		}
		if _, err := ParseEntry([]byte(leaf)); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		older := strings.Replace(leaf, `"blind":"`+strings.Repeat("0", 32)+`",`, "", 1)
		if _, err := ParseEntry([]byte(older)); err != nil {
			t.Errorf("%s, without a blind: %v", c.name, err)
		}
	}
}
