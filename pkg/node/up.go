package node

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/internal/natsd"
	"github.com/sealstream/sealstream/pkg/store"
	"github.com/sealstream/sealstream/pkg/store/natsstore"
	"github.com/sealstream/sealstream/streams"
)

// UpConfig is a log in one process.
type UpConfig struct {
	Data       string       // data directory; made if there is none
	Log        string       // "": default
	Host       string       // first part of the origin of a log that is made now; "": sealstream.local
	HTTP       string       // loopback address of the API; "": 127.0.0.1:8420
	NATS       string       // loopback address of NATS; "": 127.0.0.1:4222
	Relaxed    bool         // acknowledge before the fsync
	KeepEvents bool         // do not purge EVENTS behind the commit, so that it can be sealed again for comparison
	Sinks      []string     // URLs of sinks that the log is written to
	Policy     string       // witness policy file: whom to ask to cosign; "": nobody
	OpenEpoch  string       // reason to go on although EVENTS lost something; "": that is an error
	Streams    StreamFlags  // sizes of the streams that are made now
	Alerts     AlertConfig  // what is told of the log beside the built-in types, and to whom
	Archive    bool         // write full segments into the ARCHIVE bucket
	TrimSealed uint64       // with Archive: trim SEALED and PAYLOADS behind it, but for this many newest entries; 0: they are kept whole
	Redaction  string       // off, default, or a file of rules; "": default for a log that is made now, and no change to one that is there
	Logger     *slog.Logger // nil: silent

	Integrity IntegrityConfig // what the program is compared with at start and each day
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
}

// ErrWrong: a setting cannot be. Nothing was touched.
var ErrWrong = errors.New("wrong setting")

// check finds what is wrong with the settings before anything is touched.
func (c *UpConfig) check() error {
	if err := checkNames(c.Host, c.Log); err != nil {
		return err
	}
	if c.TrimSealed > 0 && !c.Archive {
		return fmt.Errorf("%w: SEALED is trimmed behind an archive alone, and none is written", ErrWrong)
	}
	return checkLoopback(c.NATS)
}

// checkNames: a log's name stands in subjects, keys and paths, and the host before it in the origin.
func checkNames(host, log string) error {
	if !entry.ValidLog(log) {
		return fmt.Errorf("%w: log %.80q is not 1 to 32 of a-z, 0-9 and -", ErrWrong, log)
	}
	if host == "" || strings.ContainsAny(host, "+/ \t\r\n") {
		return fmt.Errorf("%w: host %.80q cannot begin an origin", ErrWrong, host)
	}
	return nil
}

// Node is a running log.
type Node struct {
	cfg      UpConfig
	dir      *Dir
	nats     *natsd.Server
	conn     *nats.Conn
	pipeline *pipeline
	http     net.Listener
	web      *group
	closed   sync.Once
	err      error
}

// stopGrace bounds each of the two steps of stopping in which something is waited for, so that all of it takes less than 15 s.
const stopGrace = 5 * time.Second

// Up starts the whole pipeline over an embedded NATS server. Whatever is wrong with directory, ports or keys is found before
// anything is written.
func Up(ctx context.Context, cfg UpConfig) (*Node, error) {
	cfg.defaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	l, err := listen(cfg.HTTP, false)
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, http: l}
	if err := n.start(ctx); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

