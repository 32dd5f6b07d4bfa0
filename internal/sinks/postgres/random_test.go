package pgsink_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/sinks/postgres"
	"github.com/sealstream/sealstream/internal/sinks/postgres/pgtest"
	"github.com/sealstream/sealstream/pkg/entry"
)

const spoil = `"\{}[]:,eE+-.0129ud8c` + "\x00\xff\xc3"

// TestRandomData: whatever JSON, or what nearly is, an event brings, Postgres takes the row, and
// Verify finds in it what was written. A refusal would hold the sink up for ever.
func TestRandomData(t *testing.T) {
	_, url := pgtest.Database(t)
	s := open(t, pgsink.Config{URL: url})
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	events := make([]entry.Event, 3000)
	for i := range events {
		data := []byte(randomJSON(r, 4))
		for r.IntN(3) == 0 && len(data) > 0 {
			data[r.IntN(len(data))] = spoil[r.IntN(len(spoil))]
		}
		events[i] = entry.Event{Data: data, HasData: true}
	}
	list := sealed(events...)
	if err := s.Write(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	holdsAll(t, s, list)
	if n := pgtest.Count(t, url, "SELECT count(*) FROM sealstream.entries WHERE data IS NOT NULL"); n < 500 ||
		n == 3000 {
		t.Errorf("%d of 3000 rows have JSONB", n)
	}
}

func randomJSON(r *rand.Rand, depth int) string {
	kind := r.IntN(6)
	if depth == 0 {
		kind = r.IntN(4)
	}
	var parts []string
	switch kind {
	case 0:
		return []string{
			"null", "true", "false", " 1 ", "-0", "0.0", "1E400", "-1e-400", "1e1000", "1e1001", "0e99999", "1e-99999",
		}[r.IntN(12)]
	case 1:
		return fmt.Sprintf("%d.%de%d", r.Int64(), r.Uint64N(1e6), r.IntN(2400)-1200)
	case 2, 3:
		return randomString(r)
	case 4:
		for range r.IntN(5) {
			parts = append(parts, randomJSON(r, depth-1))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	for range r.IntN(5) {
		parts = append(parts, randomString(r)+" :"+randomJSON(r, depth-1))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func randomString(r *rand.Rand) string {
	pieces := []string{
		"a", "ü", "😀", `\n`, `\"`, `\\`, `\/`, `\u0001`, `\u00fc`, `\ud83d\ude00`, `\ud800`, `\udc00`, `\u0000`,
		`\\u0000`, "\u2028", "1e9999",
	}
	var b strings.Builder
	for range r.IntN(6) {
		i := r.IntN(len(pieces))
		if (i == 10 || i == 11 || i == 12) && r.IntN(4) > 0 {
			i = 0
		}
		b.WriteString(pieces[i])
	}
	return `"` + b.String() + `"`
}
