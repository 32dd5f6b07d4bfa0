package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/redact"
)

// Config is how a client reaches a log. Only Log may not be changed afterwards by what a server says.
type Config struct {
	Server string // base URL of the API; "": http://127.0.0.1:8420
	Ingest string // base URL that events are posted to, if another; "": Server
	Log    string // name of the log; "": default

	// Key is the log's verifier key, as log.pub holds it. "": the key that the server names at first use is taken, and kept in State;
	// that tells later forks, but not whose log it was in the first place. Receipts say which (KeyPinned).
	Key string

	// Policy says whose cosignatures make a checkpoint witnessed, for WaitWitnessed; nil: that is refused.
	Policy *proof.Policy

	Agent string     // source of events that name none
	NATS  *nats.Conn // publish straight to EVENTS, and use Server for proofs alone; nil: everything over HTTP
	State string     // file that keeps the newest checkpoint seen across starts; "": in memory

	// Redaction is what is taken out of events before they leave the process; nil: the default rules; empty ones: nothing. Where the log has rules of its own beyond those,
	// give them here too: the client cannot verify what was taken out on the way.
	Redaction *redact.Rules

	HTTP   *http.Client // nil: one of the client's own, without a cookie jar, that follows no redirects
	Logger *slog.Logger // is told of tries that failed; nil: silent
}

// Client logs events and verifies receipts. It may be used by many goroutines; their events go in groups.
type Client struct {
	cfg      Config
	api      api
	sender   sender
	lanes    map[Wait]*lane
	head     *head
	redact   *redact.Set
	patience time.Duration // with witnesses

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup
	ctx    context.Context // ends all tries under way, at the end of Close
	cancel context.CancelFunc
}

// sender brings events to the log, one receipt each, in order. It tries again until ctx is done.
type sender interface {
	send(ctx context.Context, events []outgoing, wait Wait) ([]Receipt, error)
}

// outgoing is an event with the bytes that are sent, the same at every try.
type outgoing struct {
	event entry.Event
	raw   []byte
}

// New makes a client. It speaks to nobody yet; it reads State if there is one.
func New(cfg Config) (*Client, error) {
	if cfg.Server == "" {
		cfg.Server = "http://127.0.0.1:8420"
	}
	if cfg.Ingest == "" {
		cfg.Ingest = cfg.Server
	}
	if cfg.Log == "" {
		cfg.Log = "default"
	}
	if !entry.ValidLog(cfg.Log) {
		return nil, fmt.Errorf("client: %.80q cannot be a log's name", cfg.Log)
	}
	for _, base := range []string{cfg.Server, cfg.Ingest} {
		if u, err := url.Parse(base); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("client: %.200q is no URL of a server", base)
		}
	}
	if cfg.HTTP == nil {
		cfg.HTTP = ownHTTP()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg, patience: witnessPatience, api: api{http: cfg.HTTP, log: cfg.Log, logger: cfg.Logger}}
	if cfg.Redaction == nil {
		cfg.Redaction = redact.Default()
	}
	var err error
	if c.redact, err = redact.Compile(cfg.Redaction); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if c.head, err = openHead(cfg, &c.api); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if c.sender = (&httpSender{&c.api, strings.TrimRight(cfg.Ingest, "/")}); cfg.NATS != nil {
		if c.sender, err = newNATSSender(cfg); err != nil {
			return nil, fmt.Errorf("client: %w", err)
		}
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.lanes = map[Wait]*lane{
		WaitStored:    {client: c, wait: WaitStored, limit: 1},
		WaitSealed:    {client: c, wait: WaitSealed, limit: 4}, // a group waits for its seal while the next one is stored
		WaitWitnessed: {client: c, wait: WaitWitnessed, limit: 4},
	}
	return c, nil
}

// ownHTTP keeps enough connections for the groups and the proofs under way. A redirect of a POST would lose its body or go where nobody
// meant it to.
func ownHTTP() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 32
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Log records one event, and returns when it has come as far as the options say: with none, when it is on disk. What concurrent calls
// log goes in one request. Until ctx is done, Log tries again with the same bytes; an error that wraps ctx's own means that the event may be
// in the log or not. An event that is refused is a *RejectedError.
func (c *Client) Log(ctx context.Context, event Event, opts ...LogOption) (Receipt, error) {
	if err := c.enter(); err != nil {
		return Receipt{}, err
	}
	defer c.calls.Done()
	o := options(opts)
	if o.wait == WaitWitnessed && c.cfg.Policy == nil {
		return Receipt{}, errNoPolicy
	}
	out, err := c.outgoing(event, o)
	if err != nil {
		return refusal(out, err), err
	}
	r, err := c.lanes[o.wait].do(ctx, out)
	if err == nil && r.Error != nil {
		err = r.Error
	}
	if err == nil && o.wait.sealed() {
		err = c.verify(ctx, out, &r)
	}
	if err == nil && o.wait == WaitWitnessed {
		err = c.witnessed(ctx, &r)
	}
	return r, err
}

