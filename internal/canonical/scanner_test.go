package canonical

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzCheckFast holds the fast scanner against the general one: it must not take what that refuses.
func FuzzCheckFast(f *testing.F) {
	for _, s := range []string{`{}`, `[]`, `{"a":[1,2.5e-7,-0,true,false,null,"x\n\u00e9\ud83d\ude00"]}`, `"\ud800"`,
		`"\udc00\ud800"`, `{"a":1,"a":2}`, `{"a":{"b":1},"b":1}`,
		"\"\xff\"", `01`, `1.`, `-`, `1e`, `.5`, "\"\x01\"", `{"a" : 1 , "b" : [ ] }`, strings.Repeat("[", 33) + strings.Repeat("]", 33), `[1,]`, `{"a":1,}`, `tru`,
		`"` + strings.Repeat("plain text ", 20) + `\"quoted\""`, `"12345678\"`, `{"a":1} x`, `"\u12"`, `"\x"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !checkFast(raw, 32) {
			return
		}
		if !jsontext.Value(raw).IsValid() {
			t.Fatalf("taken, but not valid: %q", raw)
		}
		if err := CheckDepth(raw, 32); err != nil {
			t.Fatalf("taken, but %v: %q", err, raw)
		}
	})
}
