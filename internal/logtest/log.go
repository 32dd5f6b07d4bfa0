package logtest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/logtest/keytest"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/streams/subject"
)

// Signer is a new key of a log.
func Signer(t testing.TB, log string) *proof.Signer {
	t.Helper()
	return keytest.Signer(t, "test.example.com", log)
}

// Secret is the log secret of every log here.
var Secret = bytes.Repeat([]byte{7}, 32)

// Fixture is a log that was created, and its sealer, which runs only within Seal.
type Fixture struct {
	testing.TB
	Store  *store.Log
	Config sealer.Config // of each sealer that Seal runs
	Key    string        // verifier key
	Events int           // published by Publish
}

// New creates a log with a new key. Config has KeepEvents. change, which may be nil, changes Config
// before.
func New(t testing.TB, log *store.Log, change func(*sealer.Config)) *Fixture {
	t.Helper()
	cfg := sealer.Config{Log: log, Signer: Signer(t, log.Name), Secret: Secret, KeepEvents: true}
	if change != nil {
		change(&cfg)
	}
	if err := sealer.Create(t.Context(), cfg, true); err != nil {
		t.Fatal(err)
	}
	return &Fixture{TB: t, Store: log, Config: cfg, Key: cfg.Signer.VerifierKey()}
}

// Memory creates a log in memory.
func Memory(t testing.TB) *Fixture {
	t.Helper()
	return New(t, store.NewMemory(Name), nil)
}

// Sealer is a new sealer of the log.
func (l *Fixture) Sealer() *sealer.Sealer {
	l.Helper()
	s, err := sealer.New(l.Config)
	if err != nil {
		l.Fatal(err)
	}
	return s
}

// Append appends a message to EVENTS.
func (l *Fixture) Append(subject string, data []byte) {
	l.Helper()
	if _, err := l.Store.Events.Append(l.Context(), entry.Message{Subject: subject, Data: data}, nil); err != nil {
		l.Fatal(err)
	}
}

// Publish publishes n events, a message each. Their ids count up from e0, and all have data.
func (l *Fixture) Publish(n int) {
	l.Helper()
	for range n {
		l.Append(subject.Events(l.Store.Name, "open"), fmt.Appendf(
			nil,
			`{"specversion":"1.0","id":"e%d","source":"did:web:agent","type":"ai.agentmesh.tool.invoked",`+
				`"data":{"secret":"s-%d"}}`,
			l.Events,
			l.Events,
		))
		l.Events++
	}
}

// Control publishes an entry of an administrator.
func (l *Fixture) Control(id, eventType string, data []byte) {
	l.Helper()
	l.Append(subject.Control(l.Store.Name), inbox.FormatControl("urn:admin", id, eventType, data))
}

// Seal runs a sealer until all of EVENTS is sealed. It returns the size of the log.
func (l *Fixture) Seal() uint64 {
	l.Helper()
	s := l.Sealer()
	stop := Run(l, "sealer", s.Run)
	defer stop()
	Until(l, "the sealer to come to the end", func() bool {
		info, err := l.Store.Events.Info(l.Context())
		return err == nil && s.Status().InputSeq >= info.Last && s.Status().Size > 0
	})
	return s.Status().Size
}

// Grow publishes n events and seals all of EVENTS. It returns the size of the log.
func (l *Fixture) Grow(n int) uint64 {
	l.Helper()
	l.Publish(n)
	return l.Seal()
}
