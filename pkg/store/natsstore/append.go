package natsstore

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/store"
)

// replies waits for the answers to published messages: one subscription for all of them. The client library's own publisher
// would send a message again by itself, and give up on a full window.
type replies struct {
	prefix string

	mu      sync.Mutex
	waiting map[string]chan *nats.Msg // by the reply subject's last token
	next    uint64
}

func newReplies(nc *nats.Conn) (*replies, error) {
	r := &replies{prefix: nc.NewInbox() + ".", waiting: map[string]chan *nats.Msg{}}
	sub, err := nc.Subscribe(r.prefix+"*", r.answer)
	if err != nil {
		return nil, fmt.Errorf("subscribe to answers: %w", err)
	}
	return r, sub.SetPendingLimits(-1, -1)
}

// expect makes a reply subject, and the channel on which its answer comes.
func (r *replies) expect() (subject string, answer chan *nats.Msg) {
	answer = make(chan *nats.Msg, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	token := strconv.FormatUint(r.next, 36)
	r.waiting[token] = answer
	return r.prefix + token, answer
}

func (r *replies) answer(m *nats.Msg) {
	token := strings.TrimPrefix(m.Subject, r.prefix)
	r.mu.Lock()
	answer := r.waiting[token]
	delete(r.waiting, token)
	r.mu.Unlock()
	if answer != nil {
		answer <- m
	}
}

func (r *replies) forget(subject string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, strings.TrimPrefix(subject, r.prefix))
}

// Append implements store.Stream.
func (s *stream) Append(ctx context.Context, m entry.Message, expectLast *uint64) (uint64, error) {
	pending, err := s.AppendAsync(ctx, m, expectLast)
	if err != nil {
		return 0, err
	}
	return pending(ctx)
}

// AppendAsync implements store.Stream.
func (s *stream) AppendAsync(ctx context.Context, m entry.Message, expectLast *uint64) (store.Pending, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkHeader(m.Header); err != nil {
		return nil, fmt.Errorf("append to stream %s: %w", s.name, err)
	}
	out := &nats.Msg{Subject: m.Subject, Header: nats.Header(maps.Clone(m.Header)), Data: m.Data}
	if expectLast != nil {
		if out.Header == nil {
			out.Header = nats.Header{}
		}
		out.Header[nats.ExpectedLastSeqHdr] = []string{strconv.FormatUint(*expectLast, 10)}
	}
	reply, answer := s.replies.expect()
	out.Reply = reply
	if err := s.nc.PublishMsg(out); err != nil {
		s.replies.forget(reply)
		return nil, fmt.Errorf("append to stream %s: %w", s.name, err) // nothing was sent
	}
	return func(ctx context.Context) (uint64, error) {
		defer s.replies.forget(reply)
		ctx, cancel := bounded(ctx)
		defer cancel()
		select {
		case m := <-answer:
			seq, err := acknowledged(m)
			if err != nil {
				return 0, fmt.Errorf("append to stream %s: %w", s.name, err)
			}
			return seq, nil
		case <-ctx.Done():
			return 0, fmt.Errorf("append to stream %s: %w: %w", s.name, store.ErrAmbiguous, ctx.Err())
		}
	}, nil
}

// acknowledged reads JetStream's answer to a message.
func acknowledged(m *nats.Msg) (uint64, error) {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return 0, fmt.Errorf("nobody takes messages on this subject: %w", nats.ErrNoResponders)
	}
	var ack struct {
		Seq       uint64 `json:"seq"`
		Duplicate bool   `json:"duplicate"`
		Error     *struct {
			Code        int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
	}
	switch err := json.Unmarshal(m.Data, &ack); {
	case err != nil:
		return 0, fmt.Errorf("%w: an answer that is none: %w", store.ErrAmbiguous, err)
	case ack.Error != nil:
		return 0, apiError(ack.Error.Code, ack.Error.Description)
	case ack.Duplicate:
		return 0, errDuplicate
	case ack.Seq == 0:
		return 0, fmt.Errorf("%w: an answer without a sequence", store.ErrAmbiguous)
	}
	return ack.Seq, nil
}
