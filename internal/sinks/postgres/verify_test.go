package pgsink_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/draft"
	pgsink "github.com/sealstream/sealstream/internal/sinks/postgres"
	"github.com/sealstream/sealstream/internal/sinks/postgres/pgtest"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

// sealed makes entries of events, received on one day.
func sealed(events ...entry.Event) []sink.Record {
	times := make([]string, len(events))
	for i := range times {
		times[i] = "2026-05-22T00:00:00.000000000Z"
	}
	return sealedAt(times, events...)
}

func sealedAt(times []string, events ...entry.Event) []sink.Record {
	list := make([]sink.Record, len(events))
	var previous entry.Hash
	for i, ev := range events {
		ev.Source, ev.Type, ev.EventType, ev.ID = "did:web:agent", "t", "t", fmt.Sprint("e", i)
		d := draft.Event(draft.Source{Log: "default", Origin: "h/default/00000000", Secret: bytes.Repeat([]byte{1}, 32),
			Epoch: 1, Seq: uint64(i + 1),
			ReceivedAt: times[i]}, ev)
		e, p := d.Seal(uint64(i), previous)
		list[i], previous = sink.Record{Entry: e, Payload: p}, e.EntryHash
	}
	return list
}

// TestVerifyColumns: whichever column somebody with all rights changes, Verify names the row.
func TestVerifyColumns(t *testing.T) {
	_, url := pgtest.Database(t)
	s := open(t, pgsink.Config{URL: url})
	list := sinktest.Records(30, 1)
	if err := s.Write(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, url, "CREATE TABLE sealstream.copy AS SELECT * FROM sealstream.entries")
	for _, c := range []struct {
		sql   string
		index uint64
	}{
		{"UPDATE entries SET outcome = 'success' WHERE index = 5", 5}, {"UPDATE entries SET action = NULL WHERE index = 5", 5},
		{"UPDATE entries SET agent_did = 'x' WHERE index = 0", 0}, {"UPDATE entries SET policy_decision = 'x' WHERE index = 9", 9},
		{"UPDATE entries SET session_id = '' WHERE index = 4", 4}, {"UPDATE entries SET received_at = received_at + interval '1 microsecond' WHERE index = 4", 4},
		{`UPDATE entries SET "timestamp" = now() WHERE index = 29`, 29}, {"UPDATE entries SET extensions = '{}' WHERE index = 6", 6},
		{"UPDATE entries SET detail = '{}' WHERE index = 6", 6}, {"UPDATE entries SET data = '{\"tool\":\"other\"}' WHERE index = 10", 10},
		{"UPDATE entries SET data = NULL WHERE index = 10", 10}, {"UPDATE entries SET data_raw = '{}' WHERE index = 10", 10},
		{"UPDATE entries SET salt = set_byte(salt, 0, get_byte(salt, 0) # 1) WHERE index = 10", 10}, {"UPDATE entries SET salt = NULL WHERE index = 10", 10},
		{"UPDATE entries SET entry_hash = previous_hash WHERE index = 3", 3}, {"UPDATE entries SET previous_hash = entry_hash WHERE index = 3", 3},
		{"DELETE FROM entries WHERE index = 7", 7}, {"DELETE FROM entries WHERE index = 29", 29}, {"DELETE FROM entries", 0},
		{"UPDATE entries SET index = 99 WHERE index = 12", 12}, {"UPDATE entries SET leaf = '' WHERE index = 2", 2},
		{"INSERT INTO entries SELECT 30, received_at, timestamp, entry_id, event_type, agent_did, action, resource, target_did, outcome, policy_decision, matched_rule, trace_id, session_id, extensions, detail, previous_hash, entry_hash, leaf, data, data_raw, salt FROM entries WHERE index = 29", 30},
		{"UPDATE batches SET next = 31", 30}, {"UPDATE batches SET entry_hash = 'x'", 30},
	} {
		pgtest.Exec(t, url, "SET search_path = sealstream", c.sql)
		err := s.Verify(t.Context())
		if bad, ok := errors.AsType[*sink.InvalidError](err); !ok || bad.Index != c.index {
			t.Errorf("%s: %v, want an *InvalidError at index %d", c.sql, err, c.index)
		}
		pgtest.Exec(t, url, "TRUNCATE sealstream.entries",
			"INSERT INTO sealstream.entries SELECT * FROM sealstream.copy",
			fmt.Sprintf("UPDATE sealstream.batches SET next = 30, entry_hash = '%s'", list[29].Entry.EntryHash))
		if err := s.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// dataCases are data and what they become as JSONB; "": they do not, and stay bytes.
var dataCases = []struct{ data, jsonb string }{
	{`{"b":1,"a":[true,null,"x"]}`, `{"a": [true, null, "x"], "b": 1}`}, {`1e3`, `1000`}, {`-0`, `0`}, {`1.50`, `1.50`}, {`"ü\ud83d\ude00\n"`, `"ü😀\n"`},
	{`12345678901234567890123`, `12345678901234567890123`}, {`1e-7`, `0.0000001`}, {`null`, `null`}, {`"\\u0000"`, `"\\u0000"`}, {`"1e99999"`, `"1e99999"`},
	{`[1e400]`, `[1` + strings.Repeat("0", 400) + `]`}, {`{"a\"1e99999":2}`, `{"a\"1e99999": 2}`}, {strings.Repeat("9", 1000), strings.Repeat("9", 1000)},
	{`1e-1000`, `0.` + strings.Repeat("0", 999) + `1`}, {"\u2028\t\"a\"", ``}, {" [ 1 ]\n", `[1]`},
	{`"\u0000"`, ``}, {`{"\u0000":1}`, ``}, {`1e1001`, ``}, {`[-1E-99999999999999999999]`, ``}, {strings.Repeat("9", 1001), ``}, {`"\ud800"`, ``},
	{`"\ude00\ud83d"`, ``}, {`{"a":1,"a":2}`, ``}, {`{`, ``}, {``, ``}, {"\xff", ``}, {strings.Repeat("[", 33) + strings.Repeat("]", 33), ``}, {`NaN`, ``},
	{"\x00", ``},
}

// TestData: what data becomes as JSONB, or that it does not; the bytes come back whatever they are.
func TestData(t *testing.T) {
	_, url := pgtest.Database(t)
	s := open(t, pgsink.Config{URL: url})
	events := make([]entry.Event, len(dataCases))
	for i, c := range dataCases {
		events[i] = entry.Event{Data: []byte(c.data), HasData: true}
	}
	list := sealed(events...)
	if err := s.Write(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	holdsAll(t, s, list)
	conn := pgtest.Connect(t, url)
	for i, c := range dataCases {
		var jsonb, raw string
		const query = "SELECT coalesce(data::text, ''), encode(data_raw, 'hex') FROM sealstream.entries WHERE " +
			"index = $1"
		if err := conn.QueryRow(t.Context(), query, i).Scan(&jsonb, &raw); err != nil || jsonb != c.jsonb ||
			raw != hex.EncodeToString([]byte(c.data)) {
			t.Errorf("%.60q: JSONB %.60q, bytes %.60q, %v; want %.60q", c.data, jsonb, raw, err, c.jsonb)
		}
	}
}

// TestEdges: what no index would hold is shortened, what is no JSON by its type is none, and no time is too old.
func TestEdges(t *testing.T) {
	_, url := pgtest.Database(t)
	s := open(t, pgsink.Config{URL: url})
	long, text := strings.Repeat("é", 2048), map[string]string{"datacontenttype": "text/plain"}
	list := sealed(
		entry.Event{Subject: long, TraceID: long[2:] + "x", SessionID: long, TargetDID: long, MatchedRule: long,
			PolicyDecision: long},
		entry.Event{Subject: long[2:] + "x", Data: []byte("7"), HasData: true, Extensions: text},
		entry.Event{Data: []byte("text"), HasData: true, Extensions: text}, entry.Event{Time: "0000-01-01T00:00:00Z"},
		entry.Event{Time: "9999-12-31T23:59:59.9999999999Z"})
	if err := s.Write(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	holdsAll(t, s, list)
	if n := pgtest.Count(t, url,
		"SELECT count(DISTINCT resource) FROM sealstream.entries WHERE resource LIKE '"+strings.Repeat("é", 900)+
			"%'"); n != 2 {
		t.Errorf("%d resources begin as the long ones do, want 2", n)
	}
	if n := pgtest.Count(t, url, "SELECT count(*) FROM sealstream.entries WHERE data IS NOT NULL"); n != 0 {
		t.Errorf("%d rows have JSONB of what is no JSON", n)
	}
}
