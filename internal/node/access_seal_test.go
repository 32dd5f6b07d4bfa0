package node

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// raiseRules raises the sealing rules of a log, and waits until they are in force.
func raiseRules(t *testing.T, l *Log, rules uint64) {
	t.Helper()
	ctx := access.With(t.Context(), access.Open)
	newest := func() (uint64, *entry.Config) {
		page, err := l.pipeline.query.Entries(ctx, api.Filter{Type: []string{entry.TypeConfig}}, query.Page{Limit: 1})
		if err != nil || len(page.Entries) != 1 {
			t.Fatal(err)
		}
		return page.Entries[0].Entry.Index, page.Entries[0].Entry.Detail.(*entry.Config)
	}
	index, config := newest()
	next := *config
	next.Rules, next.Previous = rules, &index
	body := inbox.FormatControl(uuid.NewString(), l.Origin(), entry.TypeConfig, next.AppendJSON(nil))
	m := entry.Message{Subject: subject.Control(l.pipeline.log.Name), Data: body}
	if _, err := l.pipeline.log.Events.Append(ctx, m, nil); err != nil {
		t.Fatal(err)
	}
	logtest.Until(t, "the rules are raised", func() bool { _, c := newest(); return c.Rules == rules })
}

// TestSealAccess: under rules 4 each version of the rules of access is an entry, which names the one
// before, and has the text as its data. A text that is in force already is not sealed again.
func TestSealAccess(t *testing.T) {
	if ruleset.Known < ruleset.Blinding {
		t.Skip("this release does not seal by rules 4 yet")
	}
	l, err := Embedded(t.Context(), EmbedConfig{Plugins: withPlugins})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := accessSeal{log: l.pipeline.log, query: l.pipeline.query, role: "query"}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if index, err := s.announce(ctx, []byte("identities: []")); index != nil || err != nil {
		t.Fatalf("before rules 4: %v, %v", index, err)
	}
	raiseRules(t, l, ruleset.Blinding)
	texts := []string{"identities: []", "identities: []", "identities: [{id: a}] # ü", "identities: []"}
	var indexes []uint64
	for _, text := range texts {
		index, err := s.announce(ctx, []byte(text))
		if err != nil || index == nil {
			t.Fatalf("%s: %v, %v", text, index, err)
		}
		indexes = append(indexes, *index)
		found, err := l.pipeline.query.Entry(access.With(ctx, access.Open), *index)
		if err != nil {
			t.Fatal(err)
		}
		d, ok := found.Entry.Detail.(*entry.Access)
		if !ok || d.Role != "query" || !strings.Contains(d.Process, "process ") || string(found.Payload.Data) != text {
			t.Errorf("%s: %s", text, found.Entry.Leaf)
		}
		if n := len(indexes); n > 2 && (d.Previous == nil || *d.Previous != indexes[n-2]) {
			t.Errorf("%s: it does not name the version before: %s", text, found.Entry.Leaf)
		}
	}
	if indexes[0] != indexes[1] || indexes[1] >= indexes[2] || indexes[2] >= indexes[3] {
		t.Errorf("%v", indexes)
	}
	// another process of the role was quicker: the event is rejected, and the next attempt succeeds
	stale := indexes[2]
	m := entry.Message{Subject: subject.Service("default", "query"), Data: s.event([]byte("stale"), &stale)}
	seq, err := s.log.Events.Append(ctx, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.await(access.With(ctx, access.Open), seq)
	if err == nil || !strings.Contains(err.Error(), "rejected") {
		t.Errorf("a stale event: %v", err)
	}
	if index, err := s.announce(ctx, []byte("next")); err != nil || *index <= indexes[3] {
		t.Errorf("%v, %v", index, err)
	}
}
