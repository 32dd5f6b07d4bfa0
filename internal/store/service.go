package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/retry"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// Errors of a Service.
var (
	// ErrServiceRules reports that the sealing rules of the log have no entries of services. The
	// command `sealstream rules upgrade` raises them.
	ErrServiceRules = errors.New("the log's sealing rules have no entries of services")
	// ErrRefused reports that the sealer has refused a service's event.
	ErrRefused = errors.New("the sealer has refused the event")
)

// Service writes the entries of a service of one role (docs/SPEC-rules4.md, 5). Only the user of
// that role may publish on its subject.
type Service struct {
	Log  *Log
	Role string // ingest, query or alert
}

// Access seals text as the rules of access that are in force for the role, and returns the index of
// the entry. If the newest access entry of the role has this text, it returns that one and seals
// nothing. process names the process that read the rules. The error wraps ErrServiceRules if the
// log cannot hold such an entry.
func (s Service) Access(ctx context.Context, process string, text []byte) (uint64, error) {
	for pauses := retry.New(100*time.Millisecond, time.Second); ; {
		previous, same, err := s.newest(ctx, text)
		if err != nil {
			return 0, err
		}
		if same {
			return *previous, nil
		}
		d := &entry.Access{Role: s.Role, Process: process, Previous: previous}
		index, err := s.Seal(ctx, "", d, text)
		if fe, ok := errors.AsType[*entry.FieldError](err); !ok || fe.Field != "previous" {
			return index, err
		}
		// another process of the role was quicker, or HEAD does not name its entry yet
		if pauses.Wait(ctx, 0) != nil {
			return 0, err
		}
	}
}

// AccessHint is what the sealer names in HEAD: the newest access entry of each role, as the log was
// at a SEALED sequence. It may lag behind the log.
type AccessHint struct {
	Entries map[string]uint64 `json:"entries"`
	Sealed  uint64            `json:"sealed"`
}

// newest returns the index of the newest access entry of the role, and whether it has this text. It
// takes what HEAD names, and reads SEALED from there to its end: what HEAD still names may have the
// text, and not be in force any more. The sealer decides whether the index is right.
func (s Service) newest(ctx context.Context, text []byte) (previous *uint64, same bool, err error) {
	value, _, err := s.Log.Head.Get(ctx, subject.Access(s.Log.Name))
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	var hint AccessHint
	if err == nil {
		err = json.Unmarshal(value, &hint)
	}
	if err != nil {
		return nil, false, fmt.Errorf("newest access entry: %w", err)
	}
	if index, ok := hint.Entries[s.Role]; ok {
		previous = &index
	}
	end, _, err := End(ctx, s.Log.Sealed)
	if err != nil {
		return nil, false, fmt.Errorf("sealed stream: %w", err)
	}
	for b, err := range Ahead(ctx, s.Log.Sealed, hint.Sealed+1, end, leavesOf) {
		if err != nil {
			return nil, false, fmt.Errorf("sealed stream: %w", err)
		}
		for i, leaf := range b.Leaves {
			if index := b.First + uint64(i); bytes.Contains(leaf, []byte(ruleset.TypeAccess)) && s.access(leaf) == nil {
				previous = &index
			}
		}
	}
	if previous == nil {
		return nil, false, nil
	}
	same, err = s.says(ctx, *previous, text)
	return previous, same, err
}

// access returns an error if a leaf is no access entry of the role.
func (s Service) access(leaf []byte) error {
	e, err := entry.ParseEntry(leaf)
	if d, ok := e.Detail.(*entry.Access); err != nil || !ok || d.Role != s.Role {
		return fmt.Errorf("no access entry of %s", s.Role)
	}
	return nil
}

// says reports whether the access entry with an index has a text. One whose data was erased has
// none.
func (s Service) says(ctx context.Context, index uint64, text []byte) (bool, error) {
	at, err := FindBatch(ctx, s.Log, index)
	if err != nil {
		return false, fmt.Errorf("access entry %d: %w", index, err)
	}
	leaf := at.Batch.Leaves[index-at.Batch.First]
	if err := s.access(leaf); err != nil {
		return false, fmt.Errorf("index %d: %w", index, err)
	}
	payloads, err := Payloads(ctx, s.Log, at.Batch.Payloads)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return false, fmt.Errorf("access entry %d: %w", index, err)
	}
	e, err := entry.ParseEntry(leaf)
	p, ok := payloads[index]
	return err == nil && ok && p.Opens(e) && string(p.Data) == string(text), nil
}

