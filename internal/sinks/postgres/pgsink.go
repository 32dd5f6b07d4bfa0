package pgsink

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sealstream/sealstream/pkg/sink"
)

// Sink is a sink.Sink and a sink.Eraser. Create it with Open.
type Sink struct {
	pool   *pgxpool.Pool
	schema string
	closed atomic.Bool

	months map[time.Time]bool // months whose partitions exist; only Write uses it
}

// Open connects, and creates or migrates the schema if it is missing or older. It returns ErrSchema
// for a schema of a newer version, or if the role may not create or migrate it.
func Open(ctx context.Context, cfg Config) (*Sink, error) {
	own, owner, schema, err := cfg.parse()
	if err != nil {
		return nil, fmt.Errorf("postgres sink: %w", err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, own)
	if err != nil {
		return nil, fmt.Errorf("postgres sink: %w", err)
	}
	if owner == nil {
		owner = own
	}
	s := &Sink{pool: pool, schema: schema, months: make(map[time.Time]bool)}
	if err := s.prepare(ctx, owner, own.ConnConfig.User); err != nil {
		pool.Close()
		return nil, fmt.Errorf("postgres sink: %w", err)
	}
	return s, nil
}

// prepare checks the database, and migrates it if necessary.
func (s *Sink) prepare(ctx context.Context, owner *pgxpool.Config, writer string) error {
	list, err := allMigrations()
	if err != nil {
		return err
	}
	var encoding string
	if err := s.pool.QueryRow(ctx, "SHOW server_encoding").Scan(&encoding); err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("%w: %w, but %s", ErrSchema, errEncoding, encoding)
	}
	have, err := version(ctx, s.pool)
	if err != nil || have < len(list) { // an error may mean that the role has no rights yet
		if err := migrate(ctx, owner, s.schema, writer); err != nil {
			return fmt.Errorf("%w: it has version %d and cannot be migrated to %d: %w", ErrSchema, have, len(list), err)
		}
		have, err = version(ctx, s.pool)
	}
	if err == nil && have > len(list) {
		err = fmt.Errorf("%w: it has version %d, but this program knows only %d", ErrSchema, have, len(list))
	}
	return err
}

// use is called at the start of each method.
func (s *Sink) use() error {
	if s.closed.Load() {
		return sink.ErrClosed
	}
	return nil
}

// Cursor implements sink.Sink.
func (s *Sink) Cursor(ctx context.Context) (sink.Cursor, error) {
	if err := s.use(); err != nil {
		return sink.Cursor{}, err
	}
	c, err := cursor(ctx, s.pool)
	if err != nil {
		return c, fmt.Errorf("postgres sink: cursor: %w", err)
	}
	return c, nil
}

func cursor(ctx context.Context, q querier) (c sink.Cursor, err error) {
	err = q.QueryRow(ctx, "SELECT next, entry_hash FROM batches ORDER BY first DESC LIMIT 1").Scan(&c.Next, &c.Hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return sink.Cursor{}, nil
	}
	return c, err
}

// Write implements sink.Sink. After an error of the commit, the cursor tells whether the records
// were written.
func (s *Sink) Write(ctx context.Context, records []sink.Record) error {
	if err := s.use(); err != nil {
		return err
	}
	if len(records) == 0 {
		return nil
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.write(ctx, tx, records) })
	if err != nil {
		clear(s.months) // a partition that this transaction created is gone
		return fmt.Errorf("postgres sink: %w", err)
	}
	return nil
}

func (s *Sink) write(ctx context.Context, tx pgx.Tx, records []sink.Record) error {
	if err := lock(ctx, tx, s.schema); err != nil {
		return err
	}
	// A statement after the lock sees what the previous writer has committed.
	c, err := cursor(ctx, tx)
	if err != nil {
		return err
	}
	rest, err := c.Rest(records)
	if err != nil || len(rest) == 0 {
		return err
	}
	rows := &rows{records: rest, at: -1}
	if err := s.partitions(ctx, tx, rest); err != nil {
		return err
	}
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{s.schema, "entries"}, columns, rows); err != nil {
		return err
	}
	end := sink.Of(&rest[len(rest)-1].Entry)
	_, err = tx.Exec(ctx, "INSERT INTO batches (first, next, entry_hash) VALUES ($1, $2, $3)", rest[0].Entry.Index,
		end.Next, end.Hash)
	return err
}

// partitions creates the partitions of the records' months.
func (s *Sink) partitions(ctx context.Context, tx pgx.Tx, records []sink.Record) error {
	last := ""
	for i := range records {
		month, _, _ := strings.Cut(records[i].Entry.ReceivedAt, "T")
		if month = month[:len(month)-len("-02")]; month == last {
			continue
		}
		last = month
		t, err := time.Parse("2006-01", month)
		if err != nil {
			return fmt.Errorf("received_at: %w", err)
		}
		if s.months[t] {
			continue
		}
		if _, err := tx.Exec(ctx, "SELECT ensure_partition($1)", t); err != nil {
			return fmt.Errorf("partition of %s: %w", month, err)
		}
		s.months[t] = true
	}
	return nil
}

// Erase implements sink.Eraser.
func (s *Sink) Erase(ctx context.Context, indexes []uint64) error {
	if err := s.use(); err != nil {
		return err
	}
	if _, err := s.pool.Exec(ctx, "SELECT erase($1)", indexes); err != nil {
		return fmt.Errorf("postgres sink: erase: %w", err)
	}
	return nil
}

// Close implements sink.Sink. What was written is committed already.
func (s *Sink) Close() error {
	if !s.closed.Swap(true) {
		s.pool.Close()
	}
	return nil
}
