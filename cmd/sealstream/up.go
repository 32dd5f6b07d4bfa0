package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/demo"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/node"
	"github.com/sealstream/sealstream/internal/program"
	"github.com/sealstream/sealstream/internal/settings"
)

type upCmd struct {
	program.ConfigFlags
	cluster.StreamFlags
	settings.DiskFlags
	settings.MemoryFlags
	settings.TLSFlags
	settings.AccessFlags
	Data       string `help:"Data directory, with the streams and the log's keys." default:"sealstream-data" type:"path" env:"SEALSTREAM_DATA" placeholder:"DIR"`
	HTTP       string `help:"Address of the API. Beyond the loopback, it needs TLS and access." name:"http" aliases:"listen" default:"127.0.0.1:8420" env:"SEALSTREAM_HTTP" placeholder:"ADDR"`
	NATS       string `help:"Loopback address of NATS. Programs without credentials share one user there and can read each other's receipts; with --access, they are refused." default:"127.0.0.1:4222" env:"SEALSTREAM_NATS" placeholder:"ADDR"`
	Host       string `help:"First part of the origin of a new log." default:"sealstream.local"`
	Demo       bool   `help:"Record 713 events of a real agent as a demonstration."`
	Relaxed    bool   `help:"Acknowledge events before the fsync. This is fast, but a power failure loses acknowledged events. Receipts and health pages show it."`
	KeepEvents bool   `help:"Keep events on EVENTS after sealing, so that sealing can be repeated and compared."`
	Close      bool   `help:"Stop accepting events of any source on events.open. The log records that. --access requires this for a log that accepts them." name:"close-events-open"`
	OpenEpoch  string `help:"Continue although EVENTS was created again or has lost messages. The reason and the loss are sealed." placeholder:"REASON"`

	Redaction string `help:"Redaction rules: off, default, or a YAML file of rules. Without it, a new log uses default, and an existing log keeps its rules." env:"SEALSTREAM_REDACTION" predictor:"redaction" placeholder:"off|default|FILE"`

	Alerts        bool     `help:"Send alerts for violations and for what the rules match." default:"true" negatable:""`
	AlertRules    string   `help:"YAML file of further alert rules and webhooks." type:"path" env:"SEALSTREAM_ALERT_RULES" placeholder:"FILE"`
	Webhook       []string `help:"URL that receives alerts, signed with the secret in DIR/webhook.secret." sep:"none" secret:"" placeholder:"URL"`
	WebhookSecret string   `help:"File of another secret to sign with." type:"path" placeholder:"FILE"`

	Archive    bool   `help:"Copy finished segments of the log into the ARCHIVE bucket." env:"SEALSTREAM_ARCHIVE"`
	TrimSealed uint64 `help:"With --archive: keep only this many newest entries in SEALED and PAYLOADS, and remove older ones that are archived. 0 keeps all." env:"SEALSTREAM_TRIM_SEALED" placeholder:"N"`

	Sink []string `help:"URL of a sink, which receives every entry: file:///PATH?key_file=F, postgres://…, nats://HOST/SUBJECT, https://… or stdout:. Repeat it for several." sep:"none" placeholder:"URL"`

	WitnessPolicy string `help:"File of the witness policy: which witnesses are asked to cosign, and how many must." type:"path" env:"SEALSTREAM_WITNESS_POLICY" placeholder:"FILE"`

	IntegrityManifest string `help:"Manifest to compare this program with, at start and daily. The result is sealed." type:"path" env:"SEALSTREAM_INTEGRITY_MANIFEST" placeholder:"FILE"`
	IntegrityKey      string `help:"Public key that must have signed the manifest, or its file." env:"SEALSTREAM_INTEGRITY_KEY" placeholder:"KEY|FILE"`

	serviceLog
}

func (*upCmd) Help() string {
	return `SIGTERM and SIGINT stop it cleanly, and so does closing its terminal. SIGHUP reopens the files of sinks.

Examples:
  sealstream up --demo
  sealstream up --data /var/lib/sealstream`
}

