package node

import (
	"context"
	"net/http"
	"path/filepath"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/pkg/archive"
	"github.com/sealstream/sealstream/pkg/query"
	"github.com/sealstream/sealstream/streams"
)

// QueryService answers filters and makes proofs.
type QueryService struct {
	ServiceFlags
	HTTP  string `help:"Where it listens." default:"127.0.0.1:8420" env:"SEALSTREAM_HTTP" placeholder:"ADDR"`
	Key   string `help:"File with the log's public key." default:"log.pub" type:"path" placeholder:"FILE"`
	Index string `help:"Folder for the index, so that a restart need not build it from the log; none: in memory alone." env:"SEALSTREAM_INDEX" type:"path" placeholder:"DIR"`
}

// Serve implements Service.
func (s *QueryService) Serve(ctx context.Context) error {
	keys, err := s.check(s.HTTP, s.Key)
	if err != nil {
		return err
	}
	log := s.logger()
	return s.serve(ctx, "query", s.HTTP, func(nc *nats.Conn, g, _ *group) (http.Handler, error) {
		l, err := awaitLog(ctx, nc, streams.Config{Log: s.Log, Replicas: s.Replicas}, log)
		if err != nil {
			return nil, err
		}
		a := archive.New(l)
		q, err := query.New(query.Config{Log: a.Through(), Keys: keys, Folder: s.folder(), Logger: log})
		if err != nil {
			return nil, err
		}
		g.run("query", q.Run)
		context.AfterFunc(ctx, q.EndStreams) // else the server would wait for them
		m := newMetrics(s.Log)
		m.watchQuery(q)
		m.watchFollowers(func() []follower { return []follower{indexFollower(q)} }, sealedSize(l, func() uint64 { return q.Status().Size }))
		mux := http.NewServeMux()
		mux.Handle("/", q.Handler())
		for pattern, h := range archiveRoutes(s.Log, a, keys, nil) {
			mux.Handle(pattern, h)
		}
		for pattern, h := range toolkitReading(s.Log, q, true) {
			mux.Handle(pattern, h)
		}
		return m.instrument(mux), nil
	})
}

// folder is the log's own folder of the index.
func (s *QueryService) folder() string {
	if s.Index == "" {
		return ""
	}
	return filepath.Join(s.Index, s.Log)
}
