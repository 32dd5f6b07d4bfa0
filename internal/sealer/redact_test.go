package sealer

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// The secrets of these tests, put together so that no scanner takes them for a leak.
var (
	aToken    = "ghp" + "_" + "4eC39HqLyjWDarjtT1zdp7dcQ3zXv9Kb2Lm8"
	aPassword = "hunter" + "2hunter2"
)

// redacting is a log that was made with the default rules.
func redacting(t *testing.T, test func(t *testing.T, f *fixture)) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.cfg.Redaction = redact.Default()
		if err := Create(t.Context(), f.cfg, true); err != nil {
			t.Fatal(err)
		}
		test(t, f)
	})
}

// holdNo says that no message of a stream holds any of some texts.
func holdNo(t *testing.T, name string, s store.Stream, texts ...string) {
	t.Helper()
	for _, m := range stored(t, s) {
		for _, text := range texts {
			if bytes.Contains(m.Data, []byte(text)) {
				t.Errorf("%s, sequence %d, holds %.20q: %.300q", name, m.Seq, text, m.Data)
			}
		}
	}
}

// TestRedacted: what came raw over NATS, in each of its modes and refused too, is in no leaf and no
// payload; sealing it again gives the same bytes, and a repeat is one, whether it was redacted
// before or not.
func TestRedacted(t *testing.T) {
	redacting(t, func(t *testing.T, f *fixture) {
		structured := event("1", `{"q" : 1e400, "t":"use `+aToken+` now","password":"`+aPassword+`"}`)
		f.publish(tokenSubject("did:a"), structured)
		f.publish(tokenSubject("did:a"),
			"["+event("2", `"`+aToken+`"`)+","+
				event("1", `{"q" : 1e400, "t":"use [REDACTED:github-token] now","password":"[REDACTED:password]"}`)+"]")
		f.publish(tokenSubject("did:a"), aToken, "ce-specversion", "1.0", "ce-id", "3", "ce-source", "did:a", "ce-type",
			"t", "ce-subject", "repo?token="+aToken, "content-type", "text/plain")
		f.publish("batch.i",
			`[{"event":`+event("4", `"`+escapeAll(aToken)+`"`)+`},{"event":{"specversion":"1.0","id":"`+aToken+`"}}]`)
		f.publish(tokenSubject("did:a"), `{"no json, but `+aToken+strings.Repeat("x ", 3000))
		// the cut goes through it
		f.publish(tokenSubject("did:a"), strings.Repeat("y", ruleset.MaxRejectedBytes-10)+" "+aToken)
		f.publish(tokenSubject("did:a"), strings.Replace(event("5", `1`), `"id"`, `"action":"`+aToken+`","id"`, 1))
		f.publish(tokenSubject("did:a"),
			strings.Replace(event("6", `1`), `"data":1`, `"data_base64":"eyJwYXNzd29yZCI6Imh1bnRlcjJodW50ZXIyIn0="`, 1))
		f.publish("control",
			`{"specversion":"1.0","id":"`+aToken+`","source":"x","type":"sealstream.config","data":{"`+aToken+`":1}}`)
		f.mustSeal()
		list := f.expect("config 1/0", "tool_invocation 2/0 1", "tool_invocation 3/0 2", "duplicate 3/2 1=#1",
			"t 4/0 3", "tool_invocation 5/0 4",
			"rejected 5/1 [source] required", "rejected 6/0 [] "+why(f, 7), "rejected 7/0 [] "+why(f, 8),
			"rejected 8/0 [action] "+why(f, 9), "tool_invocation 9/0 6", "rejected 10/0 [data] "+why(f, 11))
		if got := list[1].Redactions; len(got) != 2 ||
			got[0] != (redact.Finding{Kind: "github-token", Path: "/data/t"}) ||
			got[1] != (redact.Finding{Kind: "password", Path: "/data/password"}) {
			t.Errorf("redactions %v", got)
		}
		if e := list[4]; e.Resource != "repo?token=[REDACTED:token]" || len(e.Redactions) != 2 {
			t.Errorf("attributes: %s", e.Leaf)
		}
		for i, e := range list {
			if (i == 0 || i == 3) == (len(e.Redactions) > 0) {
				t.Errorf("index %d: redactions %v", i, e.Redactions)
			}
		}
		holdNo(t, "SEALED", f.log.Sealed, aToken, aPassword, aToken[:12])
		holdNo(t, "PAYLOADS", f.log.Payloads, aToken, aPassword, aToken[:12])
		f.again(1)
		f.again(3)
	})
}

// why is the reason of the rejected entry at an index.
func why(f *fixture, index int) string {
	if d, ok := f.entries()[index].Detail.(*entry.Rejected); ok {
		return d.Reason
	}
	return "not rejected"
}

func escapeAll(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteString(`\u00` + string("0123456789abcdef"[s[i]>>4]) + string("0123456789abcdef"[s[i]&15]))
	}
	return b.String()
}

