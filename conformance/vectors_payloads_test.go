package conformance_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
)

type payloadVectors struct {
	Cases []payloadCase `json:"cases"`
}

type payloadCase struct {
	Name     string  `json:"name"`
	Record   blob    `json:"record"`
	OK       bool    `json:"ok"`
	Why      string  `json:"why,omitempty"`
	Index    *uint64 `json:"index,omitempty"`
	Salt     string  `json:"salt,omitempty"`
	Data     *blob   `json:"data,omitempty"`
	DataHash string  `json:"data_hash,omitempty"`
}

func makePayloads() (v payloadVectors) {
	salt := strings.Repeat("5a", 32)
	record := func(data string) string { return `{` + data + `,"index":7,"salt":"` + salt + `"}` }
	good := func(name, member, data string) {
		index, b := uint64(7), blob(data)
		h := sha("\x02", strings.Repeat("\x5a", 32), data)
		v.Cases = append(v.Cases, payloadCase{
			Name: name, Record: blob(record(member)), OK: true, Index: &index, Salt: salt, Data: &b,
			DataHash: hex.EncodeToString(h),
		})
	}
	bad := func(name, record string) {
		v.Cases = append(v.Cases, payloadCase{Name: name, Record: blob(record), Why: name})
	}
	b64 := func(s string) string { return `"data_base64":"` + base64.StdEncoding.EncodeToString([]byte(s)) + `"` }
	good("JSON", `"data_raw":"{\"a\":1e400}"`, `{"a":1e400}`)
	good("null", `"data_raw":"null"`, "null")
	good("no bytes", `"data_raw":""`, "")
	good("tab, line feed, carriage return", `"data_raw":"\t\n\r"`, "\t\n\r")
	good("DEL and C1 are text", "\"data_raw\":\"\x7f\u0080\u0085\"", "\x7f\u0080\u0085")
	good("noncharacters and U+FFFD are text", "\"data_raw\":\"\uffff\ufffd\"", "\uffff\ufffd")
	good("separators", "\"data_raw\":\"\u2028<>\"", "\u2028<>")
	good("a zero byte is not text", b64("\x00"), "\x00")
	good("a control is not text", b64("a\x1fb"), "a\x1fb")
	good("form feed is not text", b64("\f"), "\f")
	good("not UTF-8", b64("\xff\xfe"), "\xff\xfe")
	good("surrogate in UTF-8 is not UTF-8", b64("\xed\xa0\x80"), "\xed\xa0\x80")
	bad("nothing", "")
	bad("line feed behind", record(`"data_raw":"x"`)+"\n")
	bad("space", record(`"data_raw": "x"`))
	bad("text in base64", record(b64("x")))
	bad("no bytes in base64", record(`"data_base64":""`))
	bad("control as a string", record(`"data_raw":"\u0000"`))
	bad("escape that is not needed", record(`"data_raw":"\u0041"`))
	bad("long escape of a line feed", record(`"data_raw":"\u000a"`))
	bad("lone surrogate", record(`"data_raw":"\ud800"`))
	bad("bad UTF-8", record("\"data_raw\":\"\xff\""))
	bad("base64 without padding", record(`"data_base64":"/w"`))
	bad("base64 with a bit too many", record(`"data_base64":"/x=="`))
	bad("base64 for URLs", record(`"data_base64":"_w=="`))
	bad("base64 with a line feed", record(`"data_base64":"/w\n=="`))
	bad("both forms", record(`"data_base64":"/w==","data_raw":"x"`))
	bad("neither form", record(`"data":"x"`))
	bad("data alone", `{"data_raw":"x"}`)
	bad("out of order", `{"index":7,"data_raw":"x","salt":"`+salt+`"}`)
	bad("a member more", `{"data_raw":"x","index":7,"note":"x","salt":"`+salt+`"}`)
	bad("a member twice", `{"data_raw":"x","index":7,"index":7,"salt":"`+salt+`"}`)
	bad("data that is no string", record(`"data_raw":{"a":1}`))
	bad("data null", record(`"data_raw":null`))
	bad("index as a string", strings.Replace(record(`"data_raw":"x"`), `:7`, `:"7"`, 1))
	bad("index 2^53", strings.Replace(record(`"data_raw":"x"`), `:7`, `:9007199254740992`, 1))
	bad("index negative", strings.Replace(record(`"data_raw":"x"`), `:7`, `:-7`, 1))
	bad("salt in capitals", strings.Replace(record(`"data_raw":"x"`), `5a`, `5A`, 1))
	bad("salt too short", strings.Replace(record(`"data_raw":"x"`), `5a`, ``, 1))
	bad("no salt", `{"data_raw":"x","index":7}`)
	return v
}

func TestVectorsPayloads(t *testing.T) {
	v := vectors(t, "payloads.json", makePayloads())
	names := make([]string, len(v.Cases))
	for i, c := range v.Cases {
		names[i] = c.Name
		p, err := entry.ParsePayload(c.Record)
		if (err == nil) != c.OK {
			t.Errorf("%s: ParsePayload: %v, want ok %v", c.Name, err, c.OK)
		}
		if !c.OK || err != nil {
			continue
		}
		equal(t, c.Name, string(p.Data), string(*c.Data))
		equal(t, c.Name, entry.Hash(p.Salt).String(), c.Salt)
		equal(t, c.Name, string(p.AppendRecord(nil)), string(c.Record))
		if !p.Opens(entry.Entry{Index: *c.Index, DataHash: new(hash(t, c.DataHash))}) {
			t.Errorf("%s: the payload does not open data_hash", c.Name)
		}
	}
	unique(t, "payloads.json", names...)
}
