package node

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/retry"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// sealAccess seals the rules of access of a whole log in one process, whose HTTP is that of query.
func (n *Node) sealAccess(ctx context.Context, text []byte) (*uint64, error) {
	return accessSeal{log: n.pipeline.log, query: n.pipeline.query, role: "query"}.announce(ctx, text)
}

// accessSeal seals the versions of the rules of access of a role (SPEC-rules4 5.1).
type accessSeal struct {
	log   *store.Log
	query *query.Query
	role  string
}

// announce seals a text of rules and returns the index of its entry. If the newest entry of the
// role has the text already, it is that one. In a log before rules 4 nothing is sealed, and the
// index is nil. A crash after the event is stored leaves an entry that the next start finds.
func (s accessSeal) announce(ctx context.Context, text []byte) (*uint64, error) {
	ctx = access.With(ctx, access.Open)
	if err := s.query.CaughtUp(ctx); err != nil {
		return nil, err
	}
	rules, err := s.rules(ctx)
	if err != nil || rules < ruleset.Blinding {
		return nil, err
	}
	newest, err := s.newest(ctx)
	if err != nil {
		return nil, err
	}
	var previous *uint64
	if newest != nil {
		if previous = &newest.Entry.Index; newest.Payload != nil && bytes.Equal(newest.Payload.Data, text) {
			return previous, nil
		}
	}
	m := entry.Message{Subject: subject.Service(s.log.Name, s.role), Data: s.event(text, previous)}
	seq, err := s.log.Events.Append(ctx, m, nil)
	if err != nil {
		return nil, fmt.Errorf("publish the rules of access: %w", err)
	}
	return s.await(ctx, seq)
}

// rules returns the sealing rules of the newest config.
func (s accessSeal) rules(ctx context.Context) (uint64, error) {
	page, err := s.query.Entries(ctx, api.Filter{Type: []string{entry.TypeConfig}}, query.Page{Limit: 1})
	if err != nil || len(page.Entries) == 0 {
		return 0, err
	}
	config, ok := page.Entries[0].Entry.Detail.(*entry.Config)
	if !ok {
		return 0, fmt.Errorf("index %d is no config", page.Entries[0].Entry.Index)
	}
	return config.Rules, nil
}

// newest returns the newest entry of the role, or nil.
func (s accessSeal) newest(ctx context.Context) (*query.Found, error) {
	for p := (query.Page{}); ; {
		page, err := s.query.Entries(ctx, api.Filter{Type: []string{ruleset.TypeAccess}}, p)
		if err != nil {
			return nil, err
		}
		for i := len(page.Entries) - 1; i >= 0; i-- {
			if d, ok := page.Entries[i].Entry.Detail.(*entry.Access); ok && d.Role == s.role {
				return &page.Entries[i], nil
			}
		}
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			return nil, nil
		}
	}
}

// event returns the body of a message with the record of one event.
func (s accessSeal) event(text []byte, previous *uint64) []byte {
	host, _ := os.Hostname() // the process is named by its id where the host has no name
	detail := canonical.BeginObject(nil)
	if previous != nil {
		detail.Uint("previous", *previous)
	}
	detail.Text("process", canonical.Clip(fmt.Sprintf("%s, process %d", host, os.Getpid()), 256))
	detail.Text("role", s.role)
	data := canonical.BeginObject(nil)
	data.Name("detail")
	data.Dst = append(data.Dst, detail.End()...)
	data.Text("text", string(text))
	event := inbox.FormatControl(uuid.NewString(), s.role, ruleset.TypeAccess, data.End())
	return append(inbox.AppendRecord([]byte("["), inbox.Record{Event: event}), ']')
}

// await waits until the event of a message is sealed.
func (s accessSeal) await(ctx context.Context, seq uint64) (*uint64, error) {
	f := api.Filter{Type: []string{ruleset.TypeAccess, entry.TypeRejected}}
	for {
		page, err := s.query.Entries(ctx, f, query.Page{Limit: 50})
		if err != nil {
			return nil, err
		}
		for i := range page.Entries {
			e := &page.Entries[i].Entry
			switch {
			case e.InputSeq != seq:
			case e.EventType == ruleset.TypeAccess:
				return &e.Index, nil
			default:
				return nil, fmt.Errorf("the rules of access were rejected at index %d", e.Index)
			}
		}
		if err := retry.Sleep(ctx, 20*time.Millisecond); err != nil {
			return nil, fmt.Errorf("the rules of access are not sealed: %w", err)
		}
	}
}
