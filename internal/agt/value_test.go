package agt_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/agt"
	"github.com/sealstream/sealstream/pkg/entry"
)

func bytesReader(s string) io.Reader { return strings.NewReader(s) }

// The right sides are what CPython 3's json.dumps(json.loads(left), sort_keys=True) gives.
func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		`1.0`: `1.0`, `1`: `1`, `-0`: `0`, `-0.0`: `-0.0`, `1e5`: `100000.0`, `1E+16`: `1e+16`, `9999999999999998.0`: `9999999999999998.0`,
		`0.0001`: `0.0001`, `0.00001`: `1e-05`, `1.10`: `1.1`, `123456789012345678901234567890`: `123456789012345678901234567890`,
		`5e-324`: `5e-324`, `1.7976931348623157e308`: `1.7976931348623157e+308`, `1e400`: `Infinity`, `-1e400`: `-Infinity`, `1e-400`: `0.0`,
		`0.1`: `0.1`, `100.0`: `100.0`, `123456.789e3`: `123456789.0`, `[NaN, Infinity, -Infinity]`: `[NaN, Infinity, -Infinity]`,
		`{"b":1,"a":[true,false,null,{}]}`: `{"a": [true, false, null, {}], "b": 1}`,
		`"\/ \u007f é 😀 \u2028"`:           `"/ \u007f \u00e9 \ud83d\ude00 \u2028"`,
		`"\ud83d\ude00 \ud83d \ude00"`:     `"\ud83d\ude00 \ud83d \ude00"`,
		`"\b\f\n\r\t\u0001\"\\"`:           `"\b\f\n\r\t\u0001\"\\"`,
		"\"\u007f<>&'\"":                   `"\u007f<>&'"`,
		`{"\ud83d\ude00":1,"\uffff":2}`:    `{"\uffff": 2, "\ud83d\ude00": 1}`,
		`{"\ud83d":1,"\ue000":2}`:          `{"\ud83d": 1, "\ue000": 2}`,
		" [ 1 ,\t2 ] \n":                   `[1, 2]`,
	} {
		got, err := agt.Canonical([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v, want %s", in, got, err, want)
		}
	}
}

// manyNames is an object of n members that is not closed.
func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"n%d":1`, i)
	}
	return "{" + b.String()[1:]
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{
		``, ` `, `{`, `[`, `"`, `"\`, `"\u12`, `"\u+123"`, `"\x"`, "\"\x01\"", "\"\xff\"", `[1,]`, `{"a":1,}`, `{"a"}`, `{a:1}`, `01`, `1.`, `.5`, `+1`, `1e`, `nul`, `nan`,
		`1 2`, `{"a":1,"a":2}`, manyNames(40) + `,"n3":1}`, manyNames(40) + `,"n39":1}`, manyNames(24) + `,"n0":1}`, `{"a":{"b":1,"\u0062":2}}`, `[1 2]`, "\x00", strings.Repeat("[", agt.MaxDepth+1), "[" + strings.Repeat("1,", agt.MaxValues) + "1]", strings.Repeat("9", 4301), `--1`, `-`, "\ufeff1",
	} {
		if v, err := agt.Canonical([]byte(in)); err == nil {
			t.Errorf("%.60q: taken, as %.60s", in, v)
		}
	}
	if v, err := agt.Parse([]byte(manyNames(40) + "}")); err != nil || len(v.Members) != 40 {
		t.Errorf("%d members, %v", len(v.Members), err)
	}
	if _, err := agt.Parse([]byte(strings.Repeat("[", agt.MaxDepth) + strings.Repeat("]", agt.MaxDepth))); err != nil {
		t.Error(err)
	}
}

// What is canonical stays as it is, and where the standard library can read it, it is the same value.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.50,"\ud800",NaN,-Infinity,null,true]}`, `1e-7`, `"\ud83d\ude00"`, `-0`, "[[{}]]",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		first, err := agt.Canonical(raw)
		if err != nil {
			return
		}
		second, err := agt.Canonical(first)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%q became %q, then %q, %v", raw, first, second, err)
		}
		for _, c := range first {
			if c < 0x20 || c > 0x7e {
				t.Fatalf("%q is not plain ASCII", first)
			}
		}
		if json.Valid(raw) != json.Valid(first) && !bytes.Contains(first, []byte("Infinity")) &&
			!bytes.Contains(raw, []byte("NaN")) {
			t.Fatalf("%q became %q", raw, first)
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"agent_did":"d","action":"read","data":{"x":[1,NaN]},"timestamp":"2026-01-01 00:00:00",` +
		`"approver_did":"a"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := agt.Parse(raw)
		if err != nil {
			return
		}
		r, err := agt.ParseRequest(v)
		if err != nil {
			return
		}
		r.EntryID = "id"
		e, err := r.Event()
		if err != nil {
			return
		}
		if _, err := entry.ParseEvent(e.AppendJSON(nil)); err != nil {
			t.Fatalf("%q became what the log refuses: %v", raw, err)
		}
		if shown := agt.Shown(entry.Entry{Extensions: e.Extensions, Action: e.Action}, e.Data, true); !json.Valid(shown) {
			t.Fatalf("%q is shown as %q", raw, shown)
		}
	})
}
