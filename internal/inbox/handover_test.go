package inbox

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// offerOf offers events as ingest does, and returns their message.
func offerOf(t testing.TB, h *Handover, set *redact.Set, events ...string) entry.Message {
	t.Helper()
	g, body := h.NewGroup(len(events)), []byte("[")
	for i, text := range events {
		if i > 0 {
			body = append(body, ',')
		}
		r, start := Record{Event: []byte(text), Publisher: []string{"", "p"}[i%2]}, len(body)
		body = AppendRecord(body, r)
		ev, err := entry.ParseEvent(r.Event)
		if err != nil {
			t.Fatal(err)
		}
		p := &Parsed{Event: ev, Set: set, Redacted: true}
		if set != nil {
			if err := p.Event.Redact(set, r.Event); err != nil {
				t.Fatal(err)
			}
		}
		g.Add(start, len(body), r, p)
		for k := range r.Event { // its buffer is used again
			r.Event[k] = 'x'
		}
	}
	body = append(body, ']')
	h.Offer(g, "audit.l.batch.i", body)
	m := entry.Message{Subject: "audit.l.batch.i", Data: bytes.Clone(body), Seq: 7}
	for k := range body {
		body[k] = 'x'
	}
	return m
}

// take takes a group by the newest rules.
func take(h *Handover, m entry.Message, set *redact.Set) ([]EventRecord, bool) {
	return h.Take(m, func(g *Group) bool { return g.Fits(m, ruleset.Newest, set) })
}

const secret = "ghp" + "_" + "4eC39HqLyjWDarjtT1zdp7dcQ3zXv9Kb2Lm8"

func eventWith(rest string) string {
	return `{"specversion":"1.0","id":"1","source":"did:a","type":"t"` + rest + `}`
}

// unusual are events whose data is not simply a part of their text, and others.
var unusual = []string{
	eventWith(``), eventWith(`,"data":{"a":[1,"b\"c"]}`), eventWith(`,"data":null`), eventWith(`,"data":""`),
	eventWith(`,"data_base64":"AAEC"`), eventWith(`,"data_base64":""`),
	eventWith(`,"datacontenttype":"text/plain","data":"a\nb"`), eventWith(`,"datacontenttype":"text/plain","data":""`),
	" \n" + eventWith(`,"data":1`) + "\t ", `{"data":{"first":true},"specversion":"1.0","id":"2","source":"s","type":"t"}`,
	eventWith(`,"data":{"t":"` + secret + `"}`), eventWith(`,"subject":"` + secret + `","data":1`),
	eventWith(`,"redactions":"[]"`), eventWith(`,"n":7,"data":1`), eventWith(`,"subject":"\u00e9"`),
	eventWith(`,"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"`),
}

// TestHandover: what is taken is what parsing and redaction of the message make, and its data is a
// part of the message that was read.
func TestHandover(t *testing.T) {
	set, err := redact.Compile(redact.Default())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*redact.Set{nil, set} {
		h := &Handover{}
		list := unusual
		for range 3 {
			m := offerOf(t, h, s, list...)
			got, ok := take(h, m, s)
			want, err := ParseRecords(m.Data)
			if !ok || err != nil || len(got) != len(want) {
				t.Fatalf("%v, %v, %d records of %d", ok, err, len(got), len(want))
			}
			for i := range want {
				w := &want[i]
				if w.Redacted = true; s != nil {
					if err := w.Event.Redact(s, w.Record.Event); err != nil {
						t.Fatal(err)
					}
				}
				if !reflect.DeepEqual(got[i], *w) {
					t.Errorf("%s:\n%+v, want\n%+v", list[i], got[i], *w)
				}
			}
			list = list[1:]
		}
		if len(h.list) > 0 || h.bytes.Load() != 0 || h.Taken() != 3 {
			t.Errorf("%d groups are left, with %d bytes; %d were taken", len(h.list), h.bytes.Load(), h.Taken())
		}
	}
}