// TestRedactionLater: a log that is there redacts nothing until a config says so, and then from the
// next index on, whatever was prepared ahead.
func TestRedactionLater(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		f.publish(tokenSubject("did:a"), event("1", `"`+aToken+`"`))
		f.mustSeal()
		if asked, err := AnnounceRedaction(t.Context(), f.cfg, redact.Default()); !asked || err != nil {
			t.Fatal(asked, err)
		}
		for _, id := range []string{"2", "3"} { // all of it in one reading
			f.publish(tokenSubject("did:a"), event(id, `"`+aToken+`"`))
		}
		f.mustSeal()
		if asked, err := AnnounceRedaction(t.Context(), f.cfg, redact.Default()); asked || err != nil {
			t.Fatal(asked, err)
		}
		if asked, err := AnnounceRedaction(t.Context(), f.cfg, nil); !asked || err != nil {
			t.Fatal(asked, err)
		}
		f.publish(tokenSubject("did:a"), event("4", `"`+aToken+`"`))
		f.mustSeal()
		list := f.expect("config 1/0", "tool_invocation 2/0 1", "config 3/0", "tool_invocation 4/0 2",
			"tool_invocation 5/0 3", "config 6/0", "tool_invocation 7/0 4")
		for i, want := range []int{0, 0, 0, 1, 1, 0, 0} {
			if len(list[i].Redactions) != want {
				t.Errorf("index %d: redactions %v", i, list[i].Redactions)
			}
		}
		f.again(2)
	})
}

// TestCustomRules: names, patterns and private fields of the config.
func TestCustomRules(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		rules := redact.Default()
		rules.Names = []redact.Name{{Kind: "badge", Name: "badgeno"}}
		rules.Rules = []redact.Pattern{{Kind: "patient", Match: `\bPT-[0-9]{6}\b`, Contains: "PT-"}}
		rules.Private = []string{"subject", "mail"}
		f.cfg.Redaction = rules
		if err := Create(t.Context(), f.cfg, true); err != nil {
			t.Fatal(err)
		}
		f.publish(tokenSubject("did:a"),
			strings.Replace(event("1", `{"badge_no":"7","x":"PT-123456, PT-12"}`), `"id"`,
				`"subject":"/patients/PT-654321","mail":"a@b.example","id"`, 1))
		f.mustSeal()
		e := f.entries()[1]
		if e.Resource != "" || e.Extensions["mail"] != "" || strings.Contains(string(e.Leaf), "b.example") {
			t.Errorf("%s", e.Leaf)
		}
		want := `{"data":{"badge_no":"[REDACTED:badge]","x":"[REDACTED:patient], PT-12"},` +
			`"private":{"mail":"a@b.example","subject":"/patients/[REDACTED:patient]"}}`
		p, err := proofPayload(f, 1)
		if err != nil || string(p) != want {
			t.Errorf("%s %v, want %s", p, err, want)
		}
		f.again(1)
	})
}

// proofPayload is the data of an index.
func proofPayload(f *fixture, index uint64) ([]byte, error) {
	for _, m := range stored(f.t, f.log.Payloads) {
		for line := range bytes.Lines(m.Data) {
			if p, err := entry.ParsePayload(bytes.TrimRight(line, "\n")); err != nil || p.Index == index {
				return p.Data, err
			}
		}
	}
	return nil, errors.New("no payload")
}

// TestUnknownSet: a sealer that does not have the set of the config refuses, at the start and under way.
func TestUnknownSet(t *testing.T) {
	redacting(t, func(t *testing.T, f *fixture) {
		f.mustSeal()
		c := *f.entries()[0].Detail.(*entry.Config)
		at := uint64(0)
		c.Previous, c.Redaction = &at, &redact.Rules{Set: 1, Hash: strings.Repeat("0", 64)}
		f.control(entry.TypeConfig, &c)
		if err := f.seal(); !errors.Is(err, ErrRefused) {
			t.Errorf("another hash: %v", err)
		}
		cfg := f.cfg
		cfg.Redaction = &redact.Rules{Set: 9, Hash: strings.Repeat("0", 64)}
		if _, err := AnnounceRedaction(context.Background(), cfg, cfg.Redaction); !errors.Is(err, ErrRefused) {
			t.Errorf("announced: %v", err)
		}
	})
}

// TestNewerSet: a log of set 1 goes on by set 1 until set 2 is announced; both parts are sealed to
// the same bytes again.
func TestNewerSet(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.cfg.Redaction = &redact.Rules{Set: 1, Hash: redact.Hash(1)}
		if err := Create(t.Context(), f.cfg, true); err != nil {
			t.Fatal(err)
		}
		const setting = `"- password: 'S3cr3t-Zz9-kq'"` // only set 2 knows it
		f.publish(tokenSubject("did:a"), event("1", setting))
		f.mustSeal()
		if asked, err := AnnounceRedaction(t.Context(), f.cfg, redact.Default()); !asked || err != nil {
			t.Fatal(asked, err)
		}
		f.publish(tokenSubject("did:a"), event("2", setting))
		f.mustSeal()
		list := f.expect("config 1/0", "tool_invocation 2/0 1", "config 3/0", "tool_invocation 4/0 2")
		for i, want := range []int{0, 0, 0, 1} {
			if len(list[i].Redactions) != want {
				t.Errorf("index %d: redactions %v", i, list[i].Redactions)
			}
		}
		for i, set := range map[int]uint64{0: 1, 2: 2} {
			if c := list[i].Detail.(*entry.Config); c.Redaction.Set != set || c.Redaction.Hash != redact.Hash(set) {
				t.Errorf("index %d names %+v, want set %d", i, c.Redaction, set)
			}
		}
		f.again(3)
	})
}
