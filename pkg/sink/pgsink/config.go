package pgsink

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sealstream/sealstream/pkg/sink"
)

// Config says where the rows go.
type Config struct {
	URL    string // of the sink's own role, as libpq knows it: postgres://user:password@host:port/database?sslmode=…; what is absent comes from PG* variables
	Owner  string // URL of the role that owns the schema and migrates it; "": the sink's own
	Schema string // one log's; "": sealstream
}

// schemaName is what is a name in SQL without quotes, and leaves room for that of a partition in errors.
var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,47}$`)

// maxConns: one that writes, and a few that read and verify.
const maxConns = 4

// parse makes the pools' settings. It touches no database.
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
	if !strings.HasPrefix(raw, "postgres://") && !strings.HasPrefix(raw, "postgresql://") { // pgx reads about anything as keywords and values
		return nil, errors.New("not a postgres:// URL")
	}
	s, err := pgxpool.ParseConfig(raw)
	if err != nil {
		return nil, err // pgx leaves out the password
	}
	s.MaxConns = maxConns
	params := s.ConnConfig.RuntimeParams
	if params["application_name"] == "" {
		params["application_name"] = "sealstream"
	}
	params["search_path"] = schema + ", pg_temp"
	params["timezone"] = "UTC"
	params["idle_in_transaction_session_timeout"] = "60000" // a writer whose machine is gone must not hold the lock for ever
	return s, nil
}

// Scheme is the sink of postgres:// and postgresql:// URLs. Parameters: schema, owner (both as in Config), and those of libpq.
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
