package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/sealstream/sealstream/pkg/api"
)

// TestTame: printed JSON says the same, and nothing that a terminal obeys.
func TestTame(t *testing.T) {
	for _, data := range []string{
		"plain é 語 🙂", "\u009b31m red \u009d0;title\u009c \x7f", "\u202etxt.exe \u2066x\u2069", `\u009b`, "<&>\u00a0",
	} {
		quoted := `"` + strings.ReplaceAll(data, `\`, `\\`) + `"`
		for _, indent := range []bool{false, true} {
			var out strings.Builder
			a := &app{out: &out}
			if err := a.encode(json.RawMessage(`{"data":`+quoted+`}`), indent); err != nil {
				t.Fatal(err)
			}
			if i := strings.IndexFunc(out.String(), func(r rune) bool {
				return r == 0x7f || unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r)
			}); i >= 0 {
				t.Errorf("%q", out.String()[i:])
			}
			var v struct{ Data string }
			if err := json.Unmarshal([]byte(out.String()), &v); err != nil || v.Data != data {
				t.Errorf("%q became %q, %v", data, v.Data, err)
			}
		}
	}
	if b := []byte(`"plain é"`); &tameJSON(b)[0] != &b[0] {
		t.Error("what needs nothing is copied")
	}
}

// TestDrawing: colours where there are any, and no line wider than the terminal, however deep the
// tree and hostile the text.
func TestDrawing(t *testing.T) {
	var tr trace
	for i := range uint64(40) {
		tr.Entries = append(tr.Entries, row{
			Index: i, Timestamp: "2026-01-01T00:00:00Z", EventType: "agent_invocation",
			TargetDID: strings.Repeat("é", 90),
		})
		b := api.Branch{AgentDID: "\x1b[31mred\n", Entries: []uint64{i}}
		if i > 0 {
			b.Delegation = new(i - 1)
		}
		tr.Tree = append(tr.Tree, b)
	}
	tr.Entries[3].EventType = "policy_violation"
	tr.Entries[4].Action, tr.Entries[4].Resource = "deny", "\x1b]0;title\x07"
	tr.Claimed.First = "2026-01-01T00:00:00Z"
	draw := func(s style) string {
		d := newDrawing(tr, false, s)
		d.head("x")
		d.tree()
		return d.out.String()
	}
	for line := range strings.Lines(draw(style{width: 72})) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 72 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	plain, coloured := draw(style{}), draw(style{colour: true})
	if strings.Contains(plain, "\x1b") || strings.Contains(plain, "\x07") {
		t.Errorf("plain text holds escapes: %q", plain)
	}
	for _, want := range []string{"\x1b[31m✗", "\x1b[33m!", "\x1b[36m→", `\x1b[31mred\n`} {
		if !strings.Contains(coloured, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if got := strings.NewReplacer("\x1b[31m", "", "\x1b[33m", "", "\x1b[36m", "", "\x1b[1m", "", "\x1b[2m", "",
		"\x1b[0m", "").Replace(coloured); got != plain {
		t.Errorf("colours change the text")
	}
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"7f3a-b.c": "7f3a-b.c", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "a\x1b[31m": `a\x1b[31m`,
	} {
		if got := shellWord(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// TestLyingTrace: a tree that hangs below itself has an end, and fields that no agent can choose
// are no commands either.
func TestLyingTrace(t *testing.T) {
	tr := trace{Entries: []row{{Index: 1, Timestamp: "\x1b[2J", Action: "\x1b[31m", Outcome: "\u009b31m"}}}
	tr.Tree = []api.Branch{
		{AgentDID: "a", Entries: []uint64{1}}, {AgentDID: "b", Delegation: new(uint64(1)), Entries: []uint64{1}},
	}
	d := newDrawing(tr, false, style{})
	d.tree()
	r := row{Timestamp: "\x1b[2J", Action: "\x1b[31m", Outcome: "\u009b31m"}
	for _, text := range []string{d.out.String(), r.line(), plain("\x1b[31mred\u009b\nnext\u202e")} {
		if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%q", text)
		}
	}
}

// TestHintFlags: what is shown to be pasted asks the server that it is about.
func TestHintFlags(t *testing.T) {
	for _, c := range []struct{ server, log, want string }{
		{"http://127.0.0.1:8420", "default", ""}, {"http://127.0.0.1:9999", "default", " --server http://127.0.0.1:9999"},
		{"http://127.0.0.1:8420", "x", " --log x"}, {"http://h/a b", "x", " --server 'http://h/a b' --log x"},
	} {
		if got := hintFlags(c.server, c.log); got != c.want {
			t.Errorf("%s, %s: %q, want %q", c.server, c.log, got, c.want)
		}
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // without saved contexts
	if got, err := resolve(savedContext{}, ""); err != nil || got.Server != defaultServer || got.Log != defaultLog {
		t.Errorf("the defaults are %q and %q: %v", got.Server, got.Log, err)
	}
	for name, want := range map[string]string{"Server": defaultServer, "Log": defaultLog} {
		field, _ := reflect.TypeFor[commands]().FieldByName(name)
		if help := field.Tag.Get("help"); !strings.Contains(help, "(default "+want+")") &&
			!strings.Contains(help, "(default: "+want+")") {
			t.Errorf("the help of --%s does not name its default: %s", strings.ToLower(name), help)
		}
	}
}
