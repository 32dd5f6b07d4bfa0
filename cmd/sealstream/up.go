package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/sealstream/sealstream/pkg/node"
)

type upCmd struct {
	node.ConfigFlags
	node.StreamFlags
	Data       string `help:"Data directory: the streams and the log's keys." default:"sealstream-data" type:"path" env:"SEALSTREAM_DATA" placeholder:"DIR"`
	HTTP       string `help:"Where the API listens." default:"127.0.0.1:8420" env:"SEALSTREAM_HTTP" placeholder:"ADDR"`
	NATS       string `help:"Where NATS listens." default:"127.0.0.1:4222" env:"SEALSTREAM_NATS" placeholder:"ADDR"`
	Host       string `help:"First part of the origin of a log that is made now." default:"sealstream.local"`
	Demo       bool   `help:"Play the recorded events of a real agent in."`
	Relaxed    bool   `help:"Acknowledge before the fsync: fast, and a power failure loses what was acknowledged. Receipts and health say so."`
	KeepEvents bool   `help:"Do not purge EVENTS behind the commit, so that sealing can be done again and compared."`
	OpenEpoch  string `help:"Go on although EVENTS lost what was sealed from; the reason is sealed with what was lost." placeholder:"REASON"`

	Redaction string `help:"What secrets are taken out of events: off, default, or a file of rules (YAML). None: default for a log that is made now, and no change to one that is there." env:"SEALSTREAM_REDACTION" placeholder:"off|default|FILE"`

	Alerts        bool     `help:"Tell of violations and what the rules match." default:"true" negatable:""`
	AlertRules    string   `help:"Rules file (YAML): what else to tell, and webhooks." type:"path" env:"SEALSTREAM_ALERT_RULES" placeholder:"FILE"`
	Webhook       []string `help:"Where alerts are sent too, signed with the secret in DIR/webhook.secret." sep:"none" placeholder:"URL"`
	WebhookSecret string   `help:"File with the secret to sign with instead." type:"path" placeholder:"FILE"`

	Archive    bool   `help:"Write full segments of the log into the ARCHIVE bucket." env:"SEALSTREAM_ARCHIVE"`
	TrimSealed uint64 `help:"With --archive: trim SEALED and PAYLOADS behind it, but for this many newest entries; 0: keep them whole." env:"SEALSTREAM_TRIM_SEALED" placeholder:"N"`

	Sink []string `help:"Where the log is written to besides: file:///var/log/audit.jsonl?key_file=F, postgres://…, nats://HOST/SUBJECT, https://…, stdout:." sep:"none" placeholder:"URL"`

	WitnessPolicy string `help:"Witness policy: whom to ask to cosign checkpoints, and how many are enough." type:"path" env:"SEALSTREAM_WITNESS_POLICY" placeholder:"FILE"`

	IntegrityManifest string `help:"Manifest that this program is compared with at start and each day; what comes of it is sealed." type:"path" env:"SEALSTREAM_INTEGRITY_MANIFEST" placeholder:"FILE"`
	IntegrityKey      string `help:"Public key that must have signed it, or its file." env:"SEALSTREAM_INTEGRITY_KEY" placeholder:"KEY|FILE"`

	Verbose bool `help:"Log what goes on." short:"v"`
}

func (*upCmd) Help() string {
	return "Examples:\n  sealstream up --demo\n  sealstream up --data /var/lib/sealstream"
}

// Run is the whole log in one process, until a signal ends it.
func (c *upCmd) Run(a *app) error {
	level := slog.LevelWarn
	if c.Verbose {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
	node.Threads()
	integrityKeys, err := readKeys(c.IntegrityKey)
	if err != nil {
		return err
	}
	n, err := node.Up(a.ctx, node.UpConfig{
		Data: c.Data, Log: a.log, Host: c.Host, HTTP: c.HTTP, NATS: c.NATS, Relaxed: c.Relaxed, KeepEvents: c.KeepEvents, OpenEpoch: c.OpenEpoch, Logger: log,
		Streams: c.StreamFlags, Archive: c.Archive, TrimSealed: c.TrimSealed, Policy: c.WitnessPolicy, Sinks: c.Sink, Redaction: c.Redaction,
		Integrity: node.IntegrityConfig{Manifest: c.IntegrityManifest, Keys: integrityKeys},
		Alerts:    node.AlertConfig{Off: !c.Alerts, Rules: c.AlertRules, Webhooks: c.Webhook, SecretFile: c.WebhookSecret},
	})
	if a.ctx.Err() != nil && err != nil {
		return nil // stopped while it started: whatever was made stays for the next start
	} else if err != nil {
		return err
	}
	defer n.Close()
	c.banner(a, n)
	if c.Demo {
		if err := c.demo(a, n); err != nil && a.ctx.Err() == nil {
			return errors.Join(err, n.Close())
		}
	}
	return n.Wait(a.ctx)
}

// banner says where everything is, and gives one example to paste.
func (c *upCmd) banner(a *app, n *node.Node) {
	if a.json {
		a.print(map[string]string{"api": n.URL(), "nats": n.NATSURL(), "key": n.Key(), "origin": n.Origin(), "data": c.Data, "durability": n.Durability()})
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
	fmt.Fprintf(a.out, `Record an event, and prove it:

  curl -s '%[1]s/v1/events?wait=sealed' -H 'Content-Type: application/cloudevents+json' -d '{
    "specversion":"1.0","id":"demo-1","source":"did:web:agent.example.com","type":"ai.agentmesh.tool.invoked",
    "subject":"/crm/contacts","action":"allow","outcome":"success","data":{"query":"acme"}}'
  curl -s '%[1]s/v1/entries/id/demo-1/proof'

`, n.URL())
}

// demo plays the recorded events in, as the agents that they are of.
func (c *upCmd) demo(a *app, n *node.Node) error {
	bar := a.progress("demo", node.DemoEvents)
	played, err := n.Demo(a.ctx, func(n int) { bar.at(uint64(n)) })
	bar.done()
	if err != nil || a.json {
		return err
	}
	if played == 0 {
		fmt.Fprintln(a.out, "demo: its events are in this log already")
	} else {
		fmt.Fprintf(a.out, "demo: %d recorded events of a real agent were played in (tau-bench, MIT licence)\n", played)
	}
	fmt.Fprintf(a.out, "\n  sealstream query --type policy_violation\n  sealstream verify %s --key %s\n\n", n.URL(), shellPath(n.Dir().Join("log.pub")))
	return nil
}

// shellPath shortens a path below the working directory.
func shellPath(path string) string {
	wd, err := os.Getwd()
	if err == nil && len(path) > len(wd)+1 && path[:len(wd)+1] == wd+"/" {
		return path[len(wd)+1:]
	}
	return path
}
