package pgsink

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
)

// page is the number of rows per query.
const page = 1000

// Read implements sink.Sink.
func (s *Sink) Read(ctx context.Context, from uint64) iter.Seq2[sink.Record, error] {
	return func(yield func(sink.Record, error) bool) {
		if err := s.use(); err != nil {
			yield(sink.Record{}, err)
			return
		}
		c, err := cursor(ctx, s.pool) // rows after it were written since, or belong to no batch
		for err == nil && from < c.Next {
			var list []sink.Record
			list, err = s.page(ctx, from, c.Next)
			for _, r := range list {
				if !yield(r, nil) {
					return
				}
				from = r.Entry.Index + 1
			}
			if err == nil && len(list) == 0 {
				err = sink.Invalid(from, s.schema+".entries", "the row is missing")
			}
		}
		if err != nil {
			yield(sink.Record{}, fmt.Errorf("postgres sink: read: %w", err))
		}
	}
}

// page returns the first records with indexes from first to end-1. With an error it returns the
// records before the fault.
func (s *Sink) page(ctx context.Context, first, end uint64) ([]sink.Record, error) {
	rows, err := s.pool.Query(ctx,
		"SELECT leaf, data_raw, salt, action_salt, dssematerial FROM entries "+
			"WHERE index >= $1 AND index < $2 ORDER BY index LIMIT $3",
		first, end, page)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []sink.Record
	for rows.Next() {
		var in row
		if err := rows.Scan(&in.leaf, &in.raw, &in.salt, &in.actionSalt, &in.material); err != nil {
			return list, err
		}
		r, err := in.record(first + uint64(len(list)))
		if err != nil {
			return list, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// record returns the record of a row, which should have an index.
func (r *row) record(index uint64) (sink.Record, error) {
	e, err := entry.ParseEntry(r.leaf)
	if err != nil {
		return sink.Record{}, sink.Invalid(index, "", "leaf: %v", err)
	}
	rec := sink.Record{Entry: e}
	beside := r.actionSalt != nil || r.material != nil
	if r.salt == nil && r.raw == nil && !beside {
		return rec, nil
	}
	if len(r.salt) != len(entry.Payload{}.Salt) || r.raw == nil && !beside {
		return sink.Record{}, sink.Invalid(index, "", "data without a complete salt, or a salt without data")
	}
	p := &entry.Payload{Index: e.Index, Salt: [32]byte(r.salt), Data: r.raw}
	if r.actionSalt != nil {
		p.ActionSalt = *r.actionSalt
	}
	if r.material != nil {
		p.Material = *r.material
	}
	rec.Payload = p
	return rec, nil
}

// Verify implements sink.Sink. It hashes leaves and data again, follows the chain from index 0 to
// the cursor, and compares every column with the leaf. It reads one snapshot of the database.
func (s *Sink) Verify(ctx context.Context) error {
	if err := s.use(); err != nil {
		return err
	}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.pool, options, func(tx pgx.Tx) error { return verify(ctx, tx) })
	if err != nil {
		return fmt.Errorf("postgres sink: verify: %w", err)
	}
	return nil
}

func verify(ctx context.Context, tx pgx.Tx) error {
	end, err := cursor(ctx, tx)
	if err != nil {
		return err
	}
	names := make([]string, len(columns))
	for i, name := range columns {
		names[i] = pgx.Identifier{name}.Sanitize()
	}
	const declare = "DECLARE all_entries NO SCROLL CURSOR FOR SELECT %s FROM entries ORDER BY index"
	if _, err := tx.Exec(ctx, fmt.Sprintf(declare, strings.Join(names, ", "))); err != nil {
		return err
	}
	var c sink.Cursor
	for {
		before := c
		if c, err = verifyPage(ctx, tx, c); err != nil {
			return err
		}
		if c == before {
			break
		}
	}
	if c != end {
		return sink.Invalid(c.Next, "batches", "the rows end before index %d, the cursor is %d %s",
			c.Next, end.Next, end.Hash)
	}
	return nil
}

func verifyPage(ctx context.Context, tx pgx.Tx, c sink.Cursor) (sink.Cursor, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf("FETCH %d FROM all_entries", page))
	if err != nil {
		return c, err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := r.scan(rows); err != nil {
			return c, err
		}
		if err := r.check(c); err != nil {
			return c, err
		}
		c = sink.Cursor{Next: uint64(r.index) + 1, Hash: r.hash}
	}
	return c, rows.Err()
}

func (r *row) scan(rows pgx.Rows) error {
	into := []any{&r.index, &r.receivedAt, &r.time}
	for i := range r.texts {
		into = append(into, &r.texts[i])
	}
	return rows.Scan(append(into, &r.extensions, &r.detail, &r.previous, &r.hash, &r.leaf, &r.data, &r.raw, &r.salt,
		&r.actionSalt, &r.material)...)
}

// check compares a row with the chain, and its columns with its own leaf and data.
func (r *row) check(c sink.Cursor) error {
	rec, err := r.record(c.Next)
	if err != nil {
		return err
	}
	if err := sink.CheckRecord(c, rec, ""); err != nil {
		return err
	}
	want, err := rowOf(&rec)
	if err != nil {
		return sink.Invalid(c.Next, "", "%v", err)
	}
	if name := r.differs(&want); name != "" {
		return sink.Invalid(c.Next, "", "column %s differs from the leaf", name)
	}
	return nil
}

// differs returns the first column in which two rows differ, or "".
func (r *row) differs(want *row) string {
	for i, t := range r.texts {
		if w := want.texts[i]; (t == nil) != (w == nil) || t != nil && *t != *w {
			return texts[i]
		}
	}
	for _, c := range []struct {
		name string
		same bool
	}{
		{"index", r.index == want.index},
		{"received_at", r.receivedAt.Equal(want.receivedAt)},
		{"timestamp", r.time.Equal(want.time)},
		{"previous_hash", r.previous == want.previous},
		{"entry_hash", r.hash == want.hash},
		{"extensions", sameColumn(r.extensions, want.extensions)},
		{"detail", sameColumn(r.detail, want.detail)},
		{"data", sameColumn(r.data, want.data)},
	} {
		if !c.same {
			return c.name
		}
	}
	return ""
}

func sameColumn(a, b []byte) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return bytes.Equal(a, b) || sameJSON(a, b)
}
