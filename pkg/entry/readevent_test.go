package entry

import (
	"reflect"
	"strings"
	"testing"
)

// FuzzReadFast holds the fast way through an event against the general one: what it takes, that
// takes too, and reads the same.
func FuzzReadFast(f *testing.F) {
	for _, s := range []string{
		`{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":[1,2,{"b":null}]}}`,
		` { "specversion" : "1.0" , "id" : "1" , "source" : "s" , "type" : "t" , "time" : "2026-01-02T03:04:05+01:00" , "data" : 1e400 } `,
		`{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"text/plain","data":"x"}`,
		`{"specversion":"1.0","id":"1","id":"2","source":"s","type":"t"}`, `{"specversion":"1.0","id":"1","source":"s","type":"t","x":"a\tb"}`,
		`{"specversion":"1.0","id":"1","source":"s","type":"t","x":null,"y":1,"z":true,"data_base64":"AA=="}`,
		`{"data":{},"specversion":"1.0","id":"1","source":"s","type":"t","agentseq":"7","agentprev":"` + zeroHash + `","datasalt":"` + zeroHash + `"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var fast Event
		if !fast.readFast(raw) {
			return
		}
		general, err := parseGeneral(raw)
		if err != nil {
			t.Fatalf("taken, but: %v\n%q", err, raw)
		}
		if !reflect.DeepEqual(fast, general) {
			t.Fatalf("read differently:\n%+v\n%+v\n%q", fast, general, raw)
		}
	})
}

// TestFastIsTaken: the usual event goes the fast way; else it would be of no use, and nobody would notice.
func TestFastIsTaken(t *testing.T) {
	var e Event
	raw := `{"specversion":"1.0","id":"1","source":"did:web:a","type":"ai.agentmesh.tool.invoked","subject":"/r","time":"2026-01-02T03:04:05Z","traceid":"t",
		"action":"allow","datacontenttype":"application/json","data":{"tool":"x","result":"{\"a\": \"é\"}","n":[1,2,3]}}`
	if !e.readFast([]byte(raw)) || e.ID != "1" ||
		string(e.Data) != `{"tool":"x","result":"{\"a\": \"é\"}","n":[1,2,3]}` {
		t.Fatalf("not taken, or wrong: %+v", e)
	}
}

func BenchmarkParseEventFast(b *testing.B) {
	raw := []byte(`{"specversion":"1.0","id":"161b202a-7282-5949-a904-d82a3094902e",` +
		`"source":"did:web:airline-agent-0.example.com","type":"ai.agentmesh.tool.invoked",` +
		`"subject":"/tools/get_user_details","time":"2024-05-15T20:00:00Z",` +
		`"traceid":"60c67a87024d78e31dcfae5652800741","sessionid":"tau-airline-0-0","action":"allow",` +
		`"outcome":"success","datacontenttype":"application/json","data":{"tool":"get_user_details","result":"` +
		strings.Repeat(`{\"name\": {\"first_name\": \"Mia\"}}, `, 20) + `"}}`)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := ParseEvent(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseEventGeneral(b *testing.B) {
	raw := []byte(`{"specversion":"1.0","id":"161b202a-7282-5949-a904-d82a3094902e",` +
		`"source":"did:web:airline-agent-0.example.com","type":"ai.agentmesh.tool.invoked",` +
		`"subject":"/tools/get_user_details","time":"2024-05-15T20:00:00Z",` +
		`"traceid":"60c67a87024d78e31dcfae5652800741","sessionid":"tau-airline-0-0","action":"allow",` +
		`"outcome":"success","datacontenttype":"application/json","data":{"tool":"get_user_details","result":"` +
		strings.Repeat(`{\"name\": {\"first_name\": \"Mia\"}}, `, 20) + `"}}`)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := parseGeneral(raw); err != nil {
			b.Fatal(err)
		}
	}
}
