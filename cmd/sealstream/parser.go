package main

import (
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/sealstream/sealstream/internal/program"
	"github.com/sealstream/sealstream/pkg/compliance"
)

// groups are the headings under which help lists the verbs.
var groups = []kong.Group{
	{Key: "record", Title: "Record:"},
	{Key: "read", Title: "Read:"},
	{Key: "prove", Title: "Prove and verify:"},
	{Key: "operate", Title: "Operate:"},
	{Key: "program", Title: "This program:"},
}

const description = `A tamper-evident, ordered, durable audit log for AI agents.

Exit status: 0 yes, 1 a check failed, 2 wrong use or no answer.`

// newParser makes the parser of the command line. exit is set to the status of a flag that
// ends the program, such as --help. Until then it is negative.
func newParser(c *commands, stdout, stderr io.Writer) (parser *kong.Kong, exit *int) {
	exit = new(int)
	*exit = -1
	parser, err := kong.New(
		c,
		kong.Name("sealstream"),
		kong.Description(description),
		kong.Writers(stdout, stderr),
		kong.Vars{
			"version":    program.Version(),
			"frameworks": strings.Join(compliance.Frameworks(), ", "),
		},
		kong.ExplicitGroups(groups),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.Exit(func(code int) { *exit = code }),
	)
	if err != nil {
		panic(err) // a struct tag of commands is wrong
	}
	return parser, exit
}

// asks reports whether a verb asks a server. Those that do not have the tag alone.
func asks(parsed *kong.Context) bool {
	return !slices.ContainsFunc(parsed.Path, func(p *kong.Path) bool {
		return p.Command != nil && p.Command.Tag.Has("alone")
	})
}

// configure takes settings from the environment and from a configuration file, for the verbs that
// have --config.
func configure(parser *kong.Kong, args []string) error {
	for _, verb := range parser.Model.Children {
		if !slices.Contains(args, verb.Name) || !hasConfig(verb) {
			continue
		}
		for _, inner := range append([]*kong.Node{verb}, verb.Children...) {
			program.ConfigVariables(inner.Flags)
		}
		file, err := program.ConfigFile(verb.Name, args)
		if err != nil || file == nil {
			return err
		}
		return kong.Resolvers(file).Apply(parser)
	}
	return nil
}

// hasConfig reports whether a verb, or one below it, has --config.
func hasConfig(verb *kong.Node) bool {
	return slices.ContainsFunc(verb.Flags, func(f *kong.Flag) bool { return f.Name == "config" }) ||
		slices.ContainsFunc(verb.Children, hasConfig)
}
