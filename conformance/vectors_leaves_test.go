package conformance_test

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
)

type leafVectors struct {
	Cases []leafCase `json:"cases"`
}

type leafCase struct {
	Name      string `json:"name"`
	Leaf      blob   `json:"leaf"`
	OK        bool   `json:"ok"`
	Why       string `json:"why,omitempty"`
	Version   bool   `json:"version,omitempty"`
	EntryHash string `json:"entry_hash,omitempty"`
}

// Leaves are put together from parts by hand, in the order that RFC 8785 asks for.
const (
	leafPlace = `"index":7,"input_epoch":1,"input_seq":3,"log":"default",`
	leafChain = `"position":0,"previous_hash":"abababababababababababababababababababababababababababababababab",`
	leafTimes = `"received_at":"2026-11-24T08:30:00.000000000Z","timestamp":"2026-11-24T08:29:59.5Z","v":1}`
	leafHead  = `{"agent_did":"did:mesh:alice","cloudevent_type":"x.y","entry_id":"1","event_type":"x.y",`
	leafPlain = leafHead + leafPlace + leafChain + leafTimes
	leafFull  = `{"action":"deny","agent_did":"did:mesh:alice",` +
		`"agent_prev":"0000000000000000000000000000000000000000000000000000000000000001",` +
		`"agent_seq":9007199254740991,"cloudevent_type":"ai.agentmesh.tool.blocked",` +
		`"data_hash":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd","entry_id":"018f",` +
		`"event_type":"tool_blocked","extensions":{"a":"","datacontenttype":"text/plain","z9":"1"},` + leafPlace +
		`"matched_rule":"no-\"rm\"","outcome":"denied","policy_decision":"policy-7\\deny",` + leafChain +
		`"publisher":"ci@example","received_at":"2026-11-24T08:30:00.000000000Z",` +
		`"redactions":[{"kind":"email","path":"/data/to"}],"resource":"file:///etc/passwd","session_id":"s-1",` +
		`"signature":"c2ln","target_did":"did:mesh:bob","timestamp":"2026-11-24T08:29:59.123456789012Z",` +
		`"trace_id":"0af7651916cd43dd8448eb211c80319c","v":1}`
)

// ownLeaf is a leaf of one of the log's own entries.
func ownLeaf(kind, detail string) string {
	id := uuid5(ownNamespace, "default/1/3/0/"+kind)
	return `{"agent_did":"sealstream.example/default/0a0b0c0d","detail":` + detail + `,"entry_id":"` + id +
		`","event_type":"sealstream.` + kind + `",` +
		leafPlace + leafChain +
		`"received_at":"2026-11-24T08:30:00.000000000Z","timestamp":"2026-11-24T08:30:00.000000000Z","v":1}`
}

const (
	detailConfig = `{"epoch":1,"events_created":"2026-11-24T08:00:00.000000000Z","events_open":false,` +
		`"keys":["sealstream.example/default/0a0b0c0d+00000000+AQ=="],"limits":{"attribute_bytes":4096,` +
		`"data_bytes":262144,"data_depth":32,"leaf_bytes":65535,"message_bytes":921600,"message_events":256,` +
		`"window":1048576},"origin":"sealstream.example/default/0a0b0c0d","previous":0,"rules":1,` +
		`"secret_fingerprint":"00112233445566778899aabbccddeeff"}`
	detailRejected = `{"digest":"efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef",` +
		`"field":"action","reason":"\"x\" is none of them","size":12,"subject":"audit.default.events.open"}`
	detailEpoch = `{"after":{"input_epoch":1,"input_seq":99,` +
		`"root":"efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef","size":7},"epoch":2,` +
		`"events_created":"2026-11-24T08:00:00.000000000Z","reason":"disk lost"}`
)

