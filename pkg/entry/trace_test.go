package entry

import (
	"testing"

	"github.com/sealstream/sealstream/internal/ruleset"
)

// TestTraceBy: what newer rules take for no trace id, older ones keep, also after the event was checked again.
func TestTraceBy(t *testing.T) {
	const zero = "00000000000000000000000000000000"
	for members, want := range map[string][2]string{
		`"traceid":"` + zero + `"`:                            {"", zero},
		`"traceid":"0000000000000000"`:                        {"", "0000000000000000"},
		`"traceid":"000"`:                                     {"000", "000"},
		`"traceparent":"00-` + zero + `-00f067aa0ba902b7-01"`: {"", zero},
		`"traceid":"` + zero + `","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"`: {"4bf92f3577b34da6a3ce929d0e0e4736", zero},
		`"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"`:                          {"", "4bf92f3577b34da6a3ce929d0e0e4736"},
		`"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"`:                          {"4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4736"},
	} {
		for i, rules := range []uint64{ruleset.Newest, ruleset.Redacting} {
			e, err := ParseEvent([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t",` + members + `}`))
			if err == nil {
				err = e.By(rules)
			}
			if err != nil || e.TraceID != want[i] {
				t.Errorf("%s by rules %d: %q, %v, want %q", members, rules, e.TraceID, err, want[i])
			}
		}
	}
}
