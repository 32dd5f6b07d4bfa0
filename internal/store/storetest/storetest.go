// Package storetest tests stores, and those who stand on them. Run is the conformance suite of
// internal/store: what its contract says, as tests that every store must pass. Faulty is a log that
// fails as told, for the tests of those who must survive it.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// Run runs the suite; open makes an empty log named default for each test.
func Run(t *testing.T, open func(t *testing.T) *store.Log) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, l *store.Log)
	}{
		{"empty stream", testEmpty}, {"append and read", testAppend}, {"expected last sequence", testExpect}, {
			"racing writers", testRace,
		},
		{"batches", testBatches}, {"racing batches", testBatchRace},
		{"asynchronous order", testAsync}, {"hostile headers", testHeaders}, {"large message", testLarge}, {
			"reader waits", testReaderWaits,
		},
		{"reader over gaps", testReaderGaps}, {"purge", testPurge}, {"secure delete", testSecureDelete}, {
			"last by subject", testLast,
		},
		{"message that changes after", testAlias}, {"cancel", testCancel}, {"end of a stream that lost its tail", testEnd},
		{"reader from behind the end", testReaderAhead}, {"reader over a purge", testReaderPurged}, {
			"what one Next gives", testNextBytes,
		}, {"two readers", testTwoReaders},
		{"expected last sequence of an emptied stream", testExpectEmptied}, {"asynchronous expectations", testAsyncExpect}, {
			"streams apart", testApart,
		},
		{"key value", testKV}, {"keys apart", testKVKeys}, {"racing updates of a key", testKVRace}, {
			"cancelled key value", testKVCancel,
		},
		{"objects", testObjects}, {"objects that are replaced", testObjectsReplaced},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// Subjects of a log named default that the suite uses.
var (
	payloads  = subject.Payloads("default")
	rewritten = subject.PayloadsRewrite("default", 7)
	alerts    = subject.Alerts("default", "a", "b")
)

func add(t *testing.T, s store.Stream, data string) uint64 {
	t.Helper()
	seq, err := s.Append(t.Context(), entry.Message{Subject: payloads, Data: []byte(data)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// Collect reads the next n messages from a sequence on.
func Collect(t *testing.T, s store.Stream, from uint64, n int) []entry.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := s.Read(ctx, from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var list []entry.Message
	for len(list) < n {
		next, err := r.Next(ctx, n-len(list))
		if err != nil {
			t.Fatalf("after %d messages: %v", len(list), err)
		}
		if len(next) == 0 || len(next) > n-len(list) {
			t.Fatalf("Next gave %d messages, wanted 1 to %d", len(next), n-len(list))
		}
		list = append(list, next...)
	}
	return list
}

func testEmpty(t *testing.T, l *store.Log) {
	for name, s := range map[string]store.Stream{"events": l.Events, "sealed": l.Sealed, "payloads": l.Payloads} {
		info, err := s.Info(t.Context())
		if err != nil || info.Last != 0 || info.First != 1 || time.Since(info.Created) > time.Hour {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
		for _, seq := range []uint64{0, 1, 99} {
			if _, err := s.Get(t.Context(), seq); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: Get(%d): %v, want ErrNotFound", name, seq, err)
			}
		}
		again, err := s.Info(t.Context())
		if err != nil || !again.Created.Equal(info.Created) {
			t.Errorf("%s: created %v, then %v", name, info.Created, again.Created)
		}
	}
}

func testAppend(t *testing.T, l *store.Log) {
	s := l.Payloads
	for i := range 1000 {
		if seq := add(t, s, fmt.Sprint(i)); seq != uint64(i+1) {
			t.Fatalf("message %d has sequence %d", i, seq)
		}
	}
	var last time.Time
	for i, m := range Collect(t, s, 1, 1000) {
		if m.Seq != uint64(i+1) || string(m.Data) != fmt.Sprint(i) || m.Subject != payloads || !m.Time.After(last) && i > 0 ||
			m.Time.Location() != time.UTC {
			t.Fatalf("message %d: %+v after %v", i, m, last)
		}
		last = m.Time
		if i%100 != 0 {
			continue
		}
		got, err := s.Get(t.Context(), m.Seq)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("Get gives %+v, %v; the reader gave %+v", got, err, m)
		}
	}
	if list := Collect(t, s, 500, 3); list[0].Seq != 500 || list[2].Seq != 502 {
		t.Fatalf("read from 500: %d, %d", list[0].Seq, list[2].Seq)
	}
}

// testHeaders: headers arrive as they were sent, whatever they are called; above all, a message
// with an empty body and a Status header is a message like others, to Get and to a reader, and the
// messages after it come too.
func testHeaders(t *testing.T, l *store.Log) {
	hostile := []entry.Header{
		{
			"Status":      {"408"},
			"Description": {"Request Timeout"},
		}, {"Status": {"409"}, "Description": {"Consumer Deleted"}}, {"Status": {"100"}},
		{
			"Status": {"404"},
		}, {"Status": {"503"}}, {
			"Nats-Subject": {"elsewhere"}, "Nats-Sequence": {"1"}, "Nats-Time-Stamp": {"2001-01-01T00:00:00Z"},
		},
		{"Nats-Stream": {"X"}, "Nats-Last-Sequence": {"99"}}, {"ce-ID": {"1", "2"}, "CE-id": {"3"}, "X": {""}}, nil,
		{
			"Status": {"400"},
			"status": {"409"},
			"Reply":  {"x"},
		}, {"Nats-Rollup-": {"all"}, "KV-Operation": {"DEL"}, "Nats-Marker-Reason": {"Purge"}},
		{
			"a":               {"ümläut \x01\x00 tab\tin"},
			"!#$%&'*+-.^_`|~": {"\xff"},
		}, {"Nats-Pending-Messages": {"9"}, "Nats-Pending-Bytes": {"9"}},
	}
	for _, h := range hostile {
		if _, err := l.Payloads.Append(t.Context(), entry.Message{Subject: payloads, Header: h}, nil); err != nil {
			t.Fatal(err)
		}
	}
	add(t, l.Payloads, "the last")
	list := Collect(t, l.Payloads, 1, len(hostile)+1)
	for i, h := range hostile {
		got, err := l.Payloads.Get(t.Context(), uint64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []entry.Message{list[i], got} {
			if m.Seq != uint64(i+1) || m.Subject != payloads || !reflect.DeepEqual(m.Header, h) || len(m.Data) != 0 ||
				time.Since(m.Time) > time.Hour {
				t.Fatalf("message %d with %v came as %+v", i, h, m)
			}
		}
		if list[i].Digest() != got.Digest() {
			t.Fatalf("message %d has two digests", i)
		}
	}
	if last := list[len(hostile)]; string(last.Data) != "the last" {
		t.Fatalf("the last message came as %+v", last)
	}
}

func testLarge(t *testing.T, l *store.Log) {
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	for range 20 {
		if _, err := l.Payloads.Append(t.Context(), entry.Message{Subject: payloads, Data: data}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range Collect(t, l.Payloads, 1, 20) {
		if !bytes.Equal(m.Data, data) {
			t.Fatalf("sequence %d: other data", m.Seq)
		}
	}
}

func testPurge(t *testing.T, l *store.Log) {
	p := l.Payloads.(store.Purger)
	for i := range 10 {
		add(t, l.Payloads, fmt.Sprint(i+1))
	}
	for _, below := range []uint64{0, 1, 6, 3} {
		if err := p.PurgeBelow(t.Context(), below); err != nil {
			t.Fatal(err)
		}
	}
	info, err := l.Payloads.Info(t.Context())
	if err != nil || info.First != 6 || info.Last != 10 {
		t.Fatalf("%+v, %v; want 6 to 10", info, err)
	}
	if list := Collect(t, l.Payloads, 1, 1); list[0].Seq != 6 {
		t.Fatalf("the first is %d", list[0].Seq)
	}
	if err := p.PurgeBelow(t.Context(), 11); err != nil {
		t.Fatal(err)
	}
	if info, err = l.Payloads.Info(t.Context()); err != nil || info.First != 11 || info.Last != 10 {
		t.Fatalf("%+v, %v; want an empty stream behind 10", info, err)
	}
	if seq := add(t, l.Payloads, "x"); seq != 11 {
		t.Fatalf("sequence %d after a purge, want 11: none is given twice", seq)
	}
}

func testSecureDelete(t *testing.T, l *store.Log) {
	p := l.Payloads.(store.Purger)
	add(t, l.Payloads, "1")
	add(t, l.Payloads, "2")
	if err := p.SecureDelete(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Payloads.Get(t.Context(), 1); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("Get: %v, want ErrNotFound", err)
	}
	if _, err := store.Fetch(t.Context(), l.Payloads, 1); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("Fetch: %v, want ErrNotFound", err)
	}
	if body, err := store.Fetch(t.Context(), l.Payloads, 2); err != nil || string(body) != "2" {
		t.Fatalf("Fetch: %q, %v", body, err)
	}
	for _, seq := range []uint64{1, 3} {
		if err := p.SecureDelete(t.Context(), seq); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("delete %d: %v, want ErrNotFound", seq, err)
		}
	}
}

func testLast(t *testing.T, l *store.Log) {
	if _, err := l.Payloads.Last(t.Context(), rewritten); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("Last: %v, want ErrNotFound", err)
	}
	for i, s := range []string{rewritten, payloads, rewritten, payloads} {
		if _, err := l.Payloads.Append(t.Context(), entry.Message{Subject: s, Data: fmt.Append(nil, i)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := l.Payloads.Last(t.Context(), rewritten); err != nil || m.Seq != 3 || string(m.Data) != "2" {
		t.Fatalf("Last: %+v, %v", m, err)
	}
}

func testEnd(t *testing.T, l *store.Log) {
	for i := range 5 {
		add(t, l.Payloads, fmt.Sprint(i+1))
	}
	if last, gone, err := store.End(t.Context(), l.Payloads); err != nil || last != 5 || gone != 0 {
		t.Fatalf("end %d, %d gone, %v", last, gone, err)
	}
	for _, seq := range []uint64{4, 5} {
		if err := l.Payloads.(store.Purger).SecureDelete(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	if last, gone, err := store.End(t.Context(), l.Payloads); err != nil || last != 3 || gone != 2 {
		t.Fatalf("end %d, %d gone, %v; want 3, 2", last, gone, err)
	}
}

// testApart: the streams of a log have sequences of their own.
func testApart(t *testing.T, l *store.Log) {
	subjects := map[string]string{
		"events":   subject.Events("default", "open"),
		"sealed":   subject.Sealed("default"),
		"payloads": payloads,
	}
	list := map[string]store.Stream{"events": l.Events, "sealed": l.Sealed, "payloads": l.Payloads}
	for name, s := range list {
		for i := range uint64(3) {
			if seq, err := s.Append(t.Context(), entry.Message{Subject: subjects[name], Data: []byte(name)}, &i); err != nil ||
				seq != i+1 {
				t.Fatalf("%s: %d, %v", name, seq, err)
			}
		}
	}
	for name, s := range list {
		for _, m := range Collect(t, s, 1, 3) {
			if string(m.Data) != name || m.Subject != subjects[name] {
				t.Fatalf("%s holds %+v", name, m)
			}
		}
	}
}
