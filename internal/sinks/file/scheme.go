package filesink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealstream/sealstream/pkg/sink"
)

// DefaultSync is the default time from a write to its fsync. A crash in that time loses nothing:
// the cursor counts only what was synced, and the log sends the other entries again.
const DefaultSync = 100 * time.Millisecond

// Scheme returns the sink.Scheme of file URLs, such as file:///var/log/audit.jsonl, or
// file:audit.jsonl in the working directory. Their parameters are
//
//	key_file=F[,G…]     HMAC keys, the first of which signs; required
//	sync=100ms|batch    fsync no later than this after a write, or in each write
//	max_size=50MiB      begin another file from this size on; 0: never
//	max_age=24h         or when the file is this old; 0: never
//	gzip=no|yes         compress the files that are closed
//	data=yes|no         whether the events' data is written
func Scheme(logger *slog.Logger) sink.Scheme {
	return func(u *url.URL, p *sink.Params) (sink.Open, error) {
		cfg, err := parse(u, p)
		if err != nil {
			return nil, err
		}
		cfg.Logger = logger
		return func(ctx context.Context) (sink.Sink, error) {
			s, err := Open(ctx, cfg)
			if err != nil {
				return nil, err // not a nil *File in an interface
			}
			return s, nil
		}, nil
	}
}

func parse(u *url.URL, p *sink.Params) (cfg Config, err error) {
	cfg = Config{Path: u.Path, MaxSize: p.Size("max_size", 0), MaxAge: p.Duration("max_age", 0), Sync: DefaultSync}
	if u.Opaque != "" {
		if cfg.Path, err = url.PathUnescape(u.Opaque); err != nil {
			return cfg, err
		}
	}
	if u.Host != "" && u.Host != "localhost" {
		return cfg, fmt.Errorf("the URL names the host %q, but files are written on this machine: file:///PATH", u.Host)
	}
	if cfg.Path == "" || strings.HasSuffix(cfg.Path, "/") {
		return cfg, errors.New("the URL names no file")
	}
	if cfg.Path, err = filepath.Abs(cfg.Path); err != nil {
		return cfg, err
	}
	if sync := p.Text("sync", DefaultSync.String()); sync == "batch" {
		cfg.Sync = 0
	} else if cfg.Sync, err = time.ParseDuration(sync); err != nil || cfg.Sync <= 0 {
		return cfg, fmt.Errorf("parameter sync: %.40q is neither batch nor a duration", sync)
	}
	cfg.Gzip = p.OneOf("gzip", "no", "yes") == "yes"
	cfg.NoData = p.OneOf("data", "yes", "no") == "no"
	keys := p.Text("key_file", "")
	if keys == "" {
		return cfg, errors.New("parameter key_file is missing: lines are signed with the key in it")
	}
	cfg.Keys, err = ReadKeys(keys)
	return cfg, err
}
