package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

type contextCmd struct {
	Add    contextAddCmd    `cmd:"" help:"Save a context, or replace it."`
	Use    contextUseCmd    `cmd:"" help:"Select the context that every verb uses."`
	List   contextListCmd   `cmd:"" help:"List the saved contexts."`
	Remove contextRemoveCmd `cmd:"" help:"Delete a saved context."`
}

func (*contextCmd) Help() string {
	return "A context is a server, a log and the log's public key, and for https the paths of the CA and of a client\n" +
		"certificate. --server, --log, --key, --ca, --client-cert and --client-key override it.\n\n" +
		"Examples:\n  sealstream context add prod --server https://audit.example.com --key log.pub\n" +
		"  sealstream context use prod\n  sealstream --use prod query -n 5"
}

type contextAddCmd struct {
	Name string `arg:"" help:"Name of the context."`
	Key  string `help:"The log's public key, or its file. It is copied." placeholder:"KEY|FILE"`
}

func (*contextAddCmd) Help() string {
	return "--server and --log say what the context stands for. The first context is selected at once.\n\n" +
		"Example:\n  sealstream context add prod --server https://audit.example.com"
}

// Run saves what the flags say. What they leave open does not come from the selected context, but
// from the one of --use, or is the default.
func (c *contextAddCmd) Run(a *app, flags *commands) error {
	keys, err := readKeys(c.Key)
	if err != nil {
		return err
	}
	all, err := openContexts()
	if err != nil {
		return err
	}
	var saved savedContext
	if flags.Use != "" {
		if saved, err = all.load(flags.Use); err != nil {
			return err
		}
	}
	given, err := flags.where().absolute()
	if err != nil {
		return err
	}
	if saved = saved.over(given); len(keys) > 0 {
		saved.Key = strings.Join(keys, "\n")
	}
	if err := all.save(c.Name, saved); err != nil {
		return err
	}
	if flags.Server == "" && flags.Use == "" {
		fmt.Fprintf(a.err, "no --server: %s stands for this machine, %s\n", c.Name, saved.Server)
	}
	if all.selected() == "" {
		if err := all.choose(c.Name); err != nil {
			return err
		}
		fmt.Fprintf(a.err, "selected %s: every verb uses it unless --use or --server says otherwise\n", c.Name)
	}
	return (&contextListCmd{}).Run(a)
}

type contextUseCmd struct {
	Name string `arg:"" predictor:"context" help:"Name of the context."`
}

func (*contextUseCmd) Help() string { return "Example:\n  sealstream context use prod" }

// Run selects a context.
func (c *contextUseCmd) Run(a *app) error {
	all, err := openContexts()
	if err != nil {
		return err
	}
	if err := all.choose(c.Name); err != nil {
		return err
	}
	return (&contextListCmd{}).Run(a)
}

type contextRemoveCmd struct {
	Name string `arg:"" predictor:"context" help:"Name of the context."`
}

func (*contextRemoveCmd) Help() string { return "Example:\n  sealstream context remove prod" }

// Run deletes a context.
func (c *contextRemoveCmd) Run(a *app) error {
	all, err := openContexts()
	if err != nil {
		return err
	}
	if err := all.remove(c.Name); err != nil || !a.json {
		return err
	}
	return (&contextListCmd{}).Run(a)
}

type contextListCmd struct{}

func (*contextListCmd) Help() string {
	return "The selected context has a star.\n\nExample:\n  sealstream context list --json"
}

// Run lists the contexts.
func (*contextListCmd) Run(a *app) error {
	all, err := openContexts()
	if err != nil {
		return err
	}
	names, err := all.names()
	if err != nil {
		return err
	}
	selected := all.selected()
	list := []listedContext{}
	for _, name := range names {
		s, err := all.load(name)
		if err != nil {
			if name != selected { // loadSelected tells of that one
				fmt.Fprintf(a.err, "warning: %s\n", plain(err.Error()))
			}
			continue
		}
		list = append(list, listedContext{name, name == selected, s})
	}
	if _, err := all.loadSelected(); err != nil {
		fmt.Fprintf(a.err, "warning: %s\n", plain(err.Error()))
	}
	switch {
	case a.json:
		return a.print(list)
	case len(names) == 0:
		fmt.Fprintln(a.err, "no contexts are saved; `sealstream context add NAME --server URL` saves one")
		return nil
	}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, one := range list {
		fmt.Fprintln(t, one.line())
	}
	return t.Flush()
}

type listedContext struct {
	Name     string `json:"name"`
	Selected bool   `json:"selected"`
	savedContext
}

// line returns the context as a row of a tabwriter.
func (l listedContext) line() string {
	star, key := " ", "no key"
	if l.Selected {
		star = "*"
	}
	if l.Key != "" {
		key, _, _ = strings.Cut(l.Key, "+")
		key = "key of " + key
	}
	return fmt.Sprintf("%s %s\t%s\t%s\t%s", star, l.Name, cell(l.Server, 60), cell(l.Log, 30), cell(key, 60))
}
