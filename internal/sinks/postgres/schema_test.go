package pgsink_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sealstream/sealstream/internal/sinks/postgres"
	"github.com/sealstream/sealstream/internal/sinks/postgres/pgtest"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

// TestWriterRole: the role that the sink runs with can add and look, and nothing else.
func TestWriterRole(t *testing.T) {
	c, owner := pgtest.Database(t)
	url := c.Writer(t, owner)
	s := open(t, pgsink.Config{URL: url, Owner: owner})
	list := sinktest.Records(20, 1)
	if err := s.Write(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	conn := pgtest.Connect(t, url+"&search_path=sealstream")
	partition := "entries_y2026m05"
	for _, sql := range []string{
		"UPDATE entries SET leaf = ''", "UPDATE entries SET outcome = 'success'", "DELETE FROM entries", "TRUNCATE entries", "DROP TABLE entries",
		"UPDATE " + partition + " SET leaf = ''", "DELETE FROM " + partition, "DROP TABLE " + partition, "INSERT INTO " + partition + " SELECT * FROM entries",
		"ALTER TABLE entries DETACH PARTITION " + partition, "DELETE FROM batches", "UPDATE batches SET next = 0", "INSERT INTO migrations VALUES (9)",
		"CREATE TABLE mine (n int)", "DROP FUNCTION erase(bigint[])", "CREATE OR REPLACE FUNCTION erase(bigint[]) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
		"SELECT * FROM " + partition,
	} {
		_, err := conn.Exec(t.Context(), sql)
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != "42501" {
			t.Errorf("%s: %v, want insufficient_privilege", sql, err)
		}
	}
	if n := pgtest.Count(t, url, "SELECT count(*) FROM sealstream.entries WHERE resource LIKE '/crm/%'"); n == 0 {
		t.Error("the writer may not look")
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestErasedBytesAreGone: after an erasure and a VACUUM there is no byte of the data in the rows.
func TestErasedBytesAreGone(t *testing.T) {
	c, owner := pgtest.Database(t)
	s := open(t, pgsink.Config{URL: c.Writer(t, owner), Owner: owner})
	if err := s.Write(t.Context(), sinktest.Records(20, 1)); err != nil {
		t.Fatal(err)
	}
	const left = "SELECT count(*) FROM sealstream.entries e WHERE e::text LIKE '%crm_lookup%' OR " +
		"position('crm_lookup' in encode(data_raw, 'escape')) > 0 OR salt IS NOT NULL AND index IN (0, 10)"
	if n := pgtest.Count(t, owner, left); n != 2 {
		t.Fatalf("%d rows hold the data, want 2", n)
	}
	if err := s.Erase(t.Context(), []uint64{0, 10}); err != nil {
		t.Fatal(err)
	}
	if n := pgtest.Count(t, owner, left); n != 0 {
		t.Fatalf("%d rows hold the data", n)
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestOpenTogether: many sinks that come to an empty database at once migrate it once.
func TestOpenTogether(t *testing.T) {
	c, owner := pgtest.Database(t)
	url := c.Writer(t, owner)
	list := sinktest.Records(200, 1)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := pgsink.Open(t.Context(), pgsink.Config{URL: url, Owner: owner})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			for i := 0; i < len(list); i += 20 { // each writes all of them: whoever is behind passes over what is there
				if err := s.Write(t.Context(), list[:i+20]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	holdsAll(t, open(t, pgsink.Config{URL: url}), list)
	if n := pgtest.Count(t, owner, "SELECT count(*) FROM sealstream.migrations"); n != 2 {
		t.Errorf("%d migrations were applied", n)
	}
}

func TestOpenRefuses(t *testing.T) {
	c, owner := pgtest.Database(t)
	url := c.Writer(t, owner)
	_, err := pgsink.Open(t.Context(), pgsink.Config{URL: url})
	if !errors.Is(err, pgsink.ErrSchema) || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("a role that may make nothing: %v", err)
	}
	open(t, pgsink.Config{URL: url, Owner: owner}).Close()
	open(t, pgsink.Config{URL: url}).Close() // no owner is needed any more
	c.Exec(t, "CREATE ROLE second LOGIN")
	second := strings.Replace(owner, "owner@", "second@", 1)
	if _, err = pgsink.Open(t.Context(), pgsink.Config{URL: second}); !errors.Is(err, pgsink.ErrSchema) {
		t.Errorf("a role without rights: %v", err)
	}
	open(t, pgsink.Config{URL: second, Owner: owner}).Close() // the owner gives them
	pgtest.Exec(t, owner, "INSERT INTO sealstream.migrations VALUES (99)")
	if _, err = pgsink.Open(t.Context(), pgsink.Config{URL: url, Owner: owner}); !errors.Is(err, pgsink.ErrSchema) ||
		!strings.Contains(err.Error(), "version 99") {
		t.Errorf("a newer schema: %v", err)
	}
	c.Exec(t, "CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0")
	if _, err = pgsink.Open(t.Context(), pgsink.Config{URL: c.URL("owner", "ascii")}); !errors.Is(err,
		pgsink.ErrSchema) {
		t.Errorf("another encoding: %v", err)
	}
}

// TestSchemas: two logs in one database do not see each other.
func TestSchemas(t *testing.T) {
	_, url := pgtest.Database(t)
	for salt, schema := range []string{"one", "two"} {
		s := open(t, pgsink.Config{URL: url, Schema: schema})
		list := sinktest.Records(30, byte(salt))
		if err := s.Write(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		holdsAll(t, s, list)
	}
}

func TestURLs(t *testing.T) {
	_, url := pgtest.Database(t)
	schemes := sink.Schemes{"postgres": pgsink.Scheme, "postgresql": pgsink.Scheme}
	for _, bad := range []struct{ url, why string }{
		{"postgres://localhost/x?schema=A-b", "schema"}, {"postgres://u:secret@localhost:port/x", "not valid"},
		{"postgres://u:secret@localhost/x?sslmode=perhaps", "sslmode"}, {"postgres://localhost/x?owner=http%3A%2F%2Fu%3Asecret%40h%2F%3Fsslmode%3Dno", "owner"},
	} {
		if _, err := schemes.Parse(bad.url); !errors.Is(err, sink.ErrURL) || !strings.Contains(err.Error(), bad.why) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", bad.url, err)
		}
	}
	spec, err := schemes.Parse(url + "&schema=mine&name=pg")
	if err != nil || spec.Name != "pg" || strings.Contains(spec.URL, "?") {
		t.Fatalf("%+v, %v", spec, err)
	}
	s, err := spec.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Write(t.Context(), sinktest.Records(3, 1)); err != nil {
		t.Fatal(err)
	}
	if n := pgtest.Count(t, url, "SELECT count(*) FROM mine.entries"); n != 3 {
		t.Fatalf("%d rows", n)
	}
}

// TestFiltersUseIndexes: each filter of /v1/entries is answered from an index, in every partition.
func TestFiltersUseIndexes(t *testing.T) {
	_, url := pgtest.Database(t)
	s := open(t, pgsink.Config{URL: url})
	if err := s.Write(t.Context(), sinktest.Records(2000, 1)); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, url, "ANALYZE sealstream.entries")
	conn := pgtest.Connect(t, url+"&search_path=sealstream&enable_seqscan=off")
	for _, where := range []string{
		"agent_did = 'x'", "event_type = 'x'", "action = 'deny'", "outcome = 'denied'", "resource = '/crm/1'", "resource LIKE '/crm/%'", "target_did = 'x'",
		"matched_rule = 'x'", "trace_id = 'x'", "session_id = 'x'", "entry_id = 'x'", `"timestamp" >= '2026-05-22' AND "timestamp" <= '2026-05-23'`, "index = 7",
		"agent_did IN ('x', 'y')",
	} {
		rows, err := conn.Query(t.Context(), "EXPLAIN SELECT leaf FROM entries WHERE "+where)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		column, _, _ := strings.Cut(strings.Trim(where, `"`), " ")
		column = strings.Trim(column, `"`)
		text := strings.Join(plan, "\n")
		if !strings.Contains(text, "Index Cond: (") ||
			!strings.Contains(text[strings.Index(text, "Index Cond: ("):], column) {
			t.Errorf("%s: no index\n%s", where, text)
		}
	}
}

// TestMonths: rows go to the month that received them, and partitions are made as they come.
func TestMonths(t *testing.T) {
	_, url := pgtest.Database(t)
	s := open(t, pgsink.Config{URL: url})
	list := sealedAt([]string{"2025-12-31T23:59:59.999999999Z", "2026-01-01T00:00:00.000000000Z",
		"2026-01-31T12:00:00.000000001Z",
		"2026-03-01T00:00:00.000000000Z", "2025-12-31T00:00:00.000000000Z"}, make([]entry.Event, 5)...)
	if err := s.Write(t.Context(), list[:2]); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	holdsAll(t, s, list)
	for name, want := range map[string]int64{"y2025m12": 2, "y2026m01": 2, "y2026m03": 1} {
		if n := pgtest.Count(t, url, fmt.Sprintf("SELECT count(*) FROM sealstream.entries_%s", name)); n != want {
			t.Errorf("partition %s holds %d rows, want %d", name, n, want)
		}
	}
	if n := pgtest.Count(t, url,
		"SELECT count(*) FROM pg_inherits WHERE inhparent = 'sealstream.entries'::regclass"); n != 3 {
		t.Errorf("%d partitions", n)
	}
}