func makeLeaves() (v leafVectors) {
	good := func(name, leaf string) {
		v.Cases = append(v.Cases, leafCase{
			Name: name, Leaf: blob(leaf), OK: true, EntryHash: hex.EncodeToString(sha("\x00", leaf)),
		})
	}
	bad := func(name, leaf string) { v.Cases = append(v.Cases, leafCase{Name: name, Leaf: blob(leaf), Why: name}) }
	change := func(name, old, new string) {
		if strings.Count(leafFull, old) != 1 {
			panic(name + ": not once in the leaf: " + old)
		}
		bad(name, strings.Replace(leafFull, old, new, 1))
	}
	good("plain", leafPlain)
	good("every member", leafFull)
	good("characters",
		strings.Replace(leafPlain, `"entry_id":"1"`, "\"entry_id\":\"é😂\u2028\u2029<&>/\x7fאب\u202e\"", 1))
	good("timestamp of thirty digits",
		strings.Replace(leafPlain, "08:29:59.5Z", "08:29:59."+strings.Repeat("5", 30)+"Z", 1))
	good("65535 bytes", padded(65535))
	good("config", ownLeaf("config", detailConfig))
	good("rejected", ownLeaf("rejected", detailRejected))
	good("duplicate", ownLeaf("duplicate", `{"originals":[{"index":1,"position":0},{"index":1,"position":2}]}`))
	good("equivocation", ownLeaf("equivocation", `{"entry_id":"1","event_type":"x.y","original":4}`))
	good("gap", ownLeaf("gap", `{"from":2,"to":3}`))
	good("epoch", ownLeaf("epoch", detailEpoch))
	good("control", ownLeaf("control", detailEpoch))
	good("erasure", ownLeaf("erasure", `{"authority":"DPO","indexes":[1,4],"reason":"GDPR art. 17"}`))
	makeBadLeaves(bad, change)
	later := func(name, leaf string) {
		v.Cases = append(v.Cases, leafCase{
			Name: name, Leaf: blob(leaf), Why: "a format that is not known", Version: true,
		})
	}
	two := strings.Replace(leafPlain, `"v":1`, `"v":2`, 1)
	later("version 2", two)
	later("version 2 with a member that version 1 has not", strings.Replace(two, `"v":2`, `"tokens":{"in":1},"v":2`, 1))
	return v
}

func makeBadLeaves(bad func(name, leaf string), change func(name, old, new string)) {
	bad("65536 bytes", padded(65536))
	bad("nothing", "")
	bad("no object", "[]")
	bad("empty object", "{}")
	bad("cut off", leafPlain[:len(leafPlain)-1])
	bad("space in front", " "+leafPlain)
	bad("line feed behind", leafPlain+"\n")
	bad("a second value", leafPlain+"{}")
	bad("byte order mark", "\ufeff"+leafPlain)
	bad("space between members", strings.Replace(leafPlain, `,"log"`, `, "log"`, 1))
	bad("members out of order",
		strings.Replace(leafPlain, `"index":7,"input_epoch":1,`, `"input_epoch":1,"index":7,`, 1))
	bad("a member twice", strings.Replace(leafPlain, `"index":7,`, `"index":7,"index":7,`, 1))
	bad("a member twice, with other values", strings.Replace(leafPlain, `"index":7,`, `"index":7,"index":8,`, 1))
	bad("a name of the hash's own",
		strings.Replace(leafPlain, `"entry_id"`,
			`"entry_hash":"abababababababababababababababababababababababababababababababab","entry_id"`, 1))
	bad("unknown member", strings.Replace(leafPlain, `"v":1`, `"tool":"x","v":1`, 1))
	bad("name in capitals", strings.Replace(leafPlain, `"index"`, `"Index"`, 1))
	change("integer with fraction", `"index":7`, `"index":7.0`)
	change("integer with exponent", `"index":7`, `"index":7e0`)
	change("minus zero", `"position":0`, `"position":-0`)
	change("leading zero", `"index":7`, `"index":07`)
	change("negative", `"index":7`, `"index":-7`)
	change("2^53", `"agent_seq":9007199254740991`, `"agent_seq":9007199254740992`)
	change("integer as a string", `"index":7`, `"index":"7"`)
	change("string as an integer", `"entry_id":"018f"`, `"entry_id":18`)
	change("null", `"session_id":"s-1"`, `"session_id":null`)
	change("boolean for a string", `"session_id":"s-1"`, `"session_id":true`)
	change("empty string", `"session_id":"s-1"`, `"session_id":""`)
	change("escape that is not needed", `"session_id":"s-1"`, `"session_id":"\u0073-1"`)
	change("escaped solidus", `file:///etc`, `file:\/\/\/etc`)
	change("escape in capitals", `"session_id":"s-1"`, `"session_id":"\u001F"`)
	change("long escape where a short one is", `no-\"rm\"`, `no-\u0022rm\u0022`)
	change("escaped letter beyond ASCII", `"session_id":"s-1"`, `"session_id":"\u00e9"`)
	change("surrogate pair as escapes", `"session_id":"s-1"`, `"session_id":"\ud83d\ude02"`)
	change("lone surrogate", `"session_id":"s-1"`, `"session_id":"\ud83d"`)
	change("bad UTF-8", `"session_id":"s-1"`, "\"session_id\":\"\xff\"")
	change("surrogate in UTF-8", `"session_id":"s-1"`, "\"session_id\":\"\xed\xa0\xbd\"")
	change("overlong UTF-8", `"session_id":"s-1"`, "\"session_id\":\"\xc0\xaf\"")
	change("raw control character", `"session_id":"s-1"`, "\"session_id\":\"\x01\"")
	change("extensions empty", `{"a":"","datacontenttype":"text/plain","z9":"1"}`, `{}`)
	change("extensions out of order", `"a":"","datacontenttype":"text/plain"`, `"datacontenttype":"text/plain","a":""`)
	change("extension that is no string", `"z9":"1"`, `"z9":1`)
	change("extension twice", `"z9":"1"`, `"z9":"1","z9":"1"`)
	change("extension name in capitals", `"z9":"1"`, `"Z9":"1"`)
	change("redactions empty", `[{"kind":"email","path":"/data/to"}]`, `[]`)
	change("redaction out of order", `{"kind":"email","path":"/data/to"}`, `{"path":"/data/to","kind":"email"}`)
	change("redaction with another member", `{"kind":"email","path":"/data/to"}`,
		`{"kind":"email","path":"/data/to","who":"x"}`)
	change("hash in capitals", `cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd`,
		`CDcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd`)
	change("hash too short", `cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd`, `cdcd`)
	change("log name in capitals", `"log":"default"`, `"log":"Default"`)
	change("log name too long", `"log":"default"`, `"log":"`+strings.Repeat("x", 33)+`"`)
	change("received_at of six digits", `"received_at":"2026-11-24T08:30:00.000000000Z"`,
		`"received_at":"2026-11-24T08:30:00.000000Z"`)
	change("timestamp with an offset", `"timestamp":"2026-11-24T08:29:59.123456789012Z"`,
		`"timestamp":"2026-11-24T08:29:59.123456789012+00:00"`)
	change("timestamp in small letters", `"timestamp":"2026-11-24T08:29:59.123456789012Z"`,
		`"timestamp":"2026-11-24t08:29:59.123456789012z"`)
	change("timestamp of a leap second", `"timestamp":"2026-11-24T08:29:59.123456789012Z"`,
		`"timestamp":"2016-12-31T23:59:60Z"`)
	for _, name := range []string{
		"agent_did", "entry_id", "event_type", "index", "input_epoch", "input_seq", "log", "position", "previous_hash",
		"received_at", "timestamp", "v",
	} {
		bad("without "+name, without(leafPlain, name))
	}
	bad("detail in an event", strings.Replace(leafPlain, `"entry_id"`, `"detail":{"from":2,"to":3},"entry_id"`, 1))
	bad("an own entry without detail", without(ownLeaf("gap", `{"from":2,"to":3}`), "detail"))
	bad("detail of another type", ownLeaf("gap", `{"authority":"DPO","indexes":[1],"reason":"x"}`))
	bad("detail with a member more", ownLeaf("gap", `{"from":2,"note":"x","to":3}`))
	bad("detail with a member less", ownLeaf("gap", `{"from":2}`))
	bad("detail out of order", ownLeaf("gap", `{"to":3,"from":2}`))
	bad("detail with null", ownLeaf("gap", `{"from":null,"to":3}`))
	bad("config without limits", ownLeaf("config", without(detailConfig, "limits")))
	bad("rejected with an empty field",
		ownLeaf("rejected", strings.Replace(detailRejected, `"field":"action"`, `"field":""`, 1)))
	bad("own type that does not exist", ownLeaf("other", `{"from":2,"to":3}`))
}

