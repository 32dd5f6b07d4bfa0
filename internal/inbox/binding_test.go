package inbox

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestBinaryFaultOrder: headers with several faults always have the same one, or sealing them again
// would make another entry.
func TestBinaryFaultOrder(t *testing.T) {
	h := entry.Header{
		"ce-specversion": {"0.3"}, "ce-id": {""}, "ce-source": {"s"}, "ce-type": {"%"}, "ce-time": {"now"},
		"ce-action": {"x"}, "ce-x-y": {"z"}, "ce-agentseq": {"-"},
	}
	twice := entry.Header{"CE-type": {"a"}, "ce-type": {"%"}, "ce-id": {"%"}, "CE-A": {"%"}, "ce-a": {"1"}}
	for range 100 {
		for _, rules := range []uint64{ruleset.First, ruleset.Newest} {
			if _, err := ParseBinary(entry.Message{Header: h}, rules); err == nil ||
				err.(*entry.FieldError).Field != "agentseq" {
				t.Fatalf("rules %d: %v", rules, err)
			}
			if _, err := ParseBinary(entry.Message{Header: twice}, rules); err == nil ||
				err.Error() != "a: given more than once" {
				t.Fatalf("rules %d: %v", rules, err)
			}
		}
	}
}

func TestSplit(t *testing.T) {
	parts, err := Split([]byte(" [ 1 , {\"a\" : [2]} ,\"x]\" , null ] "))
	want := []string{"1", `{"a" : [2]}`, `"x]"`, "null"}
	got := make([]string, len(parts))
	for i, p := range parts {
		got[i] = string(p)
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	if parts, err := Split([]byte("[" + strings.Repeat("1,", 255) + "1]")); err != nil || len(parts) != 256 {
		t.Errorf("256 events: %d, %v", len(parts), err)
	}
	if _, err := Split([]byte("[" + strings.Repeat("1,", 256) + "1]")); !errors.Is(err, ErrTooMany) {
		t.Errorf("257 events: %v", err)
	}
	for _, bad := range []string{
		"", "[]", " [ ] ", "{}", "[1", "[1,]", "[,1]", "[1]]", "[1] 2", "[1]x", "[{\"a\":1,\"a\":2}]", "[\"\xff\"]",
		"[\"\\ud800\"]", "[01]", "null",
	} {
		if parts, err := Split([]byte(bad)); err == nil {
			t.Errorf("Split(%q) = %q", bad, parts)
		}
	}
}

func TestRecords(t *testing.T) {
	for _, c := range []struct{ raw, publisher, event, field string }{
		{`{"event":{"a":1},"publisher":"ci@example"}`, "ci@example", `{"a":1}`, "-"}, {` { "publisher" : "p" , "event" : 7 } `, "p", "7", "-"}, {`{"event":null}`, "", "null", "-"},
		{`{"event":{},"publisher":"` + strings.Repeat("~", 256) + `"}`, strings.Repeat("~", 256), "{}", "-"},
		{`{}`, "", "", "event"}, {`[]`, "", "", ""}, {`{"event":{},"event":{}}`, "", "", "event"}, {`{"event":{},"publisher":""}`, "", "", "publisher"}, {`{"event":{},"publisher":null}`, "", "", "publisher"},
		{`{"event":{},"publisher":"` + strings.Repeat("~", 257) + `"}`, "", "", "publisher"}, {`{"event":{},"publisher":"é"}`, "", "", "publisher"}, {`{"event":{},"publisher":"\""}`, "", "", "publisher"},
		{`{"event":{},"publisher":"\\"}`, "", "", "publisher"}, {`{"event":{},"publisher":"\u001f"}`, "", "", "publisher"}, {`{"event":{},"publisher":"\u007f"}`, "", "", "publisher"},
		{`{"event":{},"x":1}`, "", "", "x"}, {`{"event":{}} {}`, "", "", ""}, {`{"event":{"a":1,"a":1}}`, "", "", "event"},
	} {
		r, err := ParseRecord([]byte(c.raw))
		got, ok := field(err)
		if c.field == "-" {
			if err != nil || r.Publisher != c.publisher || string(r.Event) != c.event {
				t.Errorf("%.80s: %+v, %v", c.raw, r, err)
			}
			again, err := ParseRecord(AppendRecord(nil, r))
			if err != nil || !reflect.DeepEqual(again, r) {
				t.Errorf("%.80s comes back as %+v, %v", c.raw, again, err)
			}
		} else if !ok || got != c.field {
			t.Errorf("%.80s: field %q, %v; want %q", c.raw, got, err, c.field)
		}
	}
}

func TestModes(t *testing.T) {
	for _, c := range []struct {
		m    entry.Message
		want Mode
	}{
		{entry.Message{Data: []byte("{}")}, Structured}, {entry.Message{Data: nil}, Structured}, {entry.Message{Data: []byte(" \t\r\n[")}, Batched}, {entry.Message{Data: []byte("\ufeff[")}, Structured}, {entry.Message{Data: []byte("\v[")}, Structured},
		{entry.Message{Data: []byte("["), Header: entry.Header{"CE-SPECVERSION": {"1.0"}}}, Binary}, {entry.Message{Data: []byte("["), Header: entry.Header{"ce-id": {"1"}}}, Batched},
	} {
		if got := ModeOf(c.m, ruleset.Newest); got != c.want {
			t.Errorf("%q %v: mode %d, want %d", c.m.Data, c.m.Header, got, c.want)
		}
	}
}

// field is the field of a FieldError, or "" with ok false if err is none.
func field(err error) (string, bool) {
	fe, ok := errors.AsType[*entry.FieldError](err)
	if !ok {
		return "", false
	}
	return fe.Field, true
}
