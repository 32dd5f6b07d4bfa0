package main

import (
	"errors"
	"fmt"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"

	"github.com/sealstream/sealstream/internal/program"
)

// completes prints completions and returns true if a shell asks for them, in the variables
// COMP_LINE and COMP_POINT.
func completes(parser *kong.Kong) (asked bool) {
	verbs := func() []string {
		var names []string
		for _, verb := range parser.Model.Children {
			if !verb.Hidden {
				names = append(names, verb.Name)
			}
		}
		return names
	}
	kongcompletion.Register(parser, kongcompletion.WithPredictors(predictors(verbs)),
		kongcompletion.WithExitFunc(func(int) { asked = true }))
	return asked
}

type completionCmd struct {
	Shell string `arg:"" help:"Name of the shell: bash, zsh or fish." enum:"bash,zsh,fish"`
}

func (*completionCmd) Help() string {
	return "Examples:\n  source <(sealstream completion bash)\n" +
		"  sealstream completion fish > ~/.config/fish/completions/sealstream.fish"
}

// Run prints the script that a shell reads to complete verbs and flags.
func (c *completionCmd) Run(ctx *kong.Context) error {
	return (&kongcompletion.Completion{Shell: c.Shell, Code: true}).Run(ctx)
}

type versionCmd struct{}

func (*versionCmd) Help() string { return "Example:\n  sealstream version --json" }

// Run prints the version, as --version does.
func (*versionCmd) Run(a *app) error {
	if a.json {
		return a.print(program.BuildInfo())
	}
	b := program.BuildInfo()
	_, err := fmt.Fprintf(a.out, "sealstream %s (%s, %s)\n", b.Version, b.Go, b.Platform)
	return err
}

type helpCmd struct {
	Verb []string `arg:"" optional:"" predictor:"verb" help:"Verb to explain. Without it, all verbs are listed."`
}

func (*helpCmd) Help() string { return "Examples:\n  sealstream help\n  sealstream help context add" }

// Run prints the help of a verb, as --help behind it does.
func (c *helpCmd) Run(a *app) error {
	if run(a.ctx, append(c.Verb, "--help"), a.in, a.out, a.err) != 0 {
		return shown{errors.New("no help")}
	}
	return nil
}
