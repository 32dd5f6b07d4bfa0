package entry_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/eventgen"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Every parser takes any bytes without a panic, and what it takes comes back from what its Format writes.

func seedEvents(f *testing.F) {
	g := eventgen.New(1, eventgen.Options{})
	for range 20 {
		raw, _, _ := g.Raw()
		f.Add(raw)
	}
	for _, s := range []string{"", "{}", "[]", `{"specversion":"1.0","id":"1","source":"s","type":"t","data":null}`,
		`{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"","datacontenttype":"x"}`,
		`{"specversion":"1.0","id":"1","source":"s","type":"t","x":-0,"y":true,"time":"2026-11-24T08:30:00+01:00"}`} {
		f.Add([]byte(s))
	}
}

func FuzzParseEvent(f *testing.F) {
	seedEvents(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		ev, err := entry.ParseEvent(raw)
		if err != nil {
			return
		}
		again, err := entry.ParseEvent(ev.AppendJSON(nil))
		if err != nil || !equalEvents(again, ev) {
			t.Fatalf("%v:\n got %+v\nwant %+v", err, again, ev)
		}
		checked := ev
		if err := checked.Check(); err != nil || !equalEvents(checked, ev) {
			t.Fatalf("Check: %v: %+v, %+v", err, checked, ev)
		}
		src := source(1, 0)
		src.Publisher = strings.Repeat("p", ruleset.MaxPublisherBytes)
		d := draft.Event(src, ev)
		for _, d := range []draft.Draft{d, d.Equivocation(1 << 52)} {
			e, p := d.Seal(1<<53-1, entry.Hash{})
			checkSealed(t, e, p)
			if len(e.Leaf) > ev.Widest() {
				t.Fatalf("a leaf of %d bytes, foreseen %d", len(e.Leaf), ev.Widest())
			}
		}
	})
}