// Run runs the whole log in one process until a signal ends it.
func (c *upCmd) Run(a *app) (err error) {
	if c.Demo && c.Access != "" {
		return errors.New("--demo records without a credential; leave out --access, or the demonstration")
	}
	defer a.asService()()
	logger := c.logger(a)
	defer func() { err = c.told(logger, "sealstream", err) }()
	natsd.DoubleThreads()
	c.KeepTo()
	integrityKeys, err := readKeys(c.IntegrityKey)
	if err != nil {
		return err
	}
	n, err := node.Up(a.ctx, node.UpConfig{
		Plugins:    program.Plugins(nil),
		Data:       c.Data,
		Log:        a.logName,
		Host:       c.Host,
		HTTP:       c.HTTP,
		TLS:        c.TLSFlags,
		Access:     c.Access,
		NATS:       c.NATS,
		Relaxed:    c.Relaxed,
		KeepEvents: c.KeepEvents,
		Close:      c.Close,
		OpenEpoch:  c.OpenEpoch,
		Logger:     logger,
		Streams:    c.StreamFlags,
		Disk:       c.DiskFlags,
		Memory:     c.MemoryFlags,
		Archive:    c.Archive,
		TrimSealed: c.TrimSealed,
		Policy:     c.WitnessPolicy,
		Sinks:      c.Sink,
		Redaction:  c.Redaction,
		Integrity:  node.IntegrityConfig{Manifest: c.IntegrityManifest, Keys: integrityKeys},
		Alerts:     node.AlertConfig{Off: !c.Alerts, Rules: c.AlertRules, Webhooks: c.Webhook, SecretFile: c.WebhookSecret},
	})
	if a.ctx.Err() != nil && err != nil {
		return nil // a signal stopped the start; the next start uses what was created
	} else if err != nil {
		return err
	}
	stopped := node.Began(a.ctx, logger, "sealstream", "version", program.Version(), "log", n.Origin(),
		"address", n.URL(), "nats", n.NATSURL(), "data", c.Data)
	defer func() { stopped(err) }()
	defer n.Close()
	c.banner(a, n)
	if c.Demo {
		if err := c.demo(a, n); err != nil && a.ctx.Err() == nil {
			return errors.Join(err, n.Close())
		}
	}
	return n.Wait(a.ctx)
}

// banner prints the addresses, the key and an example to paste.
func (c *upCmd) banner(a *app, n *node.Node) {
	if a.json {
		a.print(map[string]string{
			"api":        n.URL(),
			"nats":       n.NATSURL(),
			"key":        n.Key(),
			"origin":     n.Origin(),
			"data":       c.Data,
			"durability": n.Durability(),
		})
		return
	}
	fmt.Fprintf(a.out, `sealstream is up

  API    %s
  NATS   %s
  data   %s
  log    %s
  key    %s

`, n.URL(), n.NATSURL(), c.Data, n.Origin(), n.Key())
	if c.Relaxed {
		fmt.Fprint(a.out, "  RELAXED: events are acknowledged before they are on disk; a power failure loses them.\n\n")
	}
	curl := "curl -s"
	if strings.HasPrefix(n.URL(), "https:") {
		curl += " --cacert CA.pem"
	}
	if c.Access != "" {
		curl += ` -H "Authorization: Bearer $TOKEN"`
		fmt.Fprintf(a.out, "Make a token:\n\n  sealstream token create --access %s --name NAME --publish DID --read all\n\n",
			c.Access)
	}
	fmt.Fprintf(a.out, `Record an event, and prove it:

  %[2]s '%[1]s/v1/events?wait=sealed' -H 'Content-Type: application/cloudevents+json' -d '{
    "specversion":"1.0","id":"demo-1","source":"did:web:agent.example.com","type":"ai.agentmesh.tool.invoked",
    "subject":"/crm/contacts","action":"allow","outcome":"success","data":{"query":"acme"}}'
  %[2]s '%[1]s/v1/entries/id/demo-1/proof'

`, n.URL(), curl)
}

// demo records the events of the demonstration in the names of their agents.
func (c *upCmd) demo(a *app, n *node.Node) error {
	if err := n.CaughtUp(a.ctx); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	bar := a.progress("events", demo.Count)
	to := demo.Log{Name: a.logName, HTTP: n.Client(), NATS: n.NATSURL()}
	played, err := demo.Play(a.ctx, to, func(n int) { bar.at(uint64(n)) })
	bar.done()
	if err == nil {
		n.Drain(a.ctx)
	}
	if err != nil || a.json {
		return err
	}
	if played == 0 {
		fmt.Fprintln(a.out, "demo: this log contains its events already")
	} else {
		fmt.Fprintf(a.out, "demo: recorded %d events of a real agent (tau-bench, MIT licence)\n", played)
	}
	fmt.Fprintf(a.out, "\n  sealstream query --type policy_violation%s\n  sealstream verify %s --key %s%s\n\n",
		hintFlags(n.URL(), a.logName), n.URL(), shellWord(shellPath(n.Dir().Join("log.pub"))),
		hintFlags(defaultServer, a.logName))
	return nil
}

// shellPath makes a path below the working directory relative to it.
func shellPath(path string) string {
	wd, err := os.Getwd()
	if err == nil && len(path) > len(wd)+1 && path[:len(wd)+1] == wd+"/" {
		return path[len(wd)+1:]
	}
	return path
}
