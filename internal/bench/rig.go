package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/store/natsstore"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/redact"
	"github.com/sealstream/sealstream/streams"
)

// rig is a log on an embedded, durable server of its own. Its sealer runs only where it is started.
type rig struct {
	server *natsd.Server
	nc     *nats.Conn
	log    *store.Log
	config sealer.Config
	sealer *sealer.Sealer
	ingest *ingest.Ingest

	done       chan error // of the sealer that runs
	stopSealer func()
	stopIngest func()
}

func (b *run) rig(ctx context.Context, name string) (*rig, error) {
	r := &rig{}
	ok := false
	defer func() {
		if !ok {
			r.close()
		}
	}()
	if b.remote != nil {
		err := b.remote(ctx, r)
		ok = err == nil
		return r, err
	}
	var err error
	r.server, err = natsd.Start(ctx, natsd.Config{StoreDir: filepath.Join(b.dir, name), Addr: "127.0.0.1:0", Log: "bench"})
	if err != nil {
		return nil, err
	}
	if r.nc, err = r.server.Connect(nats.Name("bench")); err != nil {
		return nil, err
	}
	js, err := jetstream.New(r.nc)
	if err != nil {
		return nil, err
	}
	cfg := streams.Config{Log: "bench", EventsMaxBytes: 16 << 30}
	if err := streams.Ensure(ctx, js, cfg); err != nil {
		return nil, err
	}
	if r.log, err = natsstore.Open(ctx, r.nc, cfg); err != nil {
		return nil, err
	}
	if err := r.keys("bench"); err != nil {
		return nil, err
	}
	// their fsyncs are part of what a sealer costs
	r.config.Handover = &inbox.Handover{} // as in up
	r.config.Mark, r.config.Snapshot = filepath.Join(b.dir, name+".mark"), filepath.Join(b.dir, name+".snapshot")
	if err := sealer.Create(ctx, r.config, true); err != nil {
		return nil, err
	}
	r.ingest, err = ingest.New(ingest.Config{
		Log: r.log, Keys: []string{r.config.Signer.VerifierKey()}, Open: true, Handover: r.config.Handover,
	})
	if err != nil {
		return nil, err
	}
	r.runIngest(ctx)
	ok = true
	return r, nil
}

func (r *rig) runIngest(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	r.stopIngest = func() { cancel(); <-done }
	go func() { done <- r.ingest.Run(ctx) }()
}

func (r *rig) keys(log string) error {
	skey, _, err := proof.GenerateKey("bench.local", log)
	if err != nil {
		return err
	}
	signer, err := proof.NewSigner(skey)
	if err != nil {
		return err
	}
	// as in a log that is made new
	r.config = sealer.Config{Log: r.log, Signer: signer, Secret: make([]byte, 32), Redaction: redact.Default()}
	return nil
}

// seal starts the sealer.
func (r *rig) seal(ctx context.Context) error {
	s, err := sealer.New(r.config)
	if err != nil {
		return err
	}
	r.runSealer(ctx, s)
	return nil
}

func (r *rig) runSealer(ctx context.Context, s *sealer.Sealer) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 2) // one for who waits, one for who stops
	r.sealer, r.done = s, done
	r.stopSealer = func() { cancel(); <-done }
	go func() { err := s.Run(ctx); done <- err; done <- nil }()
}

// reach waits until the log has a size.
func (r *rig) reach(ctx context.Context, size uint64) error {
	for r.sealer.Status().Size < size {
		select {
		case err := <-r.done:
			return fmt.Errorf("the sealer stopped: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Microsecond):
		}
	}
	return nil
}

func (r *rig) close() {
	if r.stopSealer != nil {
		r.stopSealer()
	}
	if r.stopIngest != nil {
		r.stopIngest()
	}
	if r.nc != nil {
		r.nc.Close()
	}
	if r.server != nil {
		r.server.Shutdown()
	}
}