func FuzzParseBinary(f *testing.F) {
	f.Add("id: 1\nsource: s\ntype: t\nspecversion: 1.0", "", []byte("{}"))
	f.Add("id: %20\nsource: %C3%A9\ntype: t\nspecversion: 1.0\ntime: 2026-11-24T08:30:00Z", "text/plain",
		[]byte("\xff"))
	f.Add("subject: %\nid: %f", "application/json", []byte(" null "))
	f.Fuzz(func(t *testing.T, headers, contentType string, body []byte) {
		m := entry.Message{Header: entry.Header{}, Data: body}
		for line := range strings.Lines(headers) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			m.Header["ce-"+name] = append(m.Header["ce-"+name], value)
		}
		if contentType != "" {
			m.Header["content-type"] = []string{contentType}
		}
		ev, err := inbox.ParseBinary(m, ruleset.Newest)
		if err != nil {
			return
		}
		again, err := inbox.ParseBinary(binary(&ev), ruleset.Newest)
		if err != nil || !equalEvents(again, ev) {
			t.Fatalf("%v:\n got %+v\nwant %+v", err, again, ev)
		}
		structured, err := entry.ParseEvent(ev.AppendJSON(nil))
		if err != nil || !equalEvents(structured, ev) {
			t.Fatalf("in the JSON format: %v:\n got %+v\nwant %+v", err, structured, ev)
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	for _, s := range []string{
		"{}", `{"event":{},"publisher":"p"}`, `{"publisher":"","event":1}`, `{"event":"\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := inbox.ParseRecord(raw)
		if err != nil {
			return
		}
		written := inbox.AppendRecord(nil, r)
		again, err := inbox.ParseRecord(written)
		if err != nil || again.Publisher != r.Publisher || !bytes.Equal(again.Event, r.Event) {
			t.Fatalf("%v: %s", err, written)
		}
	})
}

func FuzzSplitBatch(f *testing.F) {
	for _, s := range []string{"[]", "[1,2]", ` [ {"a":[1]} , "]" ] `, "[[[", "[1,]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		parts, err := inbox.Split(raw)
		if err != nil {
			return
		}
		if len(parts) == 0 || len(parts) > ruleset.MaxMessageEvents {
			t.Fatalf("%d parts", len(parts))
		}
		joined := append(append([]byte("["), bytes.Join(parts, []byte(","))...), ']')
		again, err := inbox.Split(joined)
		if err != nil || len(again) != len(parts) {
			t.Fatalf("%d parts become %d: %v", len(parts), len(again), err)
		}
		for i, p := range parts {
			if !bytes.Equal(again[i], p) || canonical.CheckJSON(p, 10000) != nil {
				t.Fatalf("part %d: %s, %s", i, p, again[i])
			}
		}
	})
}

func FuzzParseEntry(f *testing.F) {
	g := eventgen.New(2, eventgen.Options{})
	for i := range uint64(20) {
		d := draft.Event(source(i, 0), g.Event())
		e, _ := d.Seal(i, entry.Hash{})
		f.Add(e.Leaf)
	}
	for _, detail := range []entry.Detail{&entry.Gap{From: 1, To: 2}} {
		d := draft.Own(source(1, 0), entry.TypeGap, detail)
		e, _ := d.Seal(1, entry.Hash{})
		f.Add(e.Leaf)
	}
	r := draft.Rejected(source(1, 0), fmt.Errorf("x"), []byte("whole"), "s")
	e, _ := r.Seal(1, entry.Hash{})
	f.Add(e.Leaf)
	f.Fuzz(func(t *testing.T, leaf []byte) {
		e, err := entry.ParseEntry(leaf)
		if err != nil {
			return
		}
		if !e.Verify() || canonicalOf(t, leaf) != string(leaf) {
			t.Fatalf("taken, but not canonical: %s", leaf)
		}
		if bytes.ContainsAny(leaf, "\n\r") {
			t.Fatalf("a leaf with a raw line end: %q", leaf)
		}
		e.Fingerprint()
		if _, err := e.MarshalJSON(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzParsePayload(f *testing.F) {
	for _, data := range []string{"", "null", "\x00", "\xff", "é\n\t", "\u2028"} {
		f.Add(entry.Payload{Index: 7, Data: []byte(data)}.AppendRecord(nil))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		p, err := entry.ParsePayload(line)
		if err != nil {
			return
		}
		if !bytes.Equal(p.AppendRecord(nil), line) || canonicalOf(t, line) != string(line) {
			t.Fatalf("taken, but not canonical: %s", line)
		}
	})
}

func FuzzCanonicalTime(f *testing.F) {
	for _, s := range []string{
		"2026-11-24T08:30:00Z", "2026-11-24t08:30:00.123456789012+23:59", "0000-01-01T00:00:00-00:01",
		"9999-12-31T23:59:60Z", "2024-02-29T00:00:00z",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := canonical.Time(s)
		if err != nil {
			return
		}
		if again, err := canonical.Time(c); err != nil || again != c {
			t.Fatalf("%q becomes %q, and that %q, %v", s, c, again, err)
		}
		at, err := canonical.ParseTime(c)
		if err != nil || at.Year() < 0 || at.Year() > 9999 {
			t.Fatalf("%q: %v, %v", c, at, err)
		}
		if received := canonical.FormatReceived(at); received[:19] != c[:19] {
			t.Fatalf("%q and %q are two times", c, received)
		}
	})
}

func FuzzParseControl(f *testing.F) {
	for _, c := range [][2]string{
		{entry.TypeErasure, `{"authority":"a","indexes":[1,2],"reason":"r"}`},
		{entry.TypeEpoch, `{"after":{"input_epoch":1,"input_seq":9,"root":"` + entry.Hash{}.String() + `","size":3},"epoch":2,"events_created":"2026-11-24T08:00:00.000000000Z","reason":"r"}`},
		{entry.TypeConfig, `{"epoch":1,"events_created":"2026-11-24T08:00:00.000000000Z","events_open":true,"keys":["k"],"limits":{"attribute_bytes":4096,"data_bytes":262144,"data_depth":32,` +
			`"leaf_bytes":65535,"message_bytes":921600,"message_events":256,"window":1048576},"origin":"o","rules":1,"secret_fingerprint":"00000000000000000000000000000000"}`},
	} {
		f.Add(inbox.FormatControl("1", "s", c[0], []byte(c[1])))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		kind, detail, err := entry.Message{Data: raw}.Control()
		if err != nil {
			return
		}
		d := draft.Own(source(1, 0), kind, detail)
		e, p := d.Seal(1, entry.Hash{})
		checkSealed(t, e, p)
		if canonicalOf(t, e.Leaf) != string(e.Leaf) {
			t.Fatalf("not canonical: %s", e.Leaf)
		}
	})
}

func FuzzCheckJSON(f *testing.F) {
	for _, s := range []string{
		"null", "[[1e400]]", `{"a":1,"a":1}`, `"\ud83d\ude02"`, "\"\xff\"", strings.Repeat("[", 40), `"[[[[["`,
	} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, raw []byte, most int) {
		most = min(max(most, 0), 64)
		err := canonical.CheckJSON(raw, most)
		deeper := canonical.CheckJSON(raw, 10000)
		depth := 0
		inString := false
		for i, d := 0, 0; i < len(raw); i++ {
			switch c := raw[i]; {
			case inString && c == '\\':
				i++
			case c == '"':
				inString = !inString
			case !inString && (c == '[' || c == '{'):
				d++
				depth = max(depth, d)
			case !inString && (c == ']' || c == '}'):
				d--
			}
		}
		if (err == nil) != (deeper == nil && depth <= most) {
			t.Fatalf("at most %d deep: %v; as deep as may be: %v; depth %d", most, err, deeper, depth)
		}
	})
}
