package entry_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/eventgen"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

var secret = bytes.Repeat([]byte{7}, 32)

func source(seq, position uint64) draft.Source {
	return draft.Source{
		Log: "default", Origin: "o.example/default/00000000", Secret: secret, Epoch: 1, Seq: seq, Position: position,
		ReceivedAt: "2026-11-24T08:30:00.000000001Z",
	}
}

// canonicalOf is the form of RFC 8785 as another implementation makes it.
func canonicalOf(t *testing.T, raw []byte) string {
	t.Helper()
	v := jsontext.Value(bytes.Clone(raw))
	if err := v.Canonicalize(); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return string(v)
}

// TestGeneratedLeaves: every generated event, sealed as itself and as an equivocation, gives a leaf
// that is canonical JSON by another implementation too, reads back as the same entry, and is no
// longer than was foreseen.
func TestGeneratedLeaves(t *testing.T) {
	g := eventgen.New(11, eventgen.Options{})
	for i := range uint64(5000) {
		ev := g.Event()
		src := source(i, i%256)
		src.Publisher = strings.Repeat("p", int(i%257))
		first := draft.Event(src, ev)
		for _, d := range []draft.Draft{first, first.Equivocation(i)} {
			e, p := d.Seal(i, entry.Hash{})
			if canonicalOf(t, e.Leaf) != string(e.Leaf) {
				t.Fatalf("not canonical: %s", e.Leaf)
			}
			checkSealed(t, e, p)
			if record := d.AppendRecord(nil, i); p == nil && record != nil ||
				p != nil && string(record) != string(p.AppendRecord(nil)) {
				t.Fatalf("the draft writes another payload record: %s", record)
			}
			if n := ev.Widest(); len(e.Leaf) > n || n > ruleset.MaxLeafBytes {
				t.Fatalf("a leaf of %d bytes, foreseen %d: %s", len(e.Leaf), n, e.Leaf)
			}
		}
	}
}

func checkSealed(t *testing.T, e entry.Entry, p *entry.Payload) {
	t.Helper()
	again, err := entry.ParseEntry(e.Leaf)
	if err != nil || !reflect.DeepEqual(again, e) {
		t.Fatalf("%v:\n got %+v\nwant %+v", err, again, e)
	}
	if !e.Verify() || !again.Verify() {
		t.Fatalf("the fields do not give the hash %s", e.EntryHash)
	}
	var c entry.Entry
	if !c.ReadCommitments(e.Leaf) || c.Index != e.Index || !reflect.DeepEqual(c.DataHash, e.DataHash) ||
		!reflect.DeepEqual(c.RecordHash, e.RecordHash) {
		t.Fatalf("commitments of index %d, %v and %v: %s", c.Index, c.DataHash, c.RecordHash, e.Leaf)
	}
	if (p != nil) != (e.DataHash != nil) || p != nil && !p.Opens(e) {
		t.Fatalf("the payload does not open %s", e.Leaf)
	}
	if p == nil {
		return
	}
	record := p.AppendRecord(nil)
	back, err := entry.ParsePayload(record)
	if err != nil || !reflect.DeepEqual(back, *p) || canonicalOf(t, record) != string(record) {
		t.Fatalf("payload record %s: %v", record, err)
	}
}

// TestGeneratedEventsRoundTrip: the JSON format carries every event unchanged, and Check finds nothing to change.
func TestGeneratedEventsRoundTrip(t *testing.T) {
	g := eventgen.New(12, eventgen.Options{})
	for range 5000 {
		ev := g.Event()
		raw := ev.AppendJSON(nil)
		again, err := entry.ParseEvent(raw)
		if err != nil || !equalEvents(again, ev) {
			t.Fatalf("%v:\n got %+v\nwant %+v\n%s", err, again, ev, raw)
		}
		if once := again.AppendJSON(nil); canonicalOf(t, raw) != canonicalOf(t, once) {
			t.Fatalf("written again: %s, %s", raw, once)
		}
		checked := ev
		if err := checked.Check(); err != nil || !equalEvents(checked, ev) {
			t.Fatalf("Check: %v: %+v, %+v", err, checked, ev)
		}
	}
}

// equalEvents does not tell an empty map or slice from none.
func equalEvents(a, b entry.Event) bool {
	for _, e := range []*entry.Event{&a, &b} {
		if len(e.Extensions) == 0 {
			e.Extensions = nil
		}
		if len(e.Data) == 0 {
			e.Data = nil
		}
	}
	return reflect.DeepEqual(a, b)
}

// TestModesAreOne: an event gives the same leaf in structured mode, in a batch, in an ingest
// record, and in binary mode.
func TestModesAreOne(t *testing.T) {
	g := eventgen.New(13, eventgen.Options{})
	for i := range uint64(3000) {
		ev := g.Event()
		src := source(i, 0)
		want := sealed(src, ev, i)
		raw := ev.AppendJSON(nil)
		parts, err := inbox.Split(fmt.Appendf(nil, " [ %s ,\n%s] ", raw, raw))
		if err != nil {
			t.Fatal(err)
		}
		record, err := inbox.ParseRecord(inbox.AppendRecord(nil, inbox.Record{Publisher: "p", Event: parts[1]}))
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range [][]byte{raw, parts[0], record.Event} {
			same(t, want, src, form)
		}
		if ev.HasData &&
			(len(ev.Data) == 0 || ev.Extensions["datacontenttype"] == "" &&
				canonical.CheckJSON(ev.Data, ruleset.MaxDepth) != nil) {
			continue // data of no bytes, or bytes without a type: binary mode cannot say that
		}
		got, err := inbox.ParseBinary(binary(&ev), ruleset.Newest)
		if err != nil {
			t.Fatal(err)
		}
		if e := sealed(src, got, i); string(e.Leaf) != string(want.Leaf) {
			t.Fatalf("binary mode gives another leaf:\n got %s\nwant %s", e.Leaf, want.Leaf)
		}
	}
}

