package redact

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func seeds(f *testing.F, s *Set, add func(string)) {
	for _, c := range secrets {
		add(c.before + c.secret + c.after)
	}
	for _, text := range ordinary {
		add(text)
	}
	add(join("ghp", "_", alnum[:36], "]", "sk", "-", alnum[:40], "://a:b@c password=x;host="))
}

// FuzzText: redacting again changes nothing, and finds nothing.
func FuzzText(f *testing.F) {
	s := set(f)
	seeds(f, s, func(text string) { f.Add([]byte(text)) })
	f.Fuzz(func(t *testing.T, text []byte) {
		out, kinds := s.Text(bytes.Clone(text))
		if (kinds == nil) != bytes.Equal(out, text) {
			t.Fatalf("%q became %q with %v", text, out, kinds)
		}
		if again, more := s.Text(bytes.Clone(out)); more != nil || !bytes.Equal(again, out) {
			t.Fatalf("%q became %q, and then %q %v", text, out, again, more)
		}
	})
}

// FuzzJSON: valid JSON stays valid, without a name twice; redacting again changes nothing; what May
// does not see is not there.
func FuzzJSON(f *testing.F) {
	s := set(f)
	seeds(f, s, func(text string) {
		if q, err := json.Marshal(text); err == nil {
			f.Add(fmt.Appendf(nil, `{"a":%s,"b":[1,{%[1]s:"x"}]}`, q))
		}
	})
	f.Add([]byte(`{"password":{"password":["a",1,null,{"b":"c"}]},"passw\u006frd":"\ud83d\ude00"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) || !distinct(raw) || bytes.Contains(bytes.ToLower(raw), []byte(`\ud`)) ||
			!bytes.Equal(bytes.ToValidUTF8(raw, nil), raw) {
			return // what entry refuses, and surrogates, are not for us to mend
		}
		out, found := s.JSON(bytes.Clone(raw), "/data")
		if !json.Valid(out) || !distinct(out) {
			t.Fatalf("%q became %q", raw, out)
		}
		if (found == nil) != bytes.Equal(out, raw) {
			t.Fatalf("%q became %q with %v", raw, out, found)
		}
		if found != nil && !s.May(raw) {
			t.Fatalf("%q: May does not see %v", raw, found)
		}
		if again, more := s.JSON(bytes.Clone(out), "/data"); more != nil || !bytes.Equal(again, out) {
			t.Fatalf("%q became %q, and then %q %v", raw, out, again, more)
		}
	})
}

// TestLinear: what is made to be slow is not, four times the text being some four times the work. The bound is far off.
func TestLinear(t *testing.T) {
	s := set(t)
	for _, unit := range []string{"eyJ.", "eyJabc.eyJ", "sk-", "-sk-", " sk-a", "://", "://a:", "cookie:",
		"cookie: a b ", "password=", ";password=", "A_TOKEN=A(", `"password":`, `"password":"`,
		`\"token\":\"`, "-----BEGIN PRIVATE KEY", "-----BEGIN ", "bearer a1b2c3d4 ", "4111 ", "1", "4111-1111-1111-1111 ", "SG.a", "PRIVATE+KEY+", "hooks.slack.com/services/", "\\n", "password: a\n",
		"tokentokentoken", "basic QWxh ", "host=x password=", `\u0041`, "1//0", "X-Api-Key:x", "password (", "<password ", "<password>", "secret;", "kind: secret data:", "data: a: bbbbbbbb\nkind: secret\n", "curl -u a:", "token: str = '", "password: !a ",
		"adafruit=", "twitter: a", "bearer=", "basic=", "SG..", "sig=", ".eyJ", "0Q~", "@tcp(", "a:b@tcp(", "oracle:thin:a/", "identified by '", "{\"value\":", "{\"value\":{\"type\":", "[\"--token\",", "\"password\":[", "\\\"password\\\":\\\"", "password: '", "'password': {'a': '",
		"x-api-key: a1234567 [REDACTED:", "4242\u00a0", "1-", "(\"token\", \""} {
		t.Run(unit, func(t *testing.T) {
			begin := time.Now()
			for _, n := range []int{1 << 16, 1 << 18} {
				text := []byte(strings.Repeat(unit, n/len(unit)))
				s.Text(text)
				raw := appendQuoted(nil, text)
				s.May(raw)
				s.JSON(raw, "")
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestLines is the promise about ordinary text: of 5,000 lines, at most one in a thousand is altered.
func TestLines(t *testing.T) {
	s := set(t)
	lines := corpus(t)
	altered := 0
	for _, line := range lines {
		if out, kinds := s.Text([]byte(line)); kinds != nil {
			altered++
			t.Logf("%v: %.200q became %.200q", kinds, line, out)
		}
	}
	t.Logf("%d of %d lines altered", altered, len(lines))
	if len(lines) < 5000 || altered*1000 > len(lines) {
		t.Errorf("%d of %d lines altered", altered, len(lines))
	}
}

// corpus is this repository's own text and code, without what is about secrets, and as many hashes,
// ids, numbers and times.
func corpus(t *testing.T) (lines []string) {
	t.Helper()
	for _, pattern := range []string{"../../README.md", "../../docs/*.md", "../../internal/*/README.md",
		"../../streams/*", "../entry/*.go", "../proof/*.go", "../../internal/sealer/*.go", "../../internal/query/*.go", "../../internal/node/*.go",
		"../../sdk/python/sealstream_[vt]*.py", "../../go.sum", "../../LICENSE"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for i, file := range files {
			text, err := os.ReadFile(file)
			if err != nil || i%3 == 1 && strings.HasSuffix(pattern, ".go") {
				continue
			}
			for line := range strings.Lines(string(text)) {
				if line = strings.TrimRight(line, "\n"); line != "" && len(line) < 4096 {
					lines = append(lines, line)
				}
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	bytesOf := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	for range 1000 {
		h := hex.EncodeToString(bytesOf(32))
		key := make([]byte, 44)
		for i := range key {
			key[i] = base58[r.IntN(58)]
		}
		lines = append(lines, h, "sha256:"+h, h[:40]+" refs/heads/main",
			fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[12:15], h[15:18], h[18:30]),
			"did:key:z6Mk"+string(key), "did:web:agents.example.com:"+h[:12],
			fmt.Sprintf("ts=%d id=%d", 1732400000000000000+r.Int64N(1e15), r.Uint64()),
			fmt.Sprintf("00-%s-%s-01", h[:32], h[32:48]),
			time.Unix(r.Int64N(2e9), r.Int64N(1e9)).UTC().Format(time.RFC3339Nano),
			fmt.Sprintf(`{"order":%d,"total":%.2f}`, r.Int64N(1e12), r.Float64()*1e4))
	}
	return lines
}

// BenchmarkMay is what an ordinary event of 1 KB costs.
func BenchmarkMay(b *testing.B) {
	for _, number := range []uint64{1, 2} {
		b.Run(fmt.Sprint("set", number), func(b *testing.B) {
			s := setOf(b, number)
			raw := ordinaryEvent()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if s.May(raw) {
					b.Fatal("nothing is in it")
				}
			}
		})
	}
}

// BenchmarkJSON is what it costs to look closely, for data with a secret and without.
func BenchmarkJSON(b *testing.B) {
	for _, number := range []uint64{1, 2} {
		b.Run(fmt.Sprint("set", number), func(b *testing.B) { benchmarkJSON(b, setOf(b, number)) })
	}
}

func benchmarkJSON(b *testing.B, s *Set) {
	for _, c := range []struct{ name, raw string }{
		{"without", string(ordinaryEvent())},
		{"with", strings.Replace(string(ordinaryEvent()), "ipsum", join("ghp", "_", alnum[:36]), 1)},
	} {
		b.Run(c.name, func(b *testing.B) {
			raw := []byte(c.raw)
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				s.JSON(raw, "/data")
			}
		})
	}
}

// ordinaryEvent is that of ingest's benchmark.
func ordinaryEvent() []byte {
	return []byte(`{"specversion":"1.0","id":"01890a5d-ac96-774b-bcce-000000000017",` +
		`"source":"did:web:agents.example.com:buyer","type":"ai.agentmesh.tool.invoked",` +
		`"time":"2026-11-23T10:00:00.123456789Z","subject":"search_flights","action":"allow","outcome":"success",` +
		`"sessionid":"session-17",` +
		`"traceid":"0af7651916cd43dd8448eb211c80319c","data":{"arguments":{"from":"JFK","to":"SEA"},"text":"` +
		strings.Repeat("lorem ipsum ", 55) + `"}}`)
}
