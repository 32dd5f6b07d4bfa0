package program

import (
	"context"

	"github.com/sealstream/sealstream/internal/node"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/pkg/sink"
)

// ingestFlags are the flags of the program ingest.
type ingestFlags struct {
	serviceFlags
	HTTP       string `help:"Address to listen on." default:"127.0.0.1:8410" env:"SEALSTREAM_HTTP" placeholder:"ADDR"`
	Key        string `help:"File with the log's public key, for receipts of sealed events." default:"log.pub" type:"path" placeholder:"FILE"`
	EventsOpen bool   `help:"Accept any source on submit.open. Use it only if NATS has no authentication."`

	WitnessPolicy string `help:"File of the sealer's witness policy, for receipts of witnessed events." type:"path" env:"SEALSTREAM_WITNESS_POLICY" placeholder:"FILE"`
}

// Serve runs the service until ctx is done.
func (f *ingestFlags) Serve(ctx context.Context) error {
	return (&node.IngestService{
		ServiceConfig: f.config(), MemoryFlags: f.MemoryFlags,
		HTTP: f.HTTP, Key: f.Key, EventsOpen: f.EventsOpen, WitnessPolicy: f.WitnessPolicy,
	}).Serve(ctx)
}

// queryFlags are the flags of the program query.
type queryFlags struct {
	serviceFlags
	settings.DiskFlags
	HTTP  string `help:"Address to listen on." default:"127.0.0.1:8420" env:"SEALSTREAM_HTTP" placeholder:"ADDR"`
	Key   string `help:"File with the log's public key." default:"log.pub" type:"path" placeholder:"FILE"`
	Index string `help:"Folder for the index, for a fast restart. Without it, the index is in memory only." env:"SEALSTREAM_INDEX" type:"path" placeholder:"DIR"`
}

// Serve runs the service until ctx is done.
func (f *queryFlags) Serve(ctx context.Context) error {
	return (&node.QueryService{
		ServiceConfig: f.config(), DiskFlags: f.DiskFlags, MemoryFlags: f.MemoryFlags,
		HTTP: f.HTTP, Key: f.Key, Index: f.Index,
	}).Serve(ctx)
}

// alertFlags are the flags of the program alert.
type alertFlags struct {
	serviceFlags
	HTTP          string   `help:"Address to listen on." default:"127.0.0.1:8430" env:"SEALSTREAM_HTTP" placeholder:"ADDR"`
	Key           string   `help:"File with the log's public key." default:"log.pub" type:"path" placeholder:"FILE"`
	Rules         string   `help:"Rules file (YAML)." type:"path" env:"SEALSTREAM_ALERT_RULES" placeholder:"FILE"`
	Webhook       []string `help:"URL that receives alerts, in addition to the webhooks of the rules file." sep:"none" secret:"" placeholder:"URL"`
	WebhookSecret string   `help:"File with the secret to sign webhooks with." type:"path" placeholder:"FILE"`
}

// Serve runs the service until ctx is done.
func (f *alertFlags) Serve(ctx context.Context) error {
	return (&node.AlertService{
		ServiceConfig: f.config(), HTTP: f.HTTP, Key: f.Key,
		Rules: f.Rules, Webhook: f.Webhook, WebhookSecret: f.WebhookSecret,
	}).Serve(ctx)
}

// archiverFlags are the flags of the program archiver.
type archiverFlags struct {
	serviceFlags
	settings.DiskFlags
	Key        string `help:"File with the log's public key." default:"log.pub" type:"path" placeholder:"FILE"`
	TrimSealed uint64 `help:"Keep only this many newest entries in SEALED and PAYLOADS, and remove older ones that are archived. 0 keeps all." env:"SEALSTREAM_TRIM_SEALED" placeholder:"N"`
	Metrics    string `help:"Address of /metrics, /healthz, /readyz and /v1/archive. Empty: none." default:"127.0.0.1:9465" env:"SEALSTREAM_METRICS" placeholder:"ADDR"`
}

// Serve runs the service until ctx is done.
func (f *archiverFlags) Serve(ctx context.Context) error {
	return (&node.ArchiverService{
		ServiceConfig: f.config(), DiskFlags: f.DiskFlags,
		Key: f.Key, TrimSealed: f.TrimSealed, Metrics: f.Metrics,
	}).Serve(ctx)
}

// sinkFlags are the flags of the program sink.
type sinkFlags struct {
	serviceFlags
	settings.DiskFlags
	Sink []string `help:"URL of a sink, which receives every entry: file:///PATH?key_file=F, postgres://…, nats://HOST/SUBJECT, https://… or stdout:. Repeat it for several." sep:"none" placeholder:"URL"`
	Key  string   `help:"File with the log's public key." default:"log.pub" type:"path" placeholder:"FILE"`
	HTTP string   `help:"Address of /metrics, /healthz and /readyz. Empty: none." default:"127.0.0.1:9466" env:"SEALSTREAM_HTTP" placeholder:"ADDR"`

	Schemes sink.Schemes `kong:"-"` // kinds of sinks besides the built-in ones
}

// Serve runs the service until ctx is done.
func (f *sinkFlags) Serve(ctx context.Context) error {
	cfg := f.config()
	cfg.Plugins = Plugins(f.Schemes)
	return (&node.SinkService{
		ServiceConfig: cfg, DiskFlags: f.DiskFlags,
		Sink: f.Sink, Key: f.Key, HTTP: f.HTTP,
	}).Serve(ctx)
}
