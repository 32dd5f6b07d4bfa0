package pgsink

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sealstream/sealstream/internal/outward"
	"github.com/sealstream/sealstream/pkg/sink"
)

// Config is the database that a sink writes to.
type Config struct {
	// URL is the connection URL of the sink's own role, in the form of libpq:
	// postgres://user:password@host:port/database?sslmode=…
	// PG* variables supply what is absent. Without an sslmode, a password is sent to another machine
	// only over TLS.
	URL string
	// Owner is the URL of the role that owns and migrates the schema. "" is the sink's own role.
	Owner string
	// Schema is the schema of one log. "" is sealstream.
	Schema string
}

// schemaName matches names that SQL accepts without quotes, and that are short enough for names of
// partitions in errors.
var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,47}$`)

// maxConns is the size of the pool: one connection that writes, and a few that read and verify.
const maxConns = 4

// parse returns the settings of the pools. It does not connect.
func (c Config) parse() (own, owner *pgxpool.Config, schema string, err error) {
	schema = c.Schema
	if schema == "" {
		schema = "sealstream"
	}
	if !schemaName.MatchString(schema) {
		return nil, nil, "", fmt.Errorf("schema %.60q is not a lower-case name of at most 48 letters, digits and _", schema)
	}
	if own, err = settings(c.URL, schema); err != nil {
		return nil, nil, "", err
	}
	if c.Owner != "" {
		if owner, err = settings(c.Owner, schema); err != nil {
			return nil, nil, "", fmt.Errorf("owner: %w", err)
		}
	}
	return own, owner, schema, nil
}

func settings(raw, schema string) (*pgxpool.Config, error) {
	if !strings.HasPrefix(raw, "postgres://") && !strings.HasPrefix(raw, "postgresql://") {
		// pgx would accept almost any other text as keywords and values.
		return nil, errors.New("not a postgres:// URL")
	}
	s, err := parsed(raw)
	if err != nil {
		return nil, err
	}
	s.MaxConns = maxConns
	params := s.ConnConfig.RuntimeParams
	if params["application_name"] == "" {
		params["application_name"] = "sealstream"
	}
	params["search_path"] = schema + ", pg_temp"
	params["timezone"] = "UTC"
	// A writer whose machine was lost must not hold the lock for ever.
	params["idle_in_transaction_session_timeout"] = "60000"
	return s, nil
}

// parsed parses a URL. If it has a password and no sslmode, parsed requires TLS to another machine:
// pgx would fall back to plain text, which anyone on the way could force.
func parsed(raw string) (*pgxpool.Config, error) {
	s, err := pgxpool.ParseConfig(raw)
	if e, ok := errors.AsType[*pgconn.ParseConfigError](err); ok { // its text repeats the URL and its password
		if why := errors.Unwrap(e); why != nil {
			return nil, fmt.Errorf("%w: %w", errURL, why)
		}
		return nil, errURL
	} else if err != nil {
		return nil, err
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errURL
	}
	query := u.Query()
	if s.ConnConfig.Password == "" || query.Has("sslmode") || os.Getenv("PGSSLMODE") != "" {
		return s, nil
	}
	clear := s.ConnConfig.TLSConfig == nil && isRemote(s.ConnConfig.Host)
	for _, f := range s.ConnConfig.Fallbacks {
		clear = clear || f.TLSConfig == nil && isRemote(f.Host)
	}
	if !clear {
		return s, nil
	}
	query.Set("sslmode", "require")
	u.RawQuery = query.Encode()
	if s, err = pgxpool.ParseConfig(u.String()); err != nil {
		return nil, errURL
	}
	return s, nil
}

var errURL = errors.New("the URL does not have the form postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…")

// isRemote reports whether a host is neither this machine nor the folder of a socket.
func isRemote(host string) bool { return !strings.HasPrefix(host, "/") && !outward.IsLoopback(host) }

// Scheme is the sink.Scheme of postgres:// and postgresql:// URLs. Their parameters are schema and
// owner, as in Config, and those of libpq.
func Scheme(u *url.URL, p *sink.Params) (sink.Open, error) {
	cfg := Config{Schema: p.Text("schema", ""), Owner: p.Text("owner", "")}
	own := *u
	own.RawQuery = p.Rest().Encode()
	cfg.URL = own.String()
	if _, _, _, err := cfg.parse(); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (sink.Sink, error) {
		s, err := Open(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return s, nil
	}, nil
}

var errEncoding = errors.New("the database's encoding is not UTF8")
