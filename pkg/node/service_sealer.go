package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/pkg/archive"
	"github.com/sealstream/sealstream/pkg/sealer"
	"github.com/sealstream/sealstream/pkg/store"
	"github.com/sealstream/sealstream/pkg/store/natsstore"
	"github.com/sealstream/sealstream/streams"
)

// SealerService is the one writer of a log.
type SealerService struct {
	ServiceFlags
	StreamFlags
	Keys         string `help:"Folder with log.key and log.secret, as keygen makes it; it is only read." default:"." type:"path" placeholder:"DIR"`
	State        string `help:"Folder for the newest checkpoint that this host has seen; none: that of the keys." type:"path" placeholder:"DIR"`
	StreamsExist bool   `help:"Make no streams: wait until \"sealstream admin apply\" has. For a sealer whose NATS user may not make them."`
	EventsOpen   bool   `help:"Of a log that is made now: accept any source on events.open. Only where NATS has no authentication."`
	OpenEpoch    string `help:"Go on although EVENTS lost what was sealed from; the reason is sealed with what was lost." placeholder:"REASON"`
	Metrics      string `help:"Where /metrics, /healthz and /readyz are; empty: nowhere." default:"127.0.0.1:9464" env:"SEALSTREAM_METRICS" placeholder:"ADDR"`
	Holder       string `help:"Name of this sealer where there are several of one log: one seals, the others are warm standbys. None: it seals at once." env:"SEALSTREAM_HOLDER" placeholder:"NAME"`
	Redaction    string `help:"What secrets are taken out of events: off, default, or a file of rules (YAML). None: default for a log that is made now, and no change to one that is there." env:"SEALSTREAM_REDACTION" placeholder:"off|default|FILE"`

	WitnessPolicy string `help:"Witness policy: whom to ask to cosign checkpoints, and how many are enough." type:"path" env:"SEALSTREAM_WITNESS_POLICY" placeholder:"FILE"`
}

// Serve implements Service. The sealer makes the log if there is none; the other services wait for it.
func (s *SealerService) Serve(ctx context.Context) error {
	keys, err := LoadKeys(filepath.Join(s.Keys, fileKey), filepath.Join(s.Keys, fileSecret))
	if err != nil {
		return err
	}
	if err := s.checkLog(keys.Signer.VerifierKey()); err != nil {
		return err
	}
	if s.Metrics != "" {
		if err := checkAddr(s.Metrics, s.Expose); err != nil {
			return err
		}
	}
	if s.State != "" {
		if err := os.MkdirAll(s.State, 0o700); err != nil {
			return fmt.Errorf("%w: state: %w", ErrWrong, err)
		}
	}
	policy, err := readPolicy(s.WitnessPolicy, keys.All()...)
	if err != nil {
		return err
	}
	redaction, err := readRedaction(s.Redaction)
	if err != nil {
		return err
	}
	log, m := s.logger(), newMetrics(s.Log)
	return s.serve(ctx, "sealer", s.Metrics, func(nc *nats.Conn, g, _ *group) (http.Handler, error) {
		l, err := patiently(ctx, log, func() (*store.Log, error) { return s.open(ctx, nc, log) })
		if err != nil {
			return nil, err
		}
		cfg := sealer.Config{Log: archive.Through(l), Signer: keys.Signer, Keys: keys.Former, Secret: keys.Secret, Mark: s.mark(), Holder: s.Holder, Observe: m.observeSealer(), Logger: log, Redaction: redaction.created()}
		if _, err := patiently(ctx, log, func() (struct{}, error) { return struct{}{}, sealer.Create(ctx, cfg, s.EventsOpen) }); err != nil {
			return nil, err
		}
		if s.OpenEpoch != "" {
			if _, err := sealer.OpenEpoch(ctx, cfg, s.OpenEpoch); err != nil {
				return nil, err
			}
		}
		if err := keys.announce(ctx, cfg); err != nil {
			return nil, err
		}
		if err := redaction.announce(ctx, cfg); err != nil {
			return nil, err
		}
		sl, err := sealer.New(cfg)
		if err != nil {
			return nil, err
		}
		g.run("sealer", sl.Run)
		collector, err := newCollector(archive.Through(l), keys.All(), policy, log)
		if err != nil {
			return nil, err
		}
		if collector != nil {
			g.run("witnesses", collector.Run)
		}
		if s.Metrics == "" {
			return nil, nil
		}
		m.watchSealer(l, sl)
		return m.instrument(sealerHandler(s.Log, sl)), nil
	})
}

// mark is the file of the newest checkpoint. It must outlive the process.
func (s *SealerService) mark() string {
	if s.State == "" {
		return filepath.Join(s.Keys, fileMark)
	}
	return filepath.Join(s.State, fileMark)
}

// open makes the streams, or waits for them.
func (s *SealerService) open(ctx context.Context, nc *nats.Conn, logger *slog.Logger) (*store.Log, error) {
	cfg := s.StreamFlags.config(s.Log, s.Replicas)
	if !s.StreamsExist {
		return openLog(ctx, nc, cfg)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		err := streams.Check(ctx, js, cfg)
		if err == nil {
			return natsstore.Open(ctx, nc, cfg)
		} else if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil, err
		}
		if !told {
			logger.WarnContext(ctx, "waiting for the streams to be made: sealstream admin apply", "log", s.Log)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// sealerHandler says how a sealer that stands alone fares. It is ready once it has opened the log; that it lags is for /metrics to say.
func sealerHandler(log string, sl *sealer.Sealer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", strict(log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, "application/json", map[string]string{"status": "ok"})
	})))
	mux.Handle("GET /readyz", strict(log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := sl.Status()
		if status.Size == 0 {
			problem(w, http.StatusServiceUnavailable, "the log is not opened yet")
			return
		}
		role := "standby"
		if status.Active {
			role = "active"
		}
		answer(w, http.StatusOK, "application/json", map[string]any{"status": "ready", "tree_size": status.Size, "role": role})
	})))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "this is the sealer: GET /metrics, GET /healthz, GET /readyz")
	})
	return mux
}
