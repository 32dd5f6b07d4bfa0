package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/sealstream/sealstream/internal/tamper"
)

type demoCmd struct {
	Tamper tamperCmd `cmd:"" help:"Attack a scratch log as an insider, and show which check detects each attack."`
}

type tamperCmd struct {
	Size int `help:"Number of entries of the scratch log, at least 16." default:"200"`
}

func (*demoCmd) Help() string { return "Example:\n  sealstream demo tamper" }

func (*tamperCmd) Help() string {
	return `The log is created in memory and discarded. Nothing else is touched.

Examples:
  sealstream demo tamper
  sealstream demo tamper --json`
}

// Run carries out the attacks and prints a table.
func (c *tamperCmd) Run(a *app) error {
	list, err := tamper.Run(a.ctx, c.Size)
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]any{"size": c.Size, "checks": tamper.Checks, "attacks": list})
	}
	heading := append([]string{"attack", "the insider has"}, tamper.Checks...)
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	s := a.style()
	if s.width > 0 {
		var upper []string
		upper, heading = twoLines(heading)
		fmt.Fprintln(w, strings.Join(upper, "\t"))
	}
	fmt.Fprintln(w, strings.Join(heading, "\t"))
	for _, r := range list {
		fmt.Fprintf(w, "%s\t%s", r.Attack, r.Needs)
		for _, check := range tamper.Checks {
			word := "-"
			if r.Checks[check].Caught {
				word = "caught"
			}
			fmt.Fprintf(w, "\t%s", word)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(a.out)
	for _, r := range list {
		io.WriteString(a.out, s.wrap(fmt.Sprintf("%s: %s. %s", r.Attack, r.About, how(r)), 2))
	}
	return nil
}

// twoLines splits titles of columns at their last space.
func twoLines(titles []string) (upper, lower []string) {
	for _, title := range titles {
		i := strings.LastIndexByte(title, ' ')
		upper, lower = append(upper, title[:max(i, 0)]), append(lower, title[i+1:])
	}
	return upper, lower
}

// how returns the explanation of the first check that detects an attack.
func how(r tamper.Result) string {
	for _, check := range tamper.Checks {
		if f := r.Checks[check]; f.Caught {
			return fmt.Sprintf("Found by %s: %s", check, f.Why)
		}
	}
	return "No check of a log detects a lie that was told before it was sealed. " +
		"Only the agents' own records do: their numbers, links and signatures"
}
