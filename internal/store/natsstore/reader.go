package natsstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/retry"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// How a reader pulls. Two requests are under way, so that the server always has one while the
// other's messages are on the wire; what they may hold bounds the reader's memory.
const (
	pullMessages  = 512
	pullBytes     = 8 << 20
	pullExpires   = 30 * time.Second
	pullHeartbeat = 3 * time.Second
	pullSilence   = 3 * pullHeartbeat // after which the consumer counts as gone
	pullsInFlight = 2
	consumerIdle  = 2 * time.Minute // after which the server removes a consumer that nobody pulls from

	reopenWait    = 20 * time.Millisecond // between attempts to make a consumer anew, at first
	reopenMaxWait = time.Second
	reopenTimeout = 5 * time.Second // of one attempt
	// attempts after which a stream that ends too early has lost messages; a new leader may be a
	// moment behind
	reopenBehind = 4
)

// pullRequest is the body of each pull.
var pullRequest = fmt.Appendf(
	nil,
	`{"batch":%d,"max_bytes":%d,"expires":%d,"idle_heartbeat":%d}`,
	pullMessages,
	pullBytes,
	pullExpires,
	pullHeartbeat,
)

// errBehind means that messages which were read no longer exist.
var errBehind = errors.New("the stream ends before what was read from it")

// reader is a raw pull loop. The library's own consumers take an event with an empty body and a
// Status header for a control message and stop for good; here only the reply subject tells the two
// apart: the server gives every stored message one, and no control message.
type reader struct {
	s    *stream
	next uint64 // stream sequence to go on from
	read uint64 // of the newest message returned or about to be; 0: none yet

	consumer string
	seen     uint64 // consumer sequence of the newest message
	sub      *nats.Subscription
	inbox    string
	in       chan *nats.Msg
	pulls    []pull // under way, oldest first
	pullID   int
	status   chan nats.Status
	lost     bool // messages or the consumer are missing: open again at next
	opens    int  // consumers made
}

// Reopened implements store.Reopener.
func (r *reader) Reopened() int { return r.opens - 1 }

// pull is one request for messages.
type pull struct {
	id        int
	remaining int
}

// Read implements store.Stream.
func (s *stream) Read(ctx context.Context, from uint64) (store.Reader, error) {
	r := &reader{s: s, next: max(from, 1), status: s.nc.StatusChanged(nats.CONNECTED)}
	if err := r.open(ctx); err != nil {
		r.Close()
		return nil, fmt.Errorf("read stream %s: %w", s.name, err)
	}
	return r, nil
}

// consumerRequest creates a consumer without acknowledgements, in the server's memory: the caller
// knows what it has read.
type consumerRequest struct {
	Stream string `json:"stream_name"`
	Action string `json:"action"`
	Config struct {
		Name     string        `json:"name"`
		Deliver  string        `json:"deliver_policy"`
		Start    uint64        `json:"opt_start_seq"`
		Ack      string        `json:"ack_policy"`
		Replay   string        `json:"replay_policy"`
		Inactive time.Duration `json:"inactive_threshold"`
		MaxWaits int           `json:"max_waiting"`
		Replicas int           `json:"num_replicas"`
		InMemory bool          `json:"mem_storage"`
	} `json:"config"`
}

// open creates a consumer that begins at r.next. It discards an earlier one, with all messages on
// their way.
func (r *reader) open(ctx context.Context) error {
	r.drop()
	r.lost = true // until it is done
	r.consumer, r.seen = rand.Text(), 0
	q := consumerRequest{Stream: r.s.name, Action: "create"}
	q.Config.Name, q.Config.Deliver, q.Config.Start, q.Config.Ack = r.consumer, "by_start_sequence", r.next, "none"
	q.Config.Replay, q.Config.Inactive, q.Config.Replicas, q.Config.InMemory = "instant", consumerIdle, 1, true
	q.Config.MaxWaits = 4 * pullsInFlight
	if err := r.s.ask(ctx, "CONSUMER.CREATE."+r.s.name+"."+r.consumer, q, &struct{}{}); err != nil {
		return err
	}
	var err error
	r.inbox = r.s.nc.NewInbox()
	// Never full: it holds more than all messages and control messages of the pulls under way.
	r.in = make(chan *nats.Msg, 4*pullsInFlight*pullMessages)
	if r.sub, err = r.s.nc.ChanSubscribe(r.inbox+".*", r.in); err != nil {
		return err
	}
	r.lost = false
	r.opens++
	return nil
}

// reopen opens again, and waits for a server that is not back yet, so that a reader survives its
// restart. It gives up if the stream is gone, or has lost messages that were read, which a caller
// must not mistake for silence.
func (r *reader) reopen(ctx context.Context) error {
	pauses := retry.Exact(reopenWait, reopenMaxWait)
	for attempt := 0; ; attempt++ {
		err := r.tryOpen(ctx)
		if err == nil {
			return nil
		}
		r.lost = true
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if behind := errors.Is(err, errBehind); behind && attempt >= reopenBehind || !behind && !r.s.temporary(err) {
			return fmt.Errorf("read stream %s: %w", r.s.name, err)
		}
		if pauses.Wait(ctx, 0) != nil {
			return ctx.Err()
		}
	}
}

// tryOpen opens once, and then checks whether what was read still exists.
func (r *reader) tryOpen(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reopenTimeout)
	defer cancel()
	if err := r.open(ctx); err != nil || r.read == 0 {
		return err
	}
	info, err := r.s.Info(ctx)
	if err == nil && info.Last < r.read {
		err = fmt.Errorf("%w: it ends at %d, after %d", errBehind, info.Last, r.read)
	}
	return err
}

