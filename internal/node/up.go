package node

import (
	"fmt"
	"log/slog"

	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/settings"
)

// UpConfig is a log in one process.
type UpConfig struct {
	Plugins `json:"-"`

	Data       string              // data directory; made if there is none
	Log        string              // "": default
	Host       string              // first part of the origin of a log that is made now; "": sealstream.local
	HTTP       string              // address of the API; "": 127.0.0.1:8420. Beyond the loopback: see httpapi.Face
	TLS        settings.TLSFlags   // of the API
	Access     string              // file of the rules of access; "": whoever reaches the API may do everything
	NATS       string              // loopback address of NATS; "": 127.0.0.1:4222
	Relaxed    bool                // acknowledge before the fsync
	KeepEvents bool                // do not purge EVENTS behind the commit, so that it can be sealed again for comparison
	Sinks      []string            // URLs of sinks that the log is written to
	Policy     string              // witness policy file: whom to ask to cosign; "": nobody
	Close      bool                // the log takes no events of any source any more
	OpenEpoch  string              // reason to go on although EVENTS lost something; "": that is an error
	Streams    cluster.StreamFlags // sizes of the streams that are made now
	Alerts     AlertConfig         // what is told of the log beside the built-in types, and to whom
	Archive    bool                // write full segments into the ARCHIVE bucket
	// with Archive: trim SEALED and PAYLOADS behind it, but for this many newest entries; 0: they
	// are kept whole
	TrimSealed uint64
	// off, default, or a file of rules; "": default for a log that is made now, and no change to
	// one that is there
	Redaction string
	Disk      settings.DiskFlags   // when a disk counts as nearly full
	Memory    settings.MemoryFlags // how much memory it keeps to
	Logger    *slog.Logger         // nil: silent

	Integrity IntegrityConfig // what the program is compared with at start and each day

	memory bool      // the log ends with the process: no data directory, no NATS, no HTTP
	rules  redaction // instead of Redaction, if Redaction is empty
}

func (c *UpConfig) defaults() {
	for _, d := range []struct {
		field *string
		value string
	}{{&c.Log, "default"}, {&c.Host, "sealstream.local"}, {&c.HTTP, "127.0.0.1:8420"}, {&c.NATS, "127.0.0.1:4222"}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Relaxed = c.Relaxed || c.memory
}

// check finds what is wrong with the settings before anything is touched.
func (c *UpConfig) check() error {
	if err := settings.CheckNames(c.Host, c.Log); err != nil {
		return err
	}
	if c.TrimSealed > 0 && !c.Archive {
		return fmt.Errorf("%w: SEALED is trimmed behind an archive alone, and none is written", settings.ErrInvalid)
	}
	return httpapi.CheckLoopback(c.NATS)
}

// pipeline reads the files that the settings name, finds what is wrong with the settings, and
// returns what follows from them alone. It makes nothing.
func (c *UpConfig) pipeline() (pc pipelineConfig, err error) {
	if err := c.Integrity.check(); err != nil {
		return pc, err
	}
	alerts, err := c.Alerts.read(c.Plugins)
	if err != nil {
		return pc, err
	}
	if !c.Alerts.Off {
		pc.alerts = &alerts
	}
	if pc.sinks, err = readSinks(c.Sinks, c.Schemes, c.Logger); err != nil {
		return pc, err
	}
	redaction, err := c.readRedaction(c.Redaction)
	if err != nil {
		return pc, err
	}
	if c.Redaction == "" {
		redaction = c.rules
	}
	if c.Archive {
		pc.archiver = &archiverConfig{trimSealed: c.TrimSealed}
	}
	pc.plugins, pc.logger = c.Plugins, c.Logger
	pc.sealer = sealerConfig{redaction: redaction, closes: c.Close, openEpoch: c.OpenEpoch, keepEvents: c.KeepEvents}
	if c.Access != "" {
		pc.sealer.rules = ruleset.Blinding // older rules have no entries for the rules of access
	}
	pc.ingest = ingestConfig{limits: c.Memory, relaxed: c.Relaxed}
	pc.query = queryConfig{memory: c.memory, limits: c.Memory}
	return pc, nil
}
