package natsstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

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
	if err := s.send(out, reply); err != nil {
		s.replies.forget(reply)
		return nil, fmt.Errorf("append to stream %s: %w", s.name, err)
	}
	return func(ctx context.Context) (uint64, error) {
		defer s.replies.forget(reply)
		ctx, cancel := bounded(ctx)
		defer cancel()
		select {
		case a := <-answer:
			if a.err != nil {
				return 0, fmt.Errorf("append to stream %s: %w: %w", s.name, store.ErrAmbiguous, a.err)
			}
			seq, err := acknowledged(a.msg.Header, a.msg.Data)
			if err != nil {
				return 0, fmt.Errorf("append to stream %s: %w", s.name, err)
			}
			return seq, nil
		case <-ctx.Done():
			return 0, fmt.Errorf("append to stream %s: %w: %w", s.name, store.ErrAmbiguous, ctx.Err())
		}
	}, nil
}

// Headers of JetStream's atomic publish: messages of one id are kept aside until the one that
// commits them, and then stored all or none.
const (
	headerBatchID     = "Nats-Batch-Id"
	headerBatchSeq    = "Nats-Batch-Sequence"
	headerBatchCommit = "Nats-Batch-Commit"
)

// AppendBatch implements store.BatchAppender. Only the last message is answered. Until it is sent
// nothing is written, and a crash of this process leaves only what the server discards.
func (s *stream) AppendBatch(ctx context.Context, messages []entry.Message, expectLast uint64) (uint64, error) {
	if len(messages) == 1 {
		return s.Append(ctx, messages[0], &expectLast)
	}
	if len(messages) == 0 || len(messages) > store.MaxBatch {
		return 0, fmt.Errorf("append to stream %s: %d messages; 1 to %d are possible", s.name, len(messages), store.MaxBatch)
	}
	id := rand.Text()
	for i, m := range messages {
		h := entry.Header(maps.Clone(m.Header))
		if h == nil {
			h = entry.Header{}
		}
		h[headerBatchID], h[headerBatchSeq] = []string{id}, []string{strconv.Itoa(i + 1)}
		if i == 0 {
			h[nats.ExpectedLastSeqHdr] = []string{strconv.FormatUint(expectLast, 10)}
		}
		if i == len(messages)-1 {
			h[headerBatchCommit] = []string{"1"}
			m.Header = h
			return s.Append(ctx, m, nil)
		}
		if err := checkHeader(m.Header); err != nil {
			return 0, fmt.Errorf("append to stream %s: %w", s.name, err)
		}
		if err := s.send(&nats.Msg{Subject: m.Subject, Header: nats.Header(h), Data: m.Data}, ""); err != nil {
			// certain: it is not committed
			return 0, fmt.Errorf("append to stream %s: message %d of a batch: %v", s.name, i+1, err)
		}
	}
	panic("unreachable")
}

// unsent are the errors with which the client library refuses a message before it sends any byte of
// it.
var unsent = []error{
	nats.ErrInvalidConnection,
	nats.ErrBadSubject,
	nats.ErrHeadersNotSupported,
	nats.ErrConnectionClosed,
	nats.ErrConnectionDraining,
	nats.ErrMaxPayload,
	nats.ErrReconnectBufExceeded,
	nats.ErrInvalidMsg,
}

func isUnsent(err error) bool {
	return slices.ContainsFunc(unsent, func(u error) bool { return errors.Is(err, u) })
}

// send puts a message on the wire. It refuses while there is no connection: the library would keep
// the message and write it when the broker comes back, long after the sender has given up.
func (s *stream) send(m *nats.Msg, reply string) error {
	if !s.nc.IsConnected() {
		return errNotConnected
	}
	m.Reply = reply
	err := s.nc.PublishMsg(m)
	if err == nil || isUnsent(err) {
		return err
	}
	return fmt.Errorf("%w: %w", store.ErrAmbiguous, err)
}

// acknowledged reads JetStream's answer to a message.
func acknowledged(h nats.Header, data []byte) (uint64, error) {
	if len(data) == 0 && h.Get("Status") == "503" {
		return 0, fmt.Errorf("nobody takes messages on this subject: %w", nats.ErrNoResponders)
	}
	var ack struct {
		Seq       uint64 `json:"seq"`
		Duplicate bool   `json:"duplicate"`
		Error     *apiFailure
	}
	switch err := json.Unmarshal(data, &ack); {
	case err != nil:
		return 0, fmt.Errorf("%w: an answer that is none: %w", store.ErrAmbiguous, err)
	case ack.Error != nil:
		return 0, ack.Error
	case ack.Duplicate:
		return 0, errDuplicate
	case ack.Seq == 0:
		return 0, fmt.Errorf("%w: an answer without a sequence", store.ErrAmbiguous)
	}
	return ack.Seq, nil
}
