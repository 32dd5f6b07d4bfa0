// Command sealstream is the whole of sealstream: the log in one process (up), and every verb of agents, investigators and auditors.
//
// It exits with 0 if what was asked for is so, 1 if a check failed, and 2 if it was used wrongly or could not find out.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/sealstream/sealstream/pkg/compliance"
	"github.com/sealstream/sealstream/pkg/node"
)

func main() {
	if name := filepath.Base(os.Args[0]); node.IsProgram(name) { // a link in an image
		os.Exit(node.Program(name))
	}
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// commands is the command line: one field a verb, each in a file of its own.
type commands struct {
	JSON    bool             `help:"Print JSON."`
	Server  string           `help:"Where the API is (default http://127.0.0.1:8420)." default:"http://127.0.0.1:8420" env:"SEALSTREAM_SERVER" placeholder:"URL"`
	Log     string           `help:"Name of the log (default: default)." default:"default" env:"SEALSTREAM_LOG" placeholder:"NAME"`
	Version kong.VersionFlag `help:"Print the version."`

	Up         upCmd         `cmd:"" help:"Run the whole log in this process, with an embedded NATS server."`
	Record     recordCmd     `cmd:"" name:"log" help:"Record one event."`
	Import     importCmd     `cmd:"" help:"Record the events of a file."`
	Query      queryCmd      `cmd:"" help:"List entries by filters, newest page first."`
	Get        getCmd        `cmd:"" help:"Show one entry."`
	Tail       tailCmd       `cmd:"" help:"Show the newest entries, and with -f those to come."`
	Trace      traceCmd      `cmd:"" help:"Draw a trace or a session as a tree."`
	Replay     replayCmd     `cmd:"" help:"Tell history again: to the terminal, onto NATS, or over HTTP."`
	Prove      proveCmd      `cmd:"" help:"Prove that an entry is in the log."`
	Verify     verifyCmd     `cmd:"" help:"Check a proof, an export, a data directory or a running log."`
	Export     exportCmd     `cmd:"" help:"Write entries with all that is needed to verify them offline."`
	Archive    archiveCmd    `cmd:"" help:"List or check the archive of a log."`
	Checkpoint checkpointCmd `cmd:"" help:"Print the newest signed checkpoint."`
	Alerts     alertsCmd     `cmd:"" help:"List and follow alerts, and show what webhooks did not take."`
	Sink       sinkCmd       `cmd:"" help:"Check the files of a file sink, or of the agent-governance-toolkit."`
	Redact     redactCmd     `cmd:"" help:"Show what would be taken out of events."`
	Witness    witnessCmd    `cmd:"" help:"Cosign the checkpoints of other logs."`
	Front      frontCmd      `cmd:"" help:"One address before several replicas of a service."`
	Subject    subjectCmd    `cmd:"" help:"Print the NATS subject of an agent."`
	Admin      adminCmd      `cmd:"" help:"Make and change the streams of a log on a cluster, and say who may do what there."`
	Migrate    migrateCmd    `cmd:"" help:"Move the log of a data directory onto a NATS server or cluster."`
	Keygen     keygenCmd     `cmd:"" help:"Make the keys of a new log, for services that run apart."`
	Key        keyCmd        `cmd:"" help:"Change the signing key of a log that goes on."`
	Demo       demoCmd       `cmd:"" help:"Show what the log is worth."`
	Bench      benchCmd      `cmd:"" help:"Measure this machine."`
	Compliance complianceCmd `cmd:"" help:"Look for evidence of controls, and check attestations."`
	Component  componentCmd  `cmd:"" help:"Declare components that controls ask for."`
	Report     reportCmd     `cmd:"" help:"Report on a period."`
	Integrity  integrityCmd  `cmd:"" help:"Check that this program is the one that was built."`
	Doctor     doctorCmd     `cmd:"" help:"Look for what is wrong with this machine, a data directory or a server."`
}

const description = `A tamper-evident, ordered, durable audit log for AI agents.

Exit status: 0 yes, 1 a check failed, 2 wrong use or no answer.`

// run is main without the process: the scripts in testdata call it through the binary, tests in Go directly.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	exit := -1
	parser, err := kong.New(&c, kong.Name("sealstream"), kong.Description(description), kong.Writers(stdout, stderr),
		kong.Vars{"version": version(), "frameworks": strings.Join(compliance.Frameworks(), ", ")}, kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.Exit(func(code int) { exit = code }))
	if err != nil {
		panic(err) // the grammar above is wrong
	}
	if err := configure(parser, args); err != nil {
		fmt.Fprintf(stderr, "sealstream: %v\n", err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 { // --help and --version
		return exit
	}
	if err != nil {
		fmt.Fprintf(stderr, "sealstream: %v (see --help)\n", err)
		return 2
	}
	if flags := parsed.Flags(); node.WantsConfig(flags) {
		if err := node.PrintConfig(stdout, flags); err != nil {
			fmt.Fprintf(stderr, "sealstream: %v\n", err)
			return 2
		}
		return 0
	}
	a := &app{ctx: ctx, in: stdin, out: stdout, err: stderr, json: c.JSON, server: c.Server, log: c.Log}
	return a.exit(parsed.Run(a))
}

// configure gives the verbs that are programs of their own their settings from the environment and from a configuration file.
func configure(parser *kong.Kong, args []string) error {
	for _, verb := range parser.Model.Children {
		if !slices.Contains(args, verb.Name) || !hasConfig(verb) {
			continue
		}
		for _, inner := range append([]*kong.Node{verb}, verb.Children...) {
			node.ConfigVariables(inner.Flags)
		}
		file, err := node.ConfigFile(verb.Name, args)
		if err != nil || file == nil {
			return err
		}
		return kong.Resolvers(file).Apply(parser)
	}
	return nil
}

// hasConfig says whether a verb, or one below it, takes --config.
func hasConfig(verb *kong.Node) bool {
	return slices.ContainsFunc(verb.Flags, func(f *kong.Flag) bool { return f.Name == "config" }) || slices.ContainsFunc(verb.Children, hasConfig)
}

// exit tells an error to the user, once, and gives the exit status.
func (a *app) exit(err error) int {
	if err == nil {
		return 0
	}
	if _, ok := errors.AsType[shown](err); !ok {
		fmt.Fprintf(a.err, "sealstream: %s\n", plain(err.Error()))
	}
	if errors.Is(err, errFailed) {
		return 1
	}
	return 2
}

// version is that of the module, and of the revision it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "(devel)" || v == "") {
			v = "devel " + s.Value
		}
	}
	return v
}
