package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/access/gate"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/disk"
	"github.com/sealstream/sealstream/internal/flock"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/tlsfiles"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Node is a running log. In memory it has no directory, no NATS, no disks and no HTTP.
type Node struct {
	cfg      UpConfig
	dir      *datadir.Dir
	name     *flock.NameLock // of the log's key on this host; nil: another process has it
	nats     *natsd.Server
	conn     *nats.Conn
	pipeline *pipeline
	signer   *proof.Signer
	board    *health.Board // what is wrong with this process
	room     *disk.Watcher
	face     httpapi.Face
	gate     *gate.Gate
	seals    *ruleSeals
	http     net.Listener
	closed   sync.Once
	err      error
}

// stopGrace bounds each of the two steps of stopping in which something is waited for, so that all
// of it takes less than 15 s.
const stopGrace = 5 * time.Second

// Up starts the whole pipeline over an embedded NATS server. Whatever is wrong with directory,
// ports or keys is found before anything is written.
func Up(ctx context.Context, cfg UpConfig) (*Node, error) {
	cfg.defaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, board: newBoard(cfg.Logger, cfg.Log)}
	if !cfg.memory {
		if err := n.listen(); err != nil {
			return nil, err
		}
	}
	if err := n.start(ctx); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// listen reads the TLS files and the rules of access, and takes the address of the API.
func (n *Node) listen() (err error) {
	n.face = httpapi.Face{Addr: n.cfg.HTTP, Access: n.cfg.Access != ""}
	if n.face.TLS, err = tlsfiles.Open(n.cfg.TLS, n.cfg.Logger); err != nil {
		return err
	}
	if n.gate, n.seals, err = n.cfg.openGate(n.cfg.Access, n.board, n.cfg.Logger); err == nil {
		n.http, err = n.face.Listen()
	}
	return err
}

func (n *Node) start(ctx context.Context) error {
	pc, err := n.cfg.pipeline()
	if err != nil {
		return err
	}
	pc.board, pc.gate, pc.seals = n.board, n.gate, n.seals
	if n.cfg.memory {
		err = n.inMemory(&pc)
	} else {
		err = n.inDir(ctx, &pc)
	}
	if err != nil {
		return err
	}
	n.signer = pc.sealer.keys.Signer
	if n.pipeline, err = startPipeline(ctx, pc); err != nil || n.cfg.memory {
		return err
	}
	return n.serve(ctx)
}

// inMemory makes the store of a log that ends with the process.
func (n *Node) inMemory(pc *pipelineConfig) (err error) {
	pc.log = store.NewMemory(n.cfg.Log)
	pc.sealer.keys, err = datadir.NewKeys(n.cfg.Host, n.cfg.Log)
	return err
}

// serve starts the parts that look after the directory and the server, and then takes requests.
func (n *Node) serve(ctx context.Context) error {
	if err := n.dir.Settle(n.cfg.Logger); err != nil {
		return err
	}
	p := n.pipeline
	p.add(part{name: "data directory", run: func(ctx context.Context) error { return n.dir.Keep(ctx, n.nats.Unlinked) }})
	p.addGate()
	p.addRequests(n.conn)
	p.addWatcher(n.room)
	p.add(part{name: "store", edge: true, run: n.guard})
	p.add(part{name: "refused", edge: true, run: n.answerRefused})
	if n.gate != nil {
		p.add(part{name: "users of NATS", edge: true, run: n.keepUsers})
	}
	if n.cfg.Integrity.Manifest != "" {
		p.add(part{name: "integrity", edge: true, run: n.watchIntegrity})
	}
	if err := p.start(ctx); err != nil {
		return err
	}
	p.serve(n.http, n.face, p.handler())
	return nil
}

// URL is where the API is.
func (n *Node) URL() string { return n.face.URL(n.http) }

// Client asks the API without the network.
func (n *Node) Client() *http.Client {
	return &http.Client{Transport: httpapi.InProcess(unguarded(n.pipeline.handler()))}
}

// NATSURL is where agents publish over NATS.
func (n *Node) NATSURL() string { return n.nats.ClientURL() }

// Key is the log's verifier key.
func (n *Node) Key() string { return n.signer.VerifierKey() }

// Origin is the log's origin.
func (n *Node) Origin() string { return n.signer.Origin() }

// Dir is the data directory.
func (n *Node) Dir() *datadir.Dir { return n.dir }

// Durability says what an acknowledgement means: fsync or relaxed.
func (n *Node) Durability() string { return n.pipeline.ingest.Durability() }

// CaughtUp waits until queries see all that was sealed before the start.
func (n *Node) CaughtUp(ctx context.Context) error { return n.pipeline.query.CaughtUp(ctx) }

// Drain waits until all events that were acknowledged are sealed, and are in those sinks that have
// no trouble, or until ctx is done.
func (n *Node) Drain(ctx context.Context) { n.pipeline.drain(ctx) }

// Wait runs until ctx is done, stops the log and returns nil; or until a part fails, which is the
// error.
func (n *Node) Wait(ctx context.Context) error {
	return errors.Join(n.pipeline.wait(ctx), n.Close())
}

// Close stops in the order of the flow: no more events are taken, those under way are answered,
// what is stored is sealed, then the connection and the server end. It takes less than 15 s, or 20
// s more if the server is stuck. What is cut off is sealed at the next start.
func (n *Node) Close() error {
	n.closed.Do(n.close)
	return n.err
}

func (n *Node) close() {
	if n.pipeline != nil {
		n.pipeline.closing.Store(true)
	}
	displaced := n.dir != nil && n.dir.Held() != nil
	if displaced && n.nats != nil { // what it still acknowledged would stand where the next start does not look
		n.nats.Shutdown()
	}
	if n.pipeline != nil {
		n.pipeline.stop(stopGrace)
	}
	if n.http != nil {
		n.http.Close() // unless it was served, and is closed
	}
	if n.conn != nil {
		n.conn.Close()
	}
	if n.nats != nil {
		n.nats.Shutdown()
		if !displaced { // else it may be another process's
			os.Remove(n.dir.Join(datadir.FileReplay)) // what is left after a crash opens nothing
		}
	}
	n.name.Close()
	if n.dir != nil {
		if err := n.dir.Close(); err != nil {
			n.err = fmt.Errorf("data directory: %w", err)
		}
	}
}