// Append stores an event of the service and returns its EVENTS sequence once the broker has
// acknowledged it. detail is an *entry.Access or an *entry.Read. text is the data of the entry, nil
// if it has none. publisher is whom the entry is about, "" if that is nobody. The error wraps
// ErrServiceRules if the log cannot hold the entry.
func (s Service) Append(ctx context.Context, publisher string, detail entry.Detail, text []byte) (uint64, error) {
	c, _, err := NewestConfig(ctx, s.Log)
	if err != nil {
		return 0, err
	}
	if c.Rules < ruleset.Blinding {
		return 0, fmt.Errorf("%w: they are rules %d", ErrServiceRules, c.Rules)
	}
	body, err := s.format(publisher, detail, text)
	if err != nil {
		return 0, err
	}
	seq, err := s.Log.Events.Append(ctx, entry.Message{Subject: subject.Service(s.Log.Name, s.Role), Data: body}, nil)
	if err != nil {
		return 0, fmt.Errorf("publish as %s: %w", s.Role, err)
	}
	return seq, nil
}

// format returns the body of the message, and checks it as the sealer will.
func (s Service) format(publisher string, detail entry.Detail, text []byte) ([]byte, error) {
	kind, d := ruleset.TypeRead, []byte(nil)
	switch detail := detail.(type) {
	case *entry.Access:
		kind, d = ruleset.TypeAccess, detail.AppendJSON(nil)
	case *entry.Read:
		d = detail.AppendJSON(nil)
	}
	data := append([]byte(`{"detail":`), d...)
	if text != nil {
		data = canonical.AppendString(append(data, `,"text":`...), text)
	}
	ev := inbox.FormatControl(rand.Text(), "urn:sealstream:"+s.Role, kind, append(data, '}'))
	if _, _, _, err := (entry.Message{Data: ev}).Service(s.Role); err != nil {
		return nil, fmt.Errorf("event of %s: %w", s.Role, err)
	}
	body := append(inbox.AppendRecord([]byte{'['}, inbox.Record{Publisher: publisher, Event: ev}), ']')
	if _, err := inbox.ParseRecords(body); err != nil {
		return nil, fmt.Errorf("event of %s: %w", s.Role, err)
	}
	if len(body) > ruleset.MaxMessageBytes {
		return nil, fmt.Errorf("event of %s: %d bytes, more than %d", s.Role, len(body), ruleset.MaxMessageBytes)
	}
	return body, nil
}

// Seal is Append, and waits until the event is sealed. It returns the index of its entry. The error
// wraps ErrRefused, and the *entry.FieldError of the sealer, if it was refused.
func (s Service) Seal(ctx context.Context, publisher string, detail entry.Detail, text []byte) (uint64, error) {
	end, _, err := End(ctx, s.Log.Sealed)
	if err != nil {
		return 0, fmt.Errorf("sealed stream: %w", err)
	}
	seq, err := s.Append(ctx, publisher, detail, text)
	if err != nil {
		return 0, err
	}
	e, err := s.sealedAs(ctx, end+1, seq)
	if err != nil {
		return 0, err
	}
	if d, ok := e.Detail.(*entry.Rejected); ok {
		return 0, fmt.Errorf("%w: %w", ErrRefused, &entry.FieldError{Field: d.Field, Reason: d.Reason})
	}
	return e.Index, nil
}

// sealedAs follows SEALED from a sequence on, until it has the entry of an EVENTS message of one
// event.
func (s Service) sealedAs(ctx context.Context, from, seq uint64) (entry.Entry, error) {
	for b, err := range Ahead(ctx, s.Log.Sealed, from, 0, leavesOf) {
		if err != nil {
			return entry.Entry{}, fmt.Errorf("sealed stream: %w", err)
		}
		for _, leaf := range b.Leaves {
			e, err := entry.ParseEntry(leaf)
			if err != nil {
				return entry.Entry{}, err
			}
			if _, gap := e.Detail.(*entry.Gap); e.InputSeq == seq && !gap {
				return e, nil
			}
		}
	}
	return entry.Entry{}, ctx.Err()
}

// leavesOf parses a SEALED message. If it is void, the batch has no leaves.
func leavesOf(m entry.Message) sealedlog.Batch {
	b, _ := sealedlog.ParseBatch(m)
	return b
}
