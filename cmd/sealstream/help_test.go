package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// TestHelp: the help of every verb has an example, and fits a terminal of 80 columns.
func TestHelp(t *testing.T) {
	var c commands
	parser, err := kong.New(&c, kong.Vars{"version": "", "frameworks": ""})
	if err != nil {
		t.Fatal(err)
	}
	err = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if n, ok := node.(*kong.Node); ok && n.Type == kong.CommandNode {
			checkHelp(t, strings.Fields(n.Path()))
		}
		return next(nil)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkHelp(t *testing.T, verb []string) {
	var out, errs strings.Builder
	if status := run(t.Context(), append(verb, "--help"), strings.NewReader(""), &out, &errs); status != 0 ||
		errs.Len() > 0 {
		t.Errorf("%q: %d, %s", verb, status, errs.String())
	}
	if !strings.Contains(out.String(), "\nExample") {
		t.Errorf("%q has no example", verb)
	}
	for line := range strings.Lines(out.String()) {
		if utf8.RuneCountInString(line) > 81 {
			t.Errorf("%q: too wide: %s", verb, line)
		}
	}
}
