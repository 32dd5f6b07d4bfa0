package natsstore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// stream is a store.Stream on a JetStream stream.
type stream struct {
	nc      *nats.Conn
	name    string
	replies *replies
}

var (
	_ store.Stream  = (*stream)(nil)
	_ store.Purger  = (*stream)(nil)
	_ store.Fetcher = (*stream)(nil)
	_ store.Sized   = (*stream)(nil)

	_ store.BatchAppender = (*stream)(nil)
)

// apiTimeout is the timeout of a request to JetStream whose caller has set none.
const apiTimeout = 10 * time.Second

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, apiTimeout)
}

// Info implements store.Stream.
func (s *stream) Info(ctx context.Context) (store.Info, error) {
	var answer struct {
		Created time.Time `json:"created"`
		Config  struct {
			Limit int64 `json:"max_bytes"`
		} `json:"config"`
		State struct {
			First    uint64    `json:"first_seq"`
			Last     uint64    `json:"last_seq"`
			Messages uint64    `json:"messages"`
			Bytes    uint64    `json:"bytes"`
			Newest   time.Time `json:"last_ts"`
		} `json:"state"`
	}
	if err := s.ask(ctx, "STREAM.INFO."+s.name, nil, &answer); err != nil {
		return store.Info{}, err
	}
	st := answer.State
	if st.Messages == 0 {
		st.First = st.Last + 1
	}
	return store.Info{Created: answer.Created.UTC(), First: st.First, Last: st.Last, Bytes: st.Bytes,
		Limit: uint64(max(answer.Config.Limit, 0)), Newest: st.Newest.UTC()}, nil
}

// Size implements store.Sized.
func (s *stream) Size(ctx context.Context) (store.Size, error) {
	info, err := s.Info(ctx)
	return store.Size{Bytes: info.Bytes, Limit: info.Limit}, err
}

// ask sends a request to the JetStream API, which the leader answers. subject is what follows
// $JS.API. If the connection breaks, it is unknown whether the request was received.
func (s *stream) ask(ctx context.Context, subject string, question, answer any) error {
	m, err := s.request(ctx, "$JS.API."+subject, question)
	if err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return fmt.Errorf("%s: %w", subject, nats.ErrNoResponders)
	}
	if bytes.Contains(m.Data, []byte(`"error"`)) { // an answer with a message is long: it is read once
		var failure struct{ Error *apiFailure }
		if err := json.Unmarshal(m.Data, &failure); err != nil {
			return fmt.Errorf("%s: %w", subject, err)
		}
		if failure.Error != nil {
			return fmt.Errorf("%s: %w", subject, failure.Error)
		}
	}
	if err := json.Unmarshal(m.Data, answer); err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	return nil
}

// request sends a request and waits for any answer.
func (s *stream) request(ctx context.Context, subject string, question any) (*nats.Msg, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var body []byte
	if question != nil {
		var err error
		if body, err = json.Marshal(question); err != nil {
			return nil, err
		}
	}
	reply, answer := s.replies.expect()
	defer s.replies.forget(reply)
	if err := s.send(&nats.Msg{Subject: subject, Data: body}, reply); err != nil {
		return nil, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	select {
	case a := <-answer:
		return a.msg, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// messageRequest asks for one message, by sequence or by subject.
type messageRequest struct {
	Seq  uint64 `json:"seq,omitempty"`
	Last string `json:"last_by_subj,omitempty"`
}

// Get implements store.Stream. It does not use the direct get, which trusts headers that a
// publisher made up.
func (s *stream) Get(ctx context.Context, seq uint64) (entry.Message, error) {
	if seq == 0 {
		return entry.Message{}, fmt.Errorf("sequence 0: %w", store.ErrNotFound)
	}
	return s.message(ctx, messageRequest{Seq: seq})
}

// Fetch implements store.Fetcher by a direct get: no base64, and any replica may answer. The
// headers that come with it are those that the publisher sent and must not be trusted. The caller
// checks the body against a hash. A stream without direct gets is asked as Get does.
func (s *stream) Fetch(ctx context.Context, seq uint64) ([]byte, error) {
	m, err := s.request(ctx, "$JS.API.DIRECT.GET."+s.name, messageRequest{Seq: seq})
	switch {
	case err != nil:
		return nil, fmt.Errorf("fetch sequence %d of stream %s: %w", seq, s.name, err)
	case len(m.Data) == 0 && len(m.Header[nats.JSStream]) == 0:
		// a status: not there, or not here, or nobody answers direct gets
		got, err := s.Get(ctx, seq)
		return got.Data, err
	}
	return m.Data, nil
}

// Last implements store.Stream.
func (s *stream) Last(ctx context.Context, subject string) (entry.Message, error) {
	return s.message(ctx, messageRequest{Last: subject})
}

func (s *stream) message(ctx context.Context, r messageRequest) (entry.Message, error) {
	var answer struct {
		Message struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Header  []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	if err := s.ask(ctx, "STREAM.MSG.GET."+s.name, r, &answer); err != nil {
		return entry.Message{}, err
	}
	m := answer.Message
	return entry.Message{
		Subject: m.Subject,
		Seq:     m.Seq,
		Header:  parseHeader(m.Header),
		Data:    m.Data,
		Time:    m.Time.UTC(),
	}, nil
}

// parseHeader reads headers as the client library does when it receives a message, so that a
// message has the same headers however it is read. The library returns what it cannot parse without
// headers.
func parseHeader(raw []byte) entry.Header {
	if len(raw) == 0 {
		return nil
	}
	h, err := nats.DecodeHeadersMsg(raw)
	if err != nil || len(h) == 0 {
		return nil
	}
	return entry.Header(h)
}

// PurgeBelow implements store.Purger. A purge beyond the end would take sequences away from
// messages to come, so it ends there.
func (s *stream) PurgeBelow(ctx context.Context, seq uint64) error {
	info, err := s.Info(ctx)
	if err != nil {
		return err
	}
	if seq = min(seq, info.Last+1); seq <= info.First {
		return nil // and sequence 0 would mean all
	}
	return s.do(ctx, "STREAM.PURGE", map[string]uint64{"seq": seq})
}

// SecureDelete implements store.Purger.
func (s *stream) SecureDelete(ctx context.Context, seq uint64) error {
	if seq == 0 {
		return fmt.Errorf("sequence 0: %w", store.ErrNotFound)
	}
	return s.do(ctx, "STREAM.MSG.DELETE", map[string]uint64{"seq": seq}) // without no_erase it overwrites
}

// do sends a request whose answer is only whether it was done. Both requests that use it may be
// repeated.
func (s *stream) do(ctx context.Context, verb string, question any) error {
	var answer struct {
		Success bool `json:"success"`
	}
	if err := s.ask(ctx, verb+"."+s.name, question, &answer); err != nil {
		return err
	}
	if !answer.Success {
		return fmt.Errorf("%s of stream %s: it was not done", verb, s.name)
	}
	return nil
}

// checkHeader refuses headers that would not arrive as they were sent.
func checkHeader(h entry.Header) error {
	for name, values := range h {
		if name == "" || strings.ContainsAny(name, ": \t\r\n") {
			return fmt.Errorf("header name %.40q", name)
		}
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n") || strings.Trim(v, " \t") != v {
				return fmt.Errorf("value of header %.40q", name)
			}
		}
	}
	return nil
}
