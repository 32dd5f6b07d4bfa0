package compliance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/compliance"
	"github.com/sealstream/sealstream/pkg/compliance/online"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// testKey makes the logs of these tests the same bytes at every run. It protects nothing.
const testKey = "PRIVATE+KEY+compliance.example.com/default/34750f98+16d8987f+" +
	"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"

// begin is when the logs begin; the broker stores an event each second.
var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fixture is a log in memory and a service over it.
type fixture struct {
	*testing.T
	signer *proof.Signer
	api    http.Handler
	size   uint64
}

type handlerTransport struct{ http.Handler }

func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	t.ServeHTTP(w, r)
	return w.Result(), nil
}

// source asks a handler.
func (f *fixture) source(h http.Handler) compliance.Source {
	f.Helper()
	c, err := client.New(client.Config{
		Server: "http://in.process", Key: f.signer.VerifierKey(), FailFast: true,
		HTTP: &http.Client{Transport: handlerTransport{h}},
	})
	if err != nil {
		f.Fatal(err)
	}
	return online.Source{Client: c}
}

func newFixture(t *testing.T, events ...entry.Event) *fixture {
	t.Helper()
	signer, err := proof.NewSigner(testKey)
	if err != nil {
		t.Fatal(err)
	}
	config := entry.Config{Origin: signer.Origin(), Keys: []string{signer.VerifierKey()},
		EventsCreated: canonical.FormatReceived(begin), EventsOpen: true, Epoch: 1, Rules: ruleset.First,
		SecretFingerprint: draft.SecretFingerprint(make([]byte, 32)), Limits: entry.DefaultLimits()}
	messages := []entry.Message{
		{Subject: "audit.default.control", Data: inbox.FormatControl("created", config.Origin, entry.TypeConfig, config.AppendJSON(nil)), Seq: 1, Time: begin},
	}
	for i, e := range events {
		messages = append(messages, entry.Message{
			Subject: "audit.default.events.open", Data: e.AppendJSON(nil), Seq: uint64(i + 2),
			Time: begin.Add(time.Duration(i+1) * time.Second),
		})
	}
	log := store.NewMemory("default")
	log.Events = store.NewMemoryStreamOf(begin, messages)
	s, err := sealer.New(sealer.Config{Log: log, Signer: signer, Secret: make([]byte, 32), KeepEvents: true})
	if err != nil {
		t.Fatal(err)
	}
	q, err := query.New(query.Config{Log: log, Keys: []string{signer.VerifierKey()}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	for _, run := range []func(context.Context) error{s.Run, q.Run} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		}()
		t.Cleanup(func() { cancel(); <-done })
	}
	f := &fixture{T: t, signer: signer, api: q.Handler(), size: uint64(len(messages))}
	// a large log takes longer
	wait, stop := context.WithTimeout(ctx, 30*time.Second+time.Duration(len(events))*time.Millisecond)
	defer stop()
	if err := q.Await(wait, f.size); err != nil {
		t.Fatal(err)
	}
	if err := q.CaughtUp(wait); err != nil {
		t.Fatal(err)
	}
	return f
}

func framework(t *testing.T, name string) compliance.Framework {
	t.Helper()
	f, err := compliance.BuiltIn(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) verifier(fw compliance.Framework) compliance.Verifier {
	return compliance.Verifier{
		Source: f.source(f.api), Framework: fw, Keys: []string{f.signer.VerifierKey()}, Signer: f.signer, Version: "test",
		Platform: "test",
	}
}

// attest evaluates a framework, and checks the attestation offline and against its schema.
func (f *fixture) attest(fw compliance.Framework) compliance.Attestation {
	f.Helper()
	a, err := f.verifier(fw).Verify(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	conforms(f.T, "attestation", a)
	raw, err := json.Marshal(a)
	if err != nil {
		f.Fatal(err)
	}
	again, err := compliance.ParseAttestation(raw)
	if err != nil {
		f.Fatal(err)
	}
	if err := again.Check(f.signer.VerifierKey()); err != nil {
		f.Fatal(err)
	}
	return a
}

func conforms(t *testing.T, schema string, v any) {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile("schema/" + schema + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%s: %v", schema, err)
	}
}

// golden compares with testdata; GOLDEN=write writes it anew.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("GOLDEN") == "write" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		gl, wl := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
		for i := range min(len(gl), len(wl)) {
			if gl[i] != wl[i] {
				t.Fatalf("%s, line %d:\n%s\nwant\n%s\n(GOLDEN=write writes it anew)", name, i+1, gl[i], wl[i])
			}
		}
		t.Fatalf("%s: %d lines, want %d", name, len(gl), len(wl))
	}
}

var serial int

// ev is an event of an agent.
func ev(agent, kind string, set ...func(*entry.Event)) entry.Event {
	serial++
	e := entry.Event{
		ID: fmt.Sprint("event-", serial), Source: "did:web:" + agent + ".example.com",
		Type: ruleset.CloudEventType(kind), Extensions: map[string]string{},
	}
	for _, s := range set {
		s(&e)
	}
	return e
}

func action(v string) func(*entry.Event)  { return func(e *entry.Event) { e.Action = v } }
func outcome(v string) func(*entry.Event) { return func(e *entry.Event) { e.Outcome = v } }
func session(v string) func(*entry.Event) { return func(e *entry.Event) { e.SessionID = v } }

// declared declares the components of a framework.
func declared(t *testing.T, fw compliance.Framework) (list []entry.Event) {
	t.Helper()
	for _, c := range fw.Controls {
		e, err := compliance.Declaration{Agent: "did:web:operator.example.com", Name: c.Component, Version: "1.0",
			Digest: "sha256:" + strings.Repeat("ab", 32)}.Event()
		if err != nil {
			t.Fatal(err)
		}
		e.ID = "declared-" + c.ID // the same at every run
		list = append(list, e)
	}
	return list
}

// allGood is evidence for every control of the built-in frameworks.
func allGood() []entry.Event {
	return []entry.Event{
		ev("a", "policy_evaluation"), ev("a", "policy_evaluation"), ev("b", "policy_evaluation"), ev("a", "tool_invocation"), ev("a", "tool_invocation"), ev("b", "tool_invocation"),
		ev("a", "tool_blocked", action("deny")), ev("a", "agent_registered"), ev("b", "agent_verified"), ev("service", "integrity_check", outcome("success")),
		ev("a", "code_execution"), ev("a", "code_execution", action("deny")), ev("a", "memory_write"), ev("a", "trust_handshake", outcome("success")), ev("a", "agent_invocation"),
		ev("a", "circuit_breaker"), ev("h", "approval_requested", session("s")), ev("h", "approval_decided", session("s")), ev("m", "anomaly_check"),
		ev("a", "policy_violation", session("v")), ev("a", "tool_blocked", session("v"), action("deny")), ev("a", "rogue_detection"), ev("a", "containment", action("quarantine")),
	}
}

// tau is the events of a real agent.
func tau(t *testing.T) (list []entry.Event) {
	t.Helper()
	raw, err := os.ReadFile("../../internal/demo/tau-airline.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		e, err := entry.ParseEvent(bytes.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}
