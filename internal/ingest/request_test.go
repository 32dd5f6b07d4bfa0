package ingest_test

import (
	"testing"

	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// TestRequestTokens: the token of the subject holds for each event in each mode, and "open" is none
// unless the configuration says so (case 43 of conformance/cases_test.go).
func TestRequestTokens(t *testing.T) {
	const mine, other = "did:web:a.example", "did:web:b.example"
	structured := func(source string) string {
		return `{"specversion":"1.0","id":"1","source":"` + source + `","type":"t"}`
	}
	binary := func(source string) entry.Header {
		return entry.Header{"Ce-Specversion": {"1.0"}, "ce-id": {"1"}, "CE-SOURCE": {source}, "ce-type": {"t"}}
	}
	for _, c := range []struct {
		name, token string
		open        bool
		header      entry.Header
		body, code  string
		stored      uint64 // messages on EVENTS
	}{
		{"open, not accepted", "open", false, nil, structured(mine), "403", 0},
		{"open, accepted", "open", true, nil, structured(mine), "", 1},
		{"its own", subject.AgentToken(mine), false, nil, structured(mine), "", 1},
		{"another's", subject.AgentToken(mine), true, nil, structured(other), "400", 0},
		{"another's in binary", subject.AgentToken(mine), true, binary(other), "", "400", 0},
		{"another's alone in a batch", subject.AgentToken(mine), true, nil, "[" + structured(other) + "]", "", 0},
		{"two sources", subject.AgentToken(mine), true, nil, `{"source":"` + mine + `",` + structured(other)[1:], "400", 0},
		{"two sources in binary", subject.AgentToken(mine), true, entry.Header{"ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {mine, other}, "ce-type": {"t"}}, "", "400", 0},
		{"a source with an escape", subject.AgentToken(mine), true, nil, `{"specversion":"1.0","id":"1","so\u0075rce":"` + other + `","type":"t"}`, "400", 0},
		{"upper case", "OPEN", true, nil, structured(mine), "400", 0},
		{"no token", "", true, nil, structured(mine), "404", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{log: store.NewMemory("default")}
			w.run(t, ingest.Config{Log: w.log, Open: c.open})
			h, body := w.ingest.Request(t.Context(), entry.Message{
				Subject: "audit.default.submit." + c.token, Header: c.header, Data: []byte(c.body),
			})
			info, err := w.log.Events.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := h.Get("Nats-Service-Error-Code"); got != c.code || info.Last != c.stored {
				t.Errorf("code %q, %d messages stored: %s", got, info.Last, body)
			}
		})
	}
}
