// Command sealstream runs the whole log in one process (sealstream up), and has every verb that
// agents, investigators and auditors need.
//
// It exits with 0 for yes, with 1 if a check failed, and with 2 on wrong use or if it could not
// find out.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/sealstream/sealstream/internal/program"
)

func main() {
	if name := filepath.Base(os.Args[0]); program.IsProgram(name) { // called by a link, as in the image
		os.Exit(program.Program(name))
	}
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// commands is the command line: one field a verb, each in a file of its own.
type commands struct {
	JSON       bool             `help:"Print JSON."`
	Server     string           `help:"URL of the API (default http://127.0.0.1:8420)." env:"SEALSTREAM_SERVER" placeholder:"URL"`
	Log        string           `help:"Name of the log (default: default)." env:"SEALSTREAM_LOG" placeholder:"NAME"`
	CA         string           `help:"PEM file of the CA certificates that verify the server of an https URL. Default: those of the system." name:"ca" env:"SEALSTREAM_CA" placeholder:"FILE"`
	ClientCert string           `help:"PEM file of a client certificate, which proves to the server who asks." name:"client-cert" env:"SEALSTREAM_CLIENT_CERT" placeholder:"FILE"`
	ClientKey  string           `help:"PEM file of its private key." name:"client-key" env:"SEALSTREAM_CLIENT_KEY" placeholder:"FILE"`
	TokenFile  string           `help:"File of the bearer token to send to the server. SEALSTREAM_API_TOKEN can hold the token itself." env:"SEALSTREAM_TOKEN_FILE" placeholder:"FILE"`
	Use        string           `help:"Saved context to ask, see sealstream context." env:"SEALSTREAM_USE" predictor:"context" placeholder:"CONTEXT"`
	Wide       bool             `help:"On a terminal, let tables be wider than it."`
	UTC        bool             `help:"On a terminal, show times in UTC. Pipes and --json have UTC in any case." name:"utc"`
	Version    kong.VersionFlag `help:"Print the version."`

	Up     upCmd     `cmd:"" alone:"" group:"record" help:"Run the whole log in this process, with an embedded NATS server."`
	Record recordCmd `cmd:"" group:"record" name:"log" help:"Record one event."`
	Import importCmd `cmd:"" group:"record" help:"Record the events of a file."`
	Redact redactCmd `cmd:"" alone:"" group:"record" help:"Show what redaction would remove from a file."`

	Query  queryCmd  `cmd:"" group:"read" help:"List entries by filters, newest page first."`
	Get    getCmd    `cmd:"" group:"read" help:"Show one entry."`
	Tail   tailCmd   `cmd:"" group:"read" help:"Show the newest entries, and follow new ones with -f."`
	Trace  traceCmd  `cmd:"" group:"read" help:"Draw a trace or a session as a tree."`
	Alerts alertsCmd `cmd:"" group:"read" help:"List and follow alerts, and show undelivered webhooks."`
	Replay replayCmd `cmd:"" group:"read" help:"Replay past entries to the terminal, a NATS subject or an HTTP endpoint."`
	Export exportCmd `cmd:"" group:"read" help:"Write entries to a file that can be verified offline."`

	Prove      proveCmd      `cmd:"" group:"prove" help:"Prove that an entry is in the log."`
	Verify     verifyCmd     `cmd:"" group:"prove" help:"Check a proof, an export, a data directory or a running log."`
	Checkpoint checkpointCmd `cmd:"" group:"prove" help:"Print the newest signed checkpoint."`
	Compliance complianceCmd `cmd:"" group:"prove" help:"Look for evidence of controls, and check attestations."`
	Component  componentCmd  `cmd:"" group:"prove" help:"Declare components that controls require."`
	Report     reportCmd     `cmd:"" group:"prove" help:"Write an audit report on a period."`
	Integrity  integrityCmd  `cmd:"" alone:"" group:"prove" help:"Check that this program is the one that was built."`
	Witness    witnessCmd    `cmd:"" alone:"" group:"prove" help:"Cosign the checkpoints of other logs."`
	Demo       demoCmd       `cmd:"" alone:"" group:"prove" help:"Demonstrate what tampering the log detects."`

	Doctor  doctorCmd  `cmd:"" group:"operate" help:"Diagnose this machine, a data directory and a server."`
	Archive archiveCmd `cmd:"" group:"operate" help:"List or check the archive of a log."`
	Sink    sinkCmd    `cmd:"" alone:"" group:"operate" help:"Check the files of a file sink, or of the agent-governance-toolkit."`
	Key     keyCmd     `cmd:"" alone:"" group:"operate" help:"Rotate the signing key of a log."`
	Keygen  keygenCmd  `cmd:"" alone:"" group:"operate" help:"Create the keys of a new log, for services that run separately."`
	Rules   rulesCmd   `cmd:"" alone:"" group:"operate" help:"Raise the sealing rules of a log."`
	Token   tokenCmd   `cmd:"" alone:"" group:"operate" help:"Create, list and revoke bearer tokens."`
	Access  accessCmd  `cmd:"" alone:"" group:"operate" help:"Check the rules of access, and explain decisions."`
	Cert    certCmd    `cmd:"" alone:"" group:"operate" help:"Create a private certificate authority, and certificates for TLS."`
	Admin   adminCmd   `cmd:"" alone:"" group:"operate" help:"Create the streams of a log on a cluster, and configure its servers and users."`
	Migrate migrateCmd `cmd:"" alone:"" group:"operate" help:"Move the log of a data directory onto a NATS server or cluster."`
	Proxy   proxyCmd   `cmd:"" alone:"" group:"operate" help:"Reverse proxy in front of several replicas of a service."`
	Front   proxyCmd   `cmd:"" alone:"" hidden:""` // old name of proxy
	Subject subjectCmd `cmd:"" alone:"" group:"operate" help:"Print the NATS subject of an agent."`
	Bench   benchCmd   `cmd:"" alone:"" group:"operate" help:"Measure the log's speed on this machine."`

	Context    contextCmd    `cmd:"" alone:"" group:"program" help:"Save servers, logs and keys under a name."`
	Completion completionCmd `cmd:"" alone:"" group:"program" help:"Print the script that completes verbs and flags in a shell."`
	Man        manCmd        `cmd:"" alone:"" group:"program" help:"Print the manual page."`
	Help       helpCmd       `cmd:"" alone:"" group:"program" help:"Explain a verb."`
	Versions   versionCmd    `cmd:"" alone:"" group:"program" name:"version" help:"Print the version."`
}

// run is main without the process, for tests in Go. It returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	parser, exit := newParser(&c, stdout, stderr)
	if completes(parser) {
		return 0
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	if err := configure(parser, args); err != nil {
		return wrong(args, stderr, err)
	}
	parsed, err := parser.Parse(args)
	if *exit >= 0 { // --help and --version
		return *exit
	}
	if err != nil {
		return wrong(args, stderr, fmt.Errorf("%w (see --help)", err))
	}
	if flags := parsed.Flags(); program.WantsConfig(flags) {
		if err := program.PrintConfig(stdout, flags); err != nil {
			return wrong(args, stderr, err)
		}
		return 0
	}
	where, err := resolve(c.where(), c.Use)
	if errors.Is(err, errSelected) && !asks(parsed) {
		where, err = savedContext{}.over(c.where()), nil
	}
	if err != nil {
		return wrong(args, stderr, err)
	}
	web, token := transport, ""
	if asks(parsed) {
		if web, err = transportOver(where.tlsFiles()); err == nil {
			token, err = readToken(os.Getenv("SEALSTREAM_API_TOKEN"), where.TokenFile)
		}
		if err != nil {
			return wrong(args, stderr, err)
		}
	}
	if asks(parsed) {
		log.SetOutput(io.Discard) // where net/http writes about servers that do not speak HTTP
	}
	a := &app{
		ctx:      ctx,
		in:       stdin,
		out:      &output{Writer: stdout},
		err:      stderr,
		json:     c.JSON,
		wide:     c.Wide,
		utc:      c.UTC,
		server:   where.Server,
		logName:  where.Log,
		key:      where.Key,
		token:    token,
		tokenFor: where.tokenFor(c.TokenFile),

		transport: web,
		overTLS:   where.overTLS(),
	}
	return a.exit(parsed.Run(a, &c))
}

// where returns what the flags say of the server and the log.
func (c *commands) where() savedContext {
	return savedContext{Server: c.Server, Log: c.Log, CA: c.CA, ClientCert: c.ClientCert, ClientKey: c.ClientKey,
		TokenFile: c.TokenFile}
}

// exit prints an error, unless it has been printed already, and returns the exit status.
func (a *app) exit(err error) int {
	if log, ok := a.err.(*program.LogWriter); ok {
		defer log.Flush()
	}
	if err == nil {
		err = lost(a.out)
	}
	if err == nil {
		return 0
	}
	status, kind := 2, "Error"
	if errors.Is(err, errFailed) {
		status, kind = 1, "CheckFailed"
	}
	if _, ok := errors.AsType[shown](err); !ok {
		a.tell(plain(noUser(err.Error())), kind)
	}
	return status
}

// wrong prints an error that keeps a verb from starting, and returns the exit status.
func wrong(args []string, stderr io.Writer, err error) int {
	a := &app{err: stderr, json: slices.Contains(args, "--json")}
	a.tell(err.Error(), "ValidationError")
	return 2
}

// tell prints an error to standard error, as one line: a text, which is wrapped on a terminal, or a
// JSON object with --json.
func (a *app) tell(text, kind string) {
	if !a.json {
		s := styleOf(a.err)
		for line := range strings.Lines("sealstream: " + text) {
			io.WriteString(a.err, s.wrap(strings.TrimSuffix(line, "\n"), 2))
		}
		return
	}
	b := &app{out: a.err}
	b.encode(jsonError{"error", text, kind}, false)
}
