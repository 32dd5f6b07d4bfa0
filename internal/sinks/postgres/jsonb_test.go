package pgsink

import "testing"

// FuzzJSONB: no bytes make the checks in front of Postgres panic, and what fits is the same as itself.
func FuzzJSONB(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1e400,-0,"\ud83d\ude00"]}`, `"\u0000"`, `"\ud800\u"`, `1E+1001`, `{"a":1,"a":2}`, `"\\\"1e9"`, "\xff",
		``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if fitsJSONB(raw) && !sameJSON(raw, raw) {
			t.Errorf("%q is not the same as itself", raw)
		}
	})
}

func TestSameJSON(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{`{"a":1,"b":[1e3]}`, `{"b": [1000.0], "a": 1}`, true}, {`1e400`, `1e401`, false}, {`[1,2]`, `[2,1]`, false}, {`[1]`, `[1,1]`, false}, {`{"a":1}`, `{"b":1}`, false},
		{`{"a":1}`, `{"a":1,"b":1}`, false}, {`"1"`, `1`, false}, {`null`, `false`, false}, {`{}`, `[]`, false}, {`[]`, `{}`, false}, {`"x"`, `"y"`, false}, {`{`, `{`, false},
		{`0.1`, `0.10000000000000000001`, false}, {`true`, `true`, true},
	} {
		if got := sameJSON([]byte(c.a), []byte(c.b)); got != c.same {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}
