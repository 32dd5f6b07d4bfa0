package inbox

import (
	"reflect"
	"strings"
	"testing"
)

// FuzzParseRecords holds the one pass against the parsers that it stands for.
func FuzzParseRecords(f *testing.F) {
	const event = `{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":1}}`
	for _, s := range []string{
		`[{"event":` + event + `}]`, `[{"event":` + event + `,"publisher":"p"},{"event":` + event + `}]`, ` [ { "event" : ` + event + ` , "publisher" : "p" } ] `,
		`[{"publisher":"p","event":` + event + `}]`, `[{"event":` + event + `,"publisher":"\""}]`, `[{"event":` + event + `,"publisher":""}]`, `[]`, `[1]`, `[{}]`, `[{"event":1}]`,
		`[{"event":` + event + `,"event":1}]`, `[{"event":{"specversion":"1.0","id":"","source":"s","type":"t"}},{"event":` + event + `}]`, `[{"event":` + event + `},]`,
		`[{"event":{"specversion":"1.0","id":"1","source":"s","type":"t","n":1,"data_base64":"AA=="}}]`, `[{"event":` + event + `}] x`,
		"[" + strings.Repeat(`{"event":`+event+`},`, 256) + `{"event":` + event + `}]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		have, err := ParseRecords(body)
		parts, wantErr := splitStrict(body)
		if split, ok := splitFast(body); ok && (wantErr != nil || !reflect.DeepEqual(split, parts)) {
			t.Fatalf("split into %q, want %q, %v", split, parts, wantErr)
		}
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("%v, want %v", err, wantErr)
		}
		if err == nil && len(have) != len(parts) {
			t.Fatalf("%d records, want %d", len(have), len(parts))
		}
		for i, raw := range parts {
			if err != nil {
				break
			}
			want := parseRecord(raw)
			if string(have[i].Raw) != string(raw) || string(have[i].Record.Event) != string(want.Record.Event) ||
				have[i].Record.Publisher != want.Record.Publisher || !reflect.DeepEqual(have[i].Err, want.Err) ||
				!reflect.DeepEqual(have[i].Event, want.Event) {
				t.Fatalf("record %d:\n%+v\nwant\n%+v", i, have[i], want)
			}
		}
	})
}

// TestRecordsAreTaken: the usual message goes in one pass.
func TestRecordsAreTaken(t *testing.T) {
	body := []byte(`[{"event":{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":"b\"c"}},` +
		`"publisher":"p"},{"event":{"specversion":"1.0","id":"2","source":"s","type":"t"}}]`)
	list, ok := readRecords(body)
	if !ok || len(list) != 2 || string(list[0].Event.Data) != `{"a":"b\"c"}` || list[0].Record.Publisher != "p" ||
		list[1].Event.ID != "2" {
		t.Fatalf("%v %+v", ok, list)
	}
}

func BenchmarkParseRecords(b *testing.B) {
	event := `{"event":{"specversion":"1.0","id":"161b202a-7282-5949-a904-d82a3094902e",` +
		`"source":"did:web:airline-agent-0.example.com","type":"ai.agentmesh.tool.invoked",` +
		`"subject":"/tools/x","time":"2024-05-15T20:00:00Z","action":"allow","outcome":"success","data":{"result":"` +
		strings.Repeat(`{\"name\": \"Mia\"}, `, 30) + `"}}}`
	body := []byte("[" + strings.Repeat(event+",", 255) + event + "]")
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := ParseRecords(body); err != nil {
			b.Fatal(err)
		}
	}
}
