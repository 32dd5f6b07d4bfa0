package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/streams/subject"
)

// natsSender publishes straight to EVENTS, as an agent with a subject of its own. There is no
// Nats-Msg-Id: its window is one for all publishers, and would swallow another's event under a
// guessed id.
type natsSender struct {
	js     jetstream.JetStream
	log    string
	logger *slog.Logger
}

func newNATSSender(cfg Config) (*natsSender, error) {
	js, err := jetstream.New(cfg.NATS)
	if err != nil {
		return nil, err
	}
	return &natsSender{js, cfg.Log, cfg.Logger}, nil
}

// natsTimeout bounds one publish: after it, the message may be stored or not, and is published
// again.
const natsTimeout = 5 * time.Second

// send publishes one message for each run of events of one agent: the subject is that agent's.
func (s *natsSender) send(ctx context.Context, events []outgoing, _ Wait) ([]answer, error) {
	answers := make([]answer, 0, len(events))
	for len(events) > 0 {
		n := 1
		for n < len(events) && events[n].event.Source == events[0].event.Source {
			n++
		}
		seq, err := s.publish(ctx, events[:n])
		if err != nil {
			return answers, err
		}
		for i, e := range events[:n] {
			answers = append(answers, answer{Receipt: Receipt{Receipt: api.Receipt{
				EntryID: e.event.ID, AgentDID: e.event.Source, Status: Stored, InputSeq: seq, Position: uint64(i),
			}}})
		}
		events = events[n:]
	}
	return answers, nil
}

func (s *natsSender) publish(ctx context.Context, events []outgoing) (uint64, error) {
	to := subject.Events(s.log, subject.AgentToken(events[0].event.Source))
	body := events[0].raw
	if len(events) > 1 {
		body = batchBody(events)
	}
	var last error
	for pause := pauses(trouble); ; {
		try, cancel := context.WithTimeout(ctx, natsTimeout)
		ack, err := s.js.PublishMsg(try, &nats.Msg{Subject: to, Data: body}, jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			return ack.Sequence, nil
		}
		if ctx.Err() != nil {
			return 0, gaveUp("publish on "+to, context.Cause(ctx), last)
		}
		last = err
		if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrMaxPayload) ||
			errors.Is(err, nats.ErrPermissionViolation) {
			return 0, fmt.Errorf("publish on %s: %w: %w", to, ErrRefused, err)
		}
		s.logger.WarnContext(ctx, "sealstream client publishes again", "subject", to, "cause", err)
		if end := pause.Wait(ctx, 0); end != nil {
			return 0, gaveUp("publish on "+to, end, err)
		}
	}
}
