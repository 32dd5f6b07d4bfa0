package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/pkg/archive"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/filesink"
	"github.com/sealstream/sealstream/pkg/sink/pgsink"
	"github.com/sealstream/sealstream/pkg/store"
	"github.com/sealstream/sealstream/streams"
)

// sinkSchemes are the sinks that there are. One more is one line more.
func sinkSchemes(log *slog.Logger) sink.Schemes {
	return sink.Schemes{
		"file": filesink.Scheme(log), "postgres": pgsink.Scheme, "postgresql": pgsink.Scheme, "stdout": sink.Lines(os.Stdout),
		"http": sink.HTTP, "https": sink.HTTP, "nats": natsScheme(log), "tls": natsScheme(log),
	}
}

// readSinks finds what is wrong with the URLs of sinks before anything is touched.
func readSinks(urls []string, log *slog.Logger) ([]sink.Spec, error) {
	var list []sink.Spec
	names := map[string]bool{}
	for _, u := range urls {
		s, err := sinkSchemes(log).Parse(u)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrWrong, err)
		}
		if names[s.Name] {
			return nil, fmt.Errorf("%w: two sinks are named %q: `name=` tells them apart", ErrWrong, s.Name)
		}
		names[s.Name] = true
		list = append(list, s)
	}
	return list, nil
}

// sinkRunners makes what follows a log for each sink.
func sinkRunners(log *store.Log, keys []string, specs []sink.Spec, logger *slog.Logger) ([]*sink.Runner, error) {
	var list []*sink.Runner
	for _, s := range specs {
		r, err := sink.New(sink.Config{Log: log, Keys: keys, Sink: s, Logger: logger})
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// sinkFollower is the follower that writes into a sink.
func sinkFollower(r *sink.Runner) follower {
	return follower{"sink-" + r.Name(), func() followerState {
		s := r.Status()
		state := followerState{Size: s.Next, Bad: s.Bad, Counts: map[string]uint64{"written": s.Written, "batches": s.Batches, "erased": s.Erased, "failures": s.Failures}}
		if s.Err != "" {
			state.Err = errors.New(s.Err)
		} else if !s.CaughtUp {
			state.Err = errReading
		}
		return state
	}}
}

// SinkService writes a log into sinks. A sink that keeps its own cursor may have one writer alone, and says so; the others may have several, and get entries from each.
type SinkService struct {
	ServiceFlags
	Sink []string `help:"Where the log is written to: file:///PATH?key_file=F, postgres://…, nats://HOST/SUBJECT, https://…, stdout:; repeat it for several." sep:"none" placeholder:"URL"`
	Key  string   `help:"File with the log's public key." default:"log.pub" type:"path" placeholder:"FILE"`
	HTTP string   `help:"Where /metrics, /healthz and /readyz are; empty: nowhere." default:"127.0.0.1:9466" env:"SEALSTREAM_HTTP" placeholder:"ADDR"`
}

// Serve implements Service.
func (s *SinkService) Serve(ctx context.Context) error {
	keys, err := s.publicKeys(s.Key)
	if err != nil {
		return err
	}
	if s.HTTP != "" {
		if err := checkLoopback(s.HTTP); err != nil {
			return err
		}
	}
	logger := s.logger()
	specs, err := readSinks(s.Sink, logger)
	if err != nil {
		return err
	}
	if len(specs) == 0 {
		return fmt.Errorf("%w: no --sink is given", ErrWrong)
	}
	return s.serve(ctx, "sink", s.HTTP, func(nc *nats.Conn, g, _ *group) (http.Handler, error) {
		l, err := awaitLog(ctx, nc, streams.Config{Log: s.Log, Replicas: s.Replicas}, logger)
		if err != nil {
			return nil, err
		}
		runners, err := sinkRunners(archive.Through(l), keys, specs, logger)
		if err != nil {
			return nil, err
		}
		var followers []follower
		size := func() (n uint64) {
			for _, r := range runners {
				n = max(n, r.Status().Next)
			}
			return n
		}
		for _, r := range runners {
			g.run("sink "+r.Name(), r.Run)
			followers = append(followers, sinkFollower(r))
		}
		if s.HTTP == "" {
			return nil, nil
		}
		m := newMetrics(s.Log)
		all := sealedSize(l, size)
		m.watchFollowers(func() []follower { return followers }, all)
		return m.instrument(followersHandler(s.Log, "the sink", followers, all)), nil
	})
}

// followersHandler says how followers fare that stand alone: ready while none of them has trouble.
func followersHandler(log, what string, list []follower, size func() uint64) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", strict(log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, "application/json", map[string]string{"status": "ok"})
	})))
	mux.Handle("GET /readyz", strict(log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := size()
		for _, f := range list {
			if s := f.look(); s.Err != nil {
				problem(w, http.StatusServiceUnavailable, f.name+": "+s.Err.Error())
				return
			}
		}
		all, _ := report(list, n)
		answer(w, http.StatusOK, "application/json", map[string]any{"status": "ready", "tree_size": n, "followers": all})
	})))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "this is "+what+": GET /metrics, GET /healthz, GET /readyz")
	})
	return mux
}