// without takes one member out of an object that has no objects or arrays in front of it.
func without(leaf, name string) string {
	at := strings.Index(leaf, `"`+name+`":`)
	depth, inString := 0, false
	for i := at + len(name) + 3; i < len(leaf); i++ {
		switch c := leaf[i]; {
		case c == '\\' && inString:
			i++
		case c == '"':
			inString = !inString
		case inString:
		case (c == ',' || c == '}') && depth == 0:
			if c == ',' {
				return leaf[:at] + leaf[i+1:]
			}
			return strings.TrimSuffix(leaf[:at], ",") + leaf[i:]
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	panic(name)
}

// padded is a leaf of n bytes; its attributes are longer than an event's may be, which a leaf alone does not tell.
func padded(n int) string {
	return strings.Replace(leafPlain, `"entry_id":"1"`, `"entry_id":"1`+strings.Repeat("x", n-len(leafPlain))+`"`, 1)
}

func TestVectorsLeaves(t *testing.T) {
	v := vectors(t, "leaves.json", makeLeaves())
	names := make([]string, len(v.Cases))
	for i, c := range v.Cases {
		names[i] = c.Name
		e, err := entry.ParseEntry(c.Leaf)
		want := error(nil)
		if !c.OK {
			want = entry.ErrLeaf
		}
		if c.Version {
			want = entry.ErrLeafVersion
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: ParseEntry: %v, want %v", c.Name, err, want)
		}
		if !c.OK {
			continue
		}
		equal(t, c.Name, e.EntryHash.String(), c.EntryHash)
		if !e.Verify() || !slices.Equal(e.Leaf, c.Leaf) {
			t.Errorf("%s: fields, leaf and hash are not one", c.Name)
		}
	}
	unique(t, "leaves.json", names...)
}