// LogBatch records events in their order, in as few requests as they fit in, and returns a receipt for each. One that was refused has the
// status Rejected and an Error, which is in the returned error too, while the others are recorded. Any other error means that events
// without a receipt may be in the log or not; logging the same again, with the same IDs, makes no second entry.
func (c *Client) LogBatch(ctx context.Context, events []Event, opts ...LogOption) ([]Receipt, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.calls.Done()
	ctx, cancel := c.bound(ctx)
	defer cancel()
	o := options(opts)
	if o.wait == WaitWitnessed && c.cfg.Policy == nil {
		return nil, errNoPolicy
	}
	receipts := make([]Receipt, len(events))
	var rejected []error
	group, places := make([]outgoing, 0, min(len(events), entry.MaxMessageEvents)), []int{}
	size := 0
	flush := func() error {
		err := c.sendGroup(ctx, group, places, receipts, o.wait)
		group, places, size = group[:0], places[:0], 0
		return err
	}
	for i, e := range events {
		out, err := c.outgoing(e, o)
		if err != nil {
			receipts[i] = refusal(out, err)
			continue
		}
		if len(group) == entry.MaxMessageEvents || len(group) > 0 && size+len(out.raw) > maxGroupBytes {
			if err := flush(); err != nil {
				return receipts, err
			}
		}
		group, places, size = append(group, out), append(places, i), size+len(out.raw)+1
	}
	if err := flush(); err != nil {
		return receipts, err
	}
	for i := range receipts {
		if receipts[i].Error != nil {
			rejected = append(rejected, receipts[i].Error)
		}
	}
	return receipts, errors.Join(rejected...)
}

// sendGroup sends one group, verifies what is sealed, and puts each receipt in its place.
func (c *Client) sendGroup(ctx context.Context, group []outgoing, places []int, receipts []Receipt, wait Wait) error {
	if len(group) == 0 {
		return nil
	}
	got, err := c.sender.send(ctx, group, wait)
	if err != nil {
		return err
	}
	for i := range got {
		if wait.sealed() && got[i].Error == nil {
			if err := c.verify(ctx, group[i], &got[i]); err != nil {
				return err
			}
		}
		receipts[places[i]] = got[i]
	}
	if wait != WaitWitnessed {
		return nil
	}
	for _, place := range places {
		if receipts[place].Error != nil {
			continue
		}
		if err := c.witnessed(ctx, &receipts[place]); err != nil {
			return err
		}
	}
	return nil
}

func options(opts []LogOption) call {
	var o call
	for _, opt := range opts {
		opt.apply(&o)
	}
	return o
}

func (c *Client) outgoing(e Event, o call) (outgoing, error) {
	ev, err := e.prepare(c.cfg.Agent, o)
	if err != nil {
		return outgoing{event: ev}, err
	}
	if err := ev.Redact(c.redact, nil); err != nil {
		return outgoing{event: ev}, rejected(ev.ID, err)
	}
	if len(ev.Redactions) > 0 {
		ev.GiveRedactions()
		if err := ev.Check(); err != nil { // the list of what was taken out is an attribute, too
			return outgoing{event: ev}, rejected(ev.ID, err)
		}
	}
	return outgoing{ev, ev.AppendJSON(nil)}, nil
}

// refusal is the receipt of an event that was not even sent.
func refusal(o outgoing, err error) Receipt {
	r := Receipt{EntryID: o.event.ID, AgentDID: o.event.Source, Status: Rejected}
	r.Error, _ = errors.AsType[*RejectedError](err)
	return r
}

func rejected(id string, err error) error {
	if fe, ok := errors.AsType[*entry.FieldError](err); ok {
		return &RejectedError{EntryID: id, Field: fe.Field, Reason: fe.Reason}
	}
	return &RejectedError{EntryID: id, Reason: err.Error()}
}

// enter counts a call, so that Close can wait for it.
func (c *Client) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.calls.Add(1)
	return nil
}

// bound ends with the caller's context or with the client.
func (c *Client) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.ctx, func() { cancel(ErrClosed) })
	return ctx, func() { stop(); cancel(nil) }
}

// Close waits for the calls under way and then ends the client; when ctx is done first, they are cut off, and what they were
// logging may be in the log or not. The NATS connection and the HTTP client stay the caller's.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	done := make(chan struct{})
	go func() { c.calls.Wait(); close(done) }()
	defer c.cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		c.cancel()
		<-done
		return fmt.Errorf("close client: %w", ctx.Err())
	}
}

// backoff are the pauses between tries, each twice the one before: from a few milliseconds, since most trouble is a restart or an index that
// is catching up, to a few seconds.
type backoff struct{ next, most time.Duration }

func (b *backoff) wait(ctx context.Context, atLeast time.Duration) error {
	b.next = min(max(2*b.next, 2*time.Millisecond), b.most)
	return sleep(ctx, max(b.next/2+rand.N(b.next/2+1), atLeast))
}

// How long pauses become at most: where a server is in trouble, and where an entry is waited for.
const (
	trouble = 5 * time.Second
	soon    = 100 * time.Millisecond
)

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
