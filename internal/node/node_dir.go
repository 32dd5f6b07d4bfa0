package node

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/vitals"
	"github.com/sealstream/sealstream/streams"
)

// inDir opens the data directory and starts the NATS server over it, and fills in what the pipeline
// has from them.
func (n *Node) inDir(ctx context.Context, pc *pipelineConfig) error {
	if err := natsd.CheckPort(n.cfg.NATS); err != nil {
		return err
	}
	if err := n.openDir(pc); err != nil {
		return err
	}
	if err := n.startNATS(ctx); err != nil {
		return err
	}
	log, err := n.openStreams(ctx)
	if err != nil {
		return err
	}
	pc.log = log
	pc.vitals = &vitals.Config{MayRead: true, Remedy: remedyUp}
	pc.sealer.mark, pc.sealer.snapshot = n.dir.Join(datadir.FileMark), n.dir.Join(datadir.DirSnapshot)
	pc.sealer.guard, pc.sealer.mayPurge = n.dir.Held, n.mayPurge
	pc.ingest.room = hasRoom(n.room)
	pc.query.room = n.room
	pc.query.folder = filepath.Join(n.dir.Join(datadir.DirIndex), n.cfg.Log)
	pc.reopen = true
	return nil
}

// openDir opens the data directory, and reads what depends on its keys.
func (n *Node) openDir(pc *pipelineConfig) error {
	dir, err := datadir.Open(n.cfg.Data)
	if err != nil {
		return err
	}
	n.dir = dir
	if err := n.watchRoom(pc.sinks); err != nil {
		return err
	}
	keys, err := dir.Keys(n.cfg.Host, n.cfg.Log)
	if err != nil {
		return err
	}
	pc.sealer.keys = keys
	if n.name, err = dir.ClaimKey(keys, n.cfg.Logger); err != nil {
		return err
	}
	if pc.alerts != nil {
		if err := fill(pc.alerts.Webhooks, dir); err != nil {
			return err
		}
	}
	pc.policy, err = readPolicy(n.cfg.Policy, keys.All()...)
	return err
}

// startNATS starts the server and connects to it.
func (n *Node) startNATS(ctx context.Context) error {
	replayer := rand.Text()
	var err error
	n.nats, err = natsd.Start(ctx, natsd.Config{
		StoreDir: n.dir.Join(datadir.DirNATS), Addr: n.cfg.NATS, Log: n.cfg.Log, Replayer: replayer,
		Private: n.gate != nil, Relaxed: n.cfg.Relaxed, Logger: n.cfg.Logger,
	})
	if err != nil {
		return err
	}
	if err := n.dir.Watch(n.dir.Join(datadir.DirNATS)); err != nil {
		return err
	}
	if err := n.writeReplayer(replayer); err != nil {
		return err
	}
	n.conn, err = n.nats.Connect(natsconn.Options("sealstream", n.cfg.Logger)...)
	return err
}

// openStreams opens the streams of the log, which are made if they do not exist.
func (n *Node) openStreams(ctx context.Context) (*store.Log, error) {
	log, err := openLog(ctx, n.conn, n.cfg.Streams.Config(n.cfg.Log, 0))
	if err != nil {
		return nil, err
	}
	if err := n.resize(ctx); err != nil {
		return nil, err
	}
	if err := n.nats.KeepSettings(); err != nil {
		return nil, err
	}
	if err := n.dir.RefuseEmpty(ctx, log); err != nil {
		return nil, fmt.Errorf("%s: %w", n.dir.Path, err)
	}
	return log, nil
}

// writeReplayer tells whoever may read the data directory how to publish replays. The password is
// new at each start.
func (n *Node) writeReplayer(password string) error {
	b, err := json.MarshalIndent(map[string]string{
		"description": "publishes replays of log " + n.cfg.Log, "url": n.nats.ClientURL(), "user": natsd.Replayer,
		"password": password,
	}, "", "  ")
	if err != nil {
		return err
	}
	return n.dir.WriteFile(datadir.FileReplay, append(b, '\n'), 0o600)
}

// resize gives the streams the limits that the settings state: they are this process's own, and
// nobody else would.
func (n *Node) resize(ctx context.Context) error {
	js, err := jetstream.New(n.conn)
	if err != nil {
		return err
	}
	changes, err := streams.Resize(ctx, js, n.cfg.Streams.Config(n.cfg.Log, 0), false)
	if errors.Is(err, streams.ErrBelow) {
		return fmt.Errorf("%w: %w", settings.ErrInvalid, err)
	}
	for _, line := range changes {
		n.cfg.Logger.WarnContext(ctx, "the limit of a stream is changed", "was", line)
	}
	return err
}
