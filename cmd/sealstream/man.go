package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type manCmd struct{}

func (*manCmd) Help() string {
	return "Examples:\n  sealstream man > sealstream.1\n  man -l <(sealstream man)"
}

// Run prints the manual page of all verbs.
func (*manCmd) Run(ctx *kong.Context, a *app) error {
	_, err := io.WriteString(a.out, manual(ctx.Model))
	return err
}

// manual returns the manual page of a program, in the macros of man(7).
func manual(m *kong.Application) string {
	var b strings.Builder
	summary, rest, _ := strings.Cut(m.Help, "\n")
	fmt.Fprintf(&b, ".TH %s 1\n.SH NAME\n%s \\- %s\n", roff(strings.ToUpper(m.Name)), roff(m.Name), roff(summary))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n.I command\n[\\fIflags\\fR]\n", roff(m.Name))
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n.SH FLAGS\n", roff(strings.TrimSpace(rest)))
	manFlags(&b, m.Flags)
	for _, g := range groups {
		fmt.Fprintf(&b, ".SH %s\n", roff(strings.ToUpper(strings.TrimSuffix(g.Title, ":"))))
		for _, verb := range m.Leaves(true) {
			if group := verb.ClosestGroup(); group != nil && group.Key == g.Key {
				manVerb(&b, verb)
			}
		}
	}
	return b.String()
}

func manVerb(b *strings.Builder, verb *kong.Node) {
	fmt.Fprintf(b, ".SS %s\n%s\n", roff(verb.FullPath()), roff(verb.Help))
	if verb.Detail != "" {
		fmt.Fprintf(b, ".PP\n.nf\n%s\n.fi\n", roff(verb.Detail))
	}
	for _, p := range verb.Positional {
		fmt.Fprintf(b, ".TP\n.I %s\n%s\n", roff(p.Summary()), roff(p.Help))
	}
	manFlags(b, verb.Flags)
}

func manFlags(b *strings.Builder, flags []*kong.Flag) {
	flags = slices.SortedFunc(slices.Values(flags), func(x, y *kong.Flag) int { return strings.Compare(x.Name, y.Name) })
	for _, f := range flags {
		if f.Hidden {
			continue
		}
		name := f.String()
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(name), roff(f.Help))
	}
}

// roff escapes what troff would obey: backslashes, dashes, and a dot or quote that begins a line.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
