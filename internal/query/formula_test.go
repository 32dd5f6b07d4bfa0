package query

import "testing"

// TestGuarded: a cell that a spreadsheet could take for a formula begins with an apostrophe, and so
// does what a semicolon, a tab or a line break makes a cell of its own.
func TestGuarded(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "a": "a", "a=1": "a=1", "a-b": "a-b", "did:web:x@y": "did:web:x@y", "a; b": "a; b", "a\nb": "a\nb", ";": ";", "'": "'", "1": "1", "a;b=1": "a;b=1",
		"=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx", "\n=1+1": "'\n=1+1",
		"＝1+1": "'＝1+1", "＋1": "'＋1", "－1": "'－1", "＠x": "'＠x", "﹦1": "'﹦1", "﹫x": "'﹫x",
		" =1": "' =1", "   @x": "'   @x", "\u00a0=1": "'\u00a0=1", "\u3000＝1": "'\u3000＝1", "\ufeff=1": "'\ufeff=1", "\u200b=1": "'\u200b=1", "\u202e=1": "'\u202e=1", "\x00=1": "'\x00=1",
		" \t =1": "' \t =1", "\u2028=1": "'\u2028=1",
		"a;=1": "'a;'=1", "a;=1;b": "'a;'=1;b", "a;＝1": "'a;'＝1", "a; =1": "'a;' =1", "a;b;@x;-1": "'a;b;'@x;'-1", "a\t=1": "'a\t'=1", "a\r\n=1": "'a\r\n'=1", "a\n+1": "'a\n'+1",
		"=1;=2": "'=1;'=2", "a;;=1": "'a;;'=1",
		`{"a":"b;=1"}`: `{"a":"b;'=1"}`, "{\n  \"a\": [\n    -5,\n    -0.5\n  ]\n}": "{\n  \"a\": [\n    -5,\n    -0.5\n  ]\n}", `["-1",-1]`: `["-1",-1]`, `"=1"`: `"=1"`,
	} {
		if got := escapeFormulas(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
