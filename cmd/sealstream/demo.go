package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/sealstream/sealstream/pkg/tamper"
)

type demoCmd struct {
	Tamper tamperCmd `cmd:"" help:"Play an insider on a scratch log, and show which check finds out."`
}

type tamperCmd struct {
	Size int `help:"Entries of the scratch log, at least 16." default:"200"`
}

func (*tamperCmd) Help() string {
	return "Nothing of yours is touched: the log is made in memory, and thrown away.\n\nExamples:\n  sealstream demo tamper\n  sealstream demo tamper --json"
}

// Run plays the attacks and prints a table.
func (c *tamperCmd) Run(a *app) error {
	list, err := tamper.Run(a.ctx, c.Size)
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]any{"size": c.Size, "checks": tamper.Checks, "attacks": list})
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "attack\tthe insider has\t%s\n", strings.Join(tamper.Checks, "\t"))
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
		fmt.Fprintf(a.out, "%s: %s. %s\n", r.Attack, r.About, how(r))
	}
	return nil
}

// how says what the first check that finds an attack says of it.
func how(r tamper.Result) string {
	for _, check := range tamper.Checks {
		if f := r.Checks[check]; f.Caught {
			return fmt.Sprintf("Found by %s: %s", check, f.Why)
		}
	}
	return "No check of a log finds a lie that was told before it was sealed; what the agents keep of their own does: their numbers, links and signatures"
}
