package program

import (
	"context"

	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/node"
	"github.com/sealstream/sealstream/internal/settings"
)

// sealerFlags are the flags of the program sealer.
type sealerFlags struct {
	serviceFlags
	cluster.StreamFlags
	settings.DiskFlags
	Keys         string `help:"Folder with log.key and log.secret, as keygen creates it. It is only read." default:"." type:"path" placeholder:"DIR"`
	State        string `help:"Folder for the newest checkpoint that this host has seen, and for the snapshot that makes the next start fast. Default: the folder of the keys." type:"path" placeholder:"DIR"`
	StreamsExist bool   `help:"Make no streams: wait until \"sealstream admin apply\" has. For a sealer whose NATS user may not make them."`
	EventsOpen   bool   `help:"For a new log: accept any source on events.open. Use it only if NATS has no authentication."`
	Close        bool   `help:"Stop accepting events of any source on events.open. The log records that. --access requires this for a log that accepts them." name:"close-events-open"`
	OpenEpoch    string `help:"Continue although EVENTS was created again or has lost messages. The reason and the loss are sealed." placeholder:"REASON"`
	Metrics      string `help:"Address of /metrics, /healthz and /readyz. Empty: none." default:"127.0.0.1:9464" env:"SEALSTREAM_METRICS" placeholder:"ADDR"`
	Holder       string `help:"Name of this sealer if a log has several. One seals, the others are warm standbys. Without a name it seals at once." env:"SEALSTREAM_HOLDER" placeholder:"NAME"`
	Redaction    string `help:"Redaction rules: off, default, or a YAML file of rules. Without it, a new log uses default, and an existing log keeps its rules." env:"SEALSTREAM_REDACTION" placeholder:"off|default|FILE"`

	Rules uint64 `help:"Sealing rules of a new log, 3 or 4. Services with --access need 4. An existing log keeps its rules." enum:"3,4" default:"3" env:"SEALSTREAM_RULES" placeholder:"N"`

	WitnessPolicy string `help:"File of the witness policy: which witnesses are asked to cosign, and how many must." type:"path" env:"SEALSTREAM_WITNESS_POLICY" placeholder:"FILE"`
}

// Serve runs the service until ctx is done.
func (f *sealerFlags) Serve(ctx context.Context) error {
	return (&node.SealerService{
		ServiceConfig: f.config(), StreamFlags: f.StreamFlags, DiskFlags: f.DiskFlags,
		Keys: f.Keys, State: f.State, StreamsExist: f.StreamsExist, EventsOpen: f.EventsOpen,
		Close: f.Close, OpenEpoch: f.OpenEpoch, Metrics: f.Metrics, Holder: f.Holder, Redaction: f.Redaction,
		Rules: f.Rules, WitnessPolicy: f.WitnessPolicy,
	}).Serve(ctx)
}
