package pgsink

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrSchema reports that this program cannot use the schema in the database.
var ErrSchema = errors.New("schema in the database")

// migration is one file of migrations, NNNN_name.sql. A released file is never edited. A change
// needs a new file.
type migration struct {
	version int
	sql     string
}

// allMigrations returns the files in order: versions 1, 2, ….
func allMigrations() ([]migration, error) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	list := make([]migration, len(files))
	for i, f := range files {
		number, _, _ := strings.Cut(f.Name(), "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s: its number should be %d", f.Name(), i+1)
		}
		sql, err := migrations.ReadFile(path.Join("migrations", f.Name()))
		if err != nil {
			return nil, err
		}
		list[i] = migration{version, string(sql)}
	}
	return list, nil
}

// migrate brings the schema to the newest version and grants the writer its rights, in one
// transaction. A second process waits for the lock and finds it done. A crash leaves the old
// version.
func migrate(ctx context.Context, settings *pgxpool.Config, schema, writer string) error {
	conn, err := pgx.ConnectConfig(ctx, settings.ConnConfig)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := lock(ctx, tx, schema); err != nil {
			return err
		}
		if err := create(ctx, tx, schema); err != nil {
			return err
		}
		if err := apply(ctx, tx); err != nil {
			return err
		}
		if writer == settings.ConnConfig.User {
			return nil
		}
		return grant(ctx, tx, schema, writer)
	})
}

// create creates the schema, unless it exists, and the table of versions.
func create(ctx context.Context, tx pgx.Tx, schema string) error {
	var missing bool
	if err := tx.QueryRow(ctx, "SELECT to_regnamespace($1) IS NULL", schema).Scan(&missing); err != nil {
		return err
	}
	if missing {
		if _, err := tx.Exec(ctx, "CREATE SCHEMA "+schema); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx,
		"CREATE TABLE IF NOT EXISTS migrations (version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())")
	return err
}

func apply(ctx context.Context, tx pgx.Tx) error {
	list, err := allMigrations()
	if err != nil {
		return err
	}
	have, err := version(ctx, tx)
	if err != nil {
		return err
	}
	for _, m := range list[min(have, len(list)):] {
		if _, err := tx.Exec(ctx, m.sql); err != nil {
			return fmt.Errorf("migration %d: %w", m.version, err)
		}
		if _, err := tx.Exec(ctx, "INSERT INTO migrations (version) VALUES ($1)", m.version); err != nil {
			return err
		}
	}
	return nil
}

// grant grants the writer the rights that it needs, and revokes all others.
func grant(ctx context.Context, tx pgx.Tx, schema, writer string) error {
	role := pgx.Identifier{writer}.Sanitize()
	for _, sql := range []string{
		"GRANT USAGE ON SCHEMA " + schema + " TO " + role,
		"REVOKE ALL ON ALL TABLES IN SCHEMA " + schema + " FROM " + role,
		"GRANT SELECT, INSERT ON entries, batches TO " + role,
		"GRANT SELECT ON migrations TO " + role,
		"GRANT EXECUTE ON FUNCTION ensure_partition(timestamptz), erase(bigint[]) TO " + role,
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("rights of %s: %w", role, err)
		}
	}
	return nil
}

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// version returns the version of the schema, or 0 if there is none yet.
func version(ctx context.Context, q querier) (n int, err error) {
	var there bool
	if err := q.QueryRow(ctx, "SELECT to_regclass('migrations') IS NOT NULL").Scan(&there); err != nil || !there {
		return 0, err
	}
	err = q.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM migrations").Scan(&n)
	return n, err
}

// lock takes the schema's lock until the transaction ends.
func lock(ctx context.Context, tx pgx.Tx, schema string) error {
	_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('sealstream ' || $1, 0))", schema)
	return err
}