func (n *Node) start(ctx context.Context) error {
	if err := n.cfg.Integrity.check(); err != nil {
		return err
	}
	alerts, err := n.cfg.Alerts.read()
	if err != nil {
		return err
	}
	sinks, err := readSinks(n.cfg.Sinks, n.cfg.Logger)
	if err != nil {
		return err
	}
	redaction, err := readRedaction(n.cfg.Redaction)
	if err != nil {
		return err
	}
	if err := natsd.CheckPort(n.cfg.NATS); err != nil {
		return err
	}
	dir, err := OpenDir(n.cfg.Data)
	if err != nil {
		return err
	}
	n.dir = dir
	keys, err := dir.Keys(n.cfg.Host, n.cfg.Log)
	if err != nil {
		return err
	}
	if err := fill(alerts.Webhooks, dir); err != nil {
		return err
	}
	replayer := rand.Text()
	policy, err := readPolicy(n.cfg.Policy, keys.All()...)
	if err != nil {
		return err
	}
	n.nats, err = natsd.Start(ctx, natsd.Config{
		StoreDir: dir.Join(dirNATS), Addr: n.cfg.NATS, Log: n.cfg.Log, Replayer: replayer, Relaxed: n.cfg.Relaxed, Logger: n.cfg.Logger,
	})
	if err != nil {
		return err
	}
	if err := n.writeReplayer(replayer); err != nil {
		return err
	}
	if n.conn, err = n.nats.Connect(connOptions("sealstream", n.cfg.Logger)...); err != nil {
		return err
	}
	log, err := openLog(ctx, n.conn, n.cfg.Streams.config(n.cfg.Log, 0))
	if err != nil {
		return err
	}
	pc := pipelineConfig{
		log: log, keys: keys, mark: dir.Join(fileMark), index: filepath.Join(dir.Join(dirIndex), n.cfg.Log), relaxed: n.cfg.Relaxed, keepEvents: n.cfg.KeepEvents,
		openEpoch: n.cfg.OpenEpoch, policy: policy, sinks: sinks, archive: n.cfg.Archive, trimSealed: n.cfg.TrimSealed, redaction: redaction, logger: n.cfg.Logger,
	}
	if !n.cfg.Alerts.Off {
		pc.alerts = &alerts
	}
	n.pipeline, err = startPipeline(ctx, pc)
	if err != nil {
		return err
	}
	r, err := listenRequests(ctx, n.conn, n.cfg.Log, n.pipeline.ingest)
	if err != nil {
		return err
	}
	n.web = newGroup(context.WithoutCancel(ctx))
	n.web.run("requests", r.run)
	if n.cfg.Integrity.Manifest != "" {
		n.web.run("integrity", n.watchIntegrity)
	}
	web := server(n.pipeline.handler(), false)
	web.RegisterOnShutdown(n.pipeline.endStreams) // else it would wait for them
	n.web.run("http", func(ctx context.Context) error { return serve(ctx, web, n.http, stopGrace) })
	return nil
}

// writeReplayer tells whoever may read the data directory how to publish replays. The password is new at each start.
func (n *Node) writeReplayer(password string) error {
	b, err := json.MarshalIndent(map[string]string{
		"description": "publishes replays of log " + n.cfg.Log, "url": n.nats.ClientURL(), "user": natsd.Replayer, "password": password,
	}, "", "  ")
	if err != nil {
		return err
	}
	return n.dir.WriteFile(fileReplay, append(b, '\n'), 0o600)
}

// openLog makes what is missing of a log's streams, refuses what has drifted, and opens them.
func openLog(ctx context.Context, nc *nats.Conn, cfg streams.Config) (*store.Log, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	if err := streams.Ensure(ctx, js, cfg); err != nil {
		return nil, err
	}
	if err := streams.Check(ctx, js, cfg); err != nil {
		return nil, err
	}
	return natsstore.Open(ctx, nc, cfg)
}

// URL is where the API is.
func (n *Node) URL() string { return "http://" + n.http.Addr().String() }

// NATSURL is where agents publish over NATS.
func (n *Node) NATSURL() string { return n.nats.ClientURL() }

// Key is the log's verifier key.
func (n *Node) Key() string { return n.pipeline.keys.Signer.VerifierKey() }

// Origin is the log's origin.
func (n *Node) Origin() string { return n.pipeline.keys.Signer.Origin() }

// Dir is the data directory.
func (n *Node) Dir() *Dir { return n.dir }

// Durability says what an acknowledgement means: fsync or relaxed.
func (n *Node) Durability() string {
	if n.cfg.Relaxed {
		return "relaxed"
	}
	return "fsync"
}

// Wait runs until ctx is done, stops the log and returns nil; or until a part fails, which is the error.
func (n *Node) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return n.Close()
	case <-n.pipeline.parts.ctx.Done():
		return errors.Join(context.Cause(n.pipeline.parts.ctx), n.Close())
	case <-n.web.ctx.Done():
		return errors.Join(context.Cause(n.web.ctx), n.Close())
	}
}

// Close stops in the order of the flow: no more events are taken, those under way are answered, what is stored is sealed, then the
// connection and the server end. It takes less than 15 s. What is cut off is sealed at the next start.
func (n *Node) Close() error {
	n.closed.Do(func() {
		if n.pipeline != nil {
			n.pipeline.closing.Store(true)
		}
		if n.web != nil {
			n.web.stop()
		} else {
			n.http.Close()
		}
		if n.pipeline != nil {
			n.pipeline.stop(stopGrace)
		}
		if n.conn != nil {
			n.conn.Close()
		}
		if n.nats != nil {
			n.nats.Shutdown()
			os.Remove(n.dir.Join(fileReplay)) // what is left after a crash opens nothing
		}
		if n.dir != nil {
			if err := n.dir.Close(); err != nil {
				n.err = fmt.Errorf("data directory: %w", err)
			}
		}
	})
	return n.err
}