func sealed(src draft.Source, ev entry.Event, index uint64) entry.Entry {
	d := draft.Event(src, ev)
	e, _ := d.Seal(index, entry.Hash{})
	return e
}

func same(t *testing.T, want entry.Entry, src draft.Source, raw []byte) {
	t.Helper()
	ev, err := entry.ParseEvent(raw)
	if err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	got := sealed(src, ev, want.Index)
	if string(got.Leaf) != string(want.Leaf) {
		t.Fatalf("another leaf:\n got %s\nwant %s", got.Leaf, want.Leaf)
	}
}

// binary is the message that carries the event in binary mode.
func binary(ev *entry.Event) entry.Message {
	m := entry.Message{Header: entry.Header{"CE-SpecVersion": {"1.0"}, "Other": {"x"}}, Data: ev.Data}
	for name, value := range ev.Attributes() {
		if name == "datacontenttype" {
			m.Header["Content-Type"] = []string{value}
		} else {
			m.Header["ce-"+name] = []string{canonical.PercentEncode(value)}
		}
	}
	if ev.Salt != nil {
		m.Header["Ce-Datasalt"] = []string{entry.Hash(*ev.Salt).String()}
	}
	return m
}

// TestWidest drives events to the edge of what a leaf can hold: whatever Check takes must fit, as
// itself and as an equivocation, with the longest place and publisher that there can be; and the
// measure must not be coarse where it decides.
func TestWidest(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 0))
	units := []string{"x", `"`, `\`, "é", "😂", "\u2028"}
	taken, refused := 0, 0
	for range 400 {
		ev := edgeEvent(r, units)
		err := ev.Check()
		e := widestLeaf(ev)
		switch fits := len(e.Leaf) <= ruleset.MaxLeafBytes; {
		case err == nil && !fits:
			t.Fatalf("taken, but its leaf has %d bytes, foreseen %d", len(e.Leaf), ev.Widest())
		case err != nil && fits:
			t.Fatalf("refused (%v), but its widest leaf has %d bytes", err, len(e.Leaf))
		case err == nil:
			taken++
			checkLeaf(t, e)
		default:
			refused++
		}
	}
	if taken < 100 || refused < 100 {
		t.Errorf("%d taken, %d refused: the edge was missed", taken, refused)
	}
}

// widestLeaf is the leaf of SPEC 3.5.
func widestLeaf(ev entry.Event) entry.Entry {
	src := source(1<<53-1, 1<<53-1)
	src.Log, src.Epoch, src.Publisher = strings.Repeat("l", 32), 1<<53-1, strings.Repeat("p", 256)
	d := draft.Event(src, ev).Equivocation(1<<53 - 1)
	e, _ := d.Seal(1<<53-1, entry.Hash{})
	return e
}

func checkLeaf(t *testing.T, e entry.Entry) {
	t.Helper()
	if _, err := entry.ParseEntry(e.Leaf); err != nil {
		t.Fatal(err)
	}
}

// edgeEvent is about as large as a leaf can be: attributes of full size, and one that is cut to
// within a few bytes of the edge.
func edgeEvent(r *rand.Rand, units []string) entry.Event {
	fill := func(n int) string {
		u := units[r.IntN(len(units))]
		return strings.Repeat(u, n/len(u))
	}
	ev := entry.Event{
		ID: fill(1 + r.IntN(4000)), Source: fill(4096), Type: "x" + fill(r.IntN(4000)), EventType: "x",
		Extensions: map[string]string{},
	}
	if ev.ID == "" {
		ev.ID = "1"
	}
	ev.EventType = ev.Type
	for _, p := range []*string{
		&ev.Subject, &ev.PolicyDecision, &ev.MatchedRule, &ev.TraceID, &ev.SessionID, &ev.TargetDID, &ev.Signature,
	} {
		if r.IntN(2) == 0 {
			*p = fill(4096)
		}
	}
	for i := 0; len(widestLeaf(ev).Leaf) < ruleset.MaxLeafBytes-9000; i++ {
		ev.Extensions[fmt.Sprint("e", i)] = fill(4096)
	}
	// within 20 bytes of the edge, on either side
	left := ruleset.MaxLeafBytes - len(widestLeaf(ev).Leaf) + r.IntN(40) - 20
	for i := 0; left > 20 && i < 3; i++ {
		n := min(left-8, 4096) // a member of this name takes 8 bytes more than its value
		ev.Extensions[fmt.Sprint("f", i)] = strings.Repeat("x", n)
		left -= n + 8
	}
	return ev
}