// temporary tells trouble that passes, while the connection is made again or the server finds its
// streams, from answers.
func (s *stream) temporary(err error) bool {
	if s.nc.IsClosed() {
		return false
	}
	if api, ok := errors.AsType[*apiFailure](err); ok {
		return api.Status == 503
	}
	return errors.Is(err, errNotConnected) || errors.Is(err, errDisconnected) || errors.Is(err, nats.ErrNoResponders) ||
		errors.Is(err, context.DeadlineExceeded)
}

func (r *reader) drop() {
	if r.sub != nil {
		r.sub.Unsubscribe()
		r.sub = nil
		r.s.nc.Publish("$JS.API.CONSUMER.DELETE."+r.s.name+"."+r.consumer, nil) // else the server does it in a while
	}
	r.pulls = nil
}

// Close implements store.Reader.
func (r *reader) Close() {
	r.drop()
	r.s.nc.RemoveStatusListener(r.status)
}

// Next implements store.Reader.
func (r *reader) Next(ctx context.Context, limit int) ([]entry.Message, error) {
	var list []entry.Message
	for {
		if r.lost && len(list) == 0 {
			if err := r.reopen(ctx); err != nil {
				return nil, err
			}
		}
		size := 0
		for _, m := range list { // the one that was waited for
			size += len(m.Data)
		}
		for len(list) < limit && size < store.NextBytes && !r.lost && len(r.in) > 0 {
			n := len(list)
			if list = r.take(list, <-r.in); len(list) > n {
				size += len(list[n].Data)
			}
		}
		if err := r.pull(); err != nil && len(list) == 0 {
			return nil, err
		}
		if len(list) > 0 {
			return list, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if list, err = r.wait(ctx, list); err != nil {
			return nil, err
		}
	}
}

// wait waits for one message, or for a sign that the consumer is gone.
func (r *reader) wait(ctx context.Context, list []entry.Message) ([]entry.Message, error) {
	silence := time.NewTimer(pullSilence)
	defer silence.Stop()
	select {
	case m := <-r.in:
		list = r.take(list, m)
	case <-r.status: // the connection was away, and with it the pulls
		r.lost = true
	case <-silence.C:
		r.lost = true
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return list, nil
}

// take adds a stored message to list, or handles a control message. It sets lost if messages are
// missing: then a new consumer begins at the next one expected.
func (r *reader) take(list []entry.Message, m *nats.Msg) []entry.Message {
	if m.Reply == "" {
		r.control(m)
		return list
	}
	at, err := parseAck(m.Reply)
	if err != nil || at.consumer != r.seen+1 {
		r.lost = true
		return list
	}
	r.seen = at.consumer
	if len(r.pulls) > 0 {
		if r.pulls[0].remaining--; r.pulls[0].remaining == 0 {
			r.pulls = r.pulls[1:]
		}
	}
	if at.stream < r.next {
		return list // a consumer that begins behind the end of the stream gets what comes there first
	}
	r.next, r.read = at.stream+1, at.stream
	header := entry.Header(m.Header)
	if len(header) == 0 {
		header = nil
	}
	return append(list, entry.Message{Subject: m.Subject, Header: header, Data: m.Data, Seq: at.stream, Time: at.time})
}

// control handles a control message: a pull has ended, or the consumer is gone. The last token of
// the message's subject is the pull's.
func (r *reader) control(m *nats.Msg) {
	status, description := m.Header.Get("Status"), strings.ToLower(m.Header.Get("Description"))
	switch {
	case status == "100": // a heartbeat: all is well
		return
	case status == "404" || status == "408" ||
		status == "409" && (strings.Contains(description, "maxbytes") || strings.Contains(description, "batch completed")):
		id, _ := strconv.Atoi(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:])
		for i := range r.pulls {
			if r.pulls[i].id == id {
				r.pulls = append(r.pulls[:i:i], r.pulls[i+1:]...)
				break
			}
		}
	default: // deleted, leader gone, server going down, nobody there, or a word that this release does not know
		r.lost = true
	}
}

// pull asks for more, if fewer than the wanted number of requests are under way.
func (r *reader) pull() error {
	for !r.lost && len(r.pulls) < pullsInFlight {
		r.pullID++
		subject := "$JS.API.CONSUMER.MSG.NEXT." + r.s.name + "." + r.consumer
		if err := r.s.nc.PublishRequest(subject, r.inbox+"."+strconv.Itoa(r.pullID), pullRequest); err != nil {
			return fmt.Errorf("read stream %s: %w", r.s.name, err)
		}
		r.pulls = append(r.pulls, pull{r.pullID, pullMessages})
	}
	return nil
}

// position is what the reply subject of a delivered message says.
type position struct {
	stream, consumer uint64
	time             time.Time
}

// parseAck reads $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer
// seq>.<time>.<pending>, or its longer form, which has domain and account before the stream, and
// may have one token more at the end.
func parseAck(reply string) (position, error) {
	var t [12]string
	n := 0
	for rest, more := reply, true; more && n < len(t); n++ {
		t[n], rest, more = strings.Cut(rest, ".")
	}
	if n < 9 || t[0] != "$JS" || t[1] != "ACK" {
		return position{}, fmt.Errorf("reply subject %.80q", reply)
	}
	at := t[5:8]
	if n >= 11 {
		at = t[7:10]
	}
	var v [3]uint64
	for i := range v {
		var err error
		if v[i], err = strconv.ParseUint(at[i], 10, 63); err != nil {
			return position{}, fmt.Errorf("reply subject %.80q: %w", reply, err)
		}
	}
	return position{stream: v[0], consumer: v[1], time: time.Unix(0, int64(v[2])).UTC()}, nil
}