// TestHandoverOfAnother: a group is taken for nothing but the very message, by the same rules.
func TestHandoverOfAnother(t *testing.T) {
	set, err := redact.Compile(redact.Default())
	if err != nil {
		t.Fatal(err)
	}
	same, err := redact.Compile(redact.Default())
	if err != nil {
		t.Fatal(err)
	}
	rules := redact.Default()
	rules.Private = []string{"x"}
	other, err := redact.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(m *entry.Message)
		rules  uint64
		set    *redact.Set
		taken  bool
	}{
		"the same":        {func(*entry.Message) {}, ruleset.Newest, same, true},
		"last byte":       {func(m *entry.Message) { m.Data[len(m.Data)-3] ^= 1 }, ruleset.Newest, set, false},
		"longer":          {func(m *entry.Message) { m.Data = append(m.Data, ' ') }, ruleset.Newest, set, false},
		"header":          {func(m *entry.Message) { m.Header = entry.Header{"a": {"b"}} }, ruleset.Newest, set, false},
		"subject":         {func(m *entry.Message) { m.Subject += "x" }, ruleset.Newest, set, false},
		"older rules":     {func(*entry.Message) {}, ruleset.First, set, false},
		"other redaction": {func(*entry.Message) {}, ruleset.Newest, other, false},
		"no redaction":    {func(*entry.Message) {}, ruleset.Newest, nil, false},
	} {
		h := &Handover{}
		m := offerOf(t, h, set, unusual...)
		again := m
		again.Data = bytes.Clone(m.Data)
		c.change(&again)
		if _, ok := h.Take(again, func(g *Group) bool { return g.Fits(again, c.rules, c.set) }); ok != c.taken {
			t.Errorf("%s: taken %v", name, ok)
		}
		if _, ok := take(h, m, set); ok == c.taken {
			t.Errorf("%s: afterwards, the message itself: taken %v", name, ok)
		}
		if _, ok := take(h, m, set); ok {
			t.Errorf("%s: taken twice", name)
		}
	}
}

// TestHandoverIsBounded: what is not taken does not grow, and makes room when later messages are
// read; what was not stored goes at once.
func TestHandoverIsBounded(t *testing.T) {
	h := &Handover{Max: 1 << 16}
	event := eventWith(`,"data":"` + strings.Repeat("x", 3000) + `"`)
	var groups int
	for n := range 100 {
		g := h.NewGroup(1)
		if g == nil {
			break
		}
		ev, _ := entry.ParseEvent([]byte(event))
		body := []byte(fmt.Sprintf("[%s]%d", event, n))
		g.Add(1, len(event), Record{Event: []byte(event)}, &Parsed{Event: ev})
		h.Offer(g, "s", body)
		if groups++; n%2 == 0 {
			h.Stored(g, 0)
			groups--
		} else {
			h.Stored(g, uint64(n))
		}
	}
	if groups < 8 || groups > 20 || h.bytes.Load() > 1<<16+10000 || len(h.list) != groups || h.Room() {
		t.Fatalf("%d groups with %d bytes, %d in the list", groups, h.bytes.Load(), len(h.list))
	}
	if _, ok := take(h, entry.Message{Subject: "s", Seq: 5000}, nil); ok || len(h.list) != 0 || h.bytes.Load() != 0 {
		t.Fatalf("%d groups with %d bytes are left", len(h.list), h.bytes.Load())
	}
	var none *Handover
	none.Offer(none.NewGroup(1), "s", nil)
	none.Stored(nil, 1)
	if _, ok := take(none, entry.Message{}, nil); ok || none.Room() {
		t.Error("a nil handover keeps something")
	}
}

// TestIncompleteGroup: a group in which an event is missing, or redacted by other rules, is not
// offered.
func TestIncompleteGroup(t *testing.T) {
	set, err := redact.Compile(redact.Default())
	if err != nil {
		t.Fatal(err)
	}
	r := Record{Event: []byte(eventWith(""))}
	ev, _ := entry.ParseEvent(r.Event)
	for _, second := range []*Parsed{nil, {Event: ev, Set: set, Redacted: true}} {
		h := &Handover{}
		g := h.NewGroup(3)
		for _, p := range []*Parsed{{Event: ev, Redacted: true}, second, {Event: ev, Redacted: true}} {
			g.Add(0, len(r.Event)+len(eventMember)+1, r, p)
		}
		h.Offer(g, "s", []byte("x"))
		h.Stored(g, 1)
		if len(h.list) != 0 || h.bytes.Load() != 0 {
			t.Errorf("it was offered: %d", len(h.list))
		}
	}
}
