package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/outward"
	"github.com/sealstream/sealstream/internal/retry"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/redact"
)

// Config configures a client. The zero value reaches the log default of a server on this machine.
// The server cannot change these settings, except Key if it is empty.
type Config struct {
	// Server is the base URL of the API. Empty means http://127.0.0.1:8420.
	Server string

	// Ingest is the base URL that events are posted to. Empty means Server.
	Ingest string

	// Log is the name of the log. Empty means default.
	Log string

	// Token is a bearer token that Server and Ingest want, such as `sealstream token create` makes.
	// It is sent with each request. Empty means none. No error and no log line shows it.
	Token string

	// AllowHTTP allows the client to send Token, and the user and password in Server or Ingest, over
	// http to another machine, where everyone on the way can read them.
	AllowHTTP bool

	// Key is the verifier key of the log: the content of log.pub. If Key and Keys are empty, Log
	// trusts the key that the server names first, and stores it in State, marked as such. The client
	// then detects a later fork, but does not know whose log it is. Receipt.KeyPinned tells which key
	// was used.
	Key string

	// Keys are further verifier keys of the log, such as those that replaced Key. A client also trusts
	// a key that the log has announced under a trusted one (SPEC 8), and stores it in State.
	Keys []string

	// TrustFirstUse allows methods that read to trust the key that the server names first. It matters
	// only if Key and Keys are empty and State holds no key. Without it, these methods then return
	// ErrNoKey.
	TrustFirstUse bool

	// Policy says which witnesses must cosign a checkpoint for WaitWitnessed. If it is nil, Log
	// refuses WaitWitnessed.
	Policy *proof.Policy

	// Agent is the source of events that have no Agent.
	Agent string

	// NATS publishes events directly to EVENTS. Server is then asked only for proofs. If it is nil,
	// everything goes over HTTP.
	NATS *nats.Conn

	// State is a file that keeps the newest checkpoint seen, so that a later run can compare. Several
	// clients can share it. If it is empty, the checkpoint is kept in memory.
	State string

	// Redaction is what is removed from events before they leave the process. Nil means the default
	// rules, and empty rules remove nothing. If the log has further rules, give them here, too.
	// Otherwise the log redacts more than the client, and the client cannot verify that the entry is
	// its event.
	Redaction *redact.Rules

	// HTTP sends the requests. Nil means a client without cookies that follows no redirects.
	HTTP *http.Client

	// TLS configures https: the CA certificates that verify the server, and the client's certificate.
	// Nil means the system's CA certificates and no client certificate. New refuses it together with
	// HTTP, which has its own.
	TLS *tls.Config

	// FailFast makes methods that read return the first error. Without it, they retry until their
	// context is done, unless a retry cannot help.
	FailFast bool

	// Logger receives failed attempts. Nil logs nothing.
	Logger *slog.Logger

	// Interrupted is called when a stream of Follow or FollowAlerts breaks and the client reconnects.
	// It is called once, and again only after the new stream has brought something. Nil is ignored.
	Interrupted func(err error)
}

// Client records events, verifies receipts, and reads the log. Several goroutines may use it at a
// time. Their events are sent in groups.
type Client struct {
	cfg            Config
	api            httpAPI
	sender         sender
	lanes          map[Wait]*lane
	head           *head
	redact         *redact.Set
	witnessTimeout time.Duration

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup
	ctx    context.Context // ends all tries under way, at the end of Close
	cancel context.CancelFunc
}

// sender brings events to the log, one answer each, in order. It tries again until ctx is done.
type sender interface {
	send(ctx context.Context, events []outgoing, wait Wait) ([]answer, error)
}

// outgoing is an event with the bytes that are sent, the same at every try.
type outgoing struct {
	event entry.Event
	raw   []byte
}

// New returns a client. It reads State if the file exists, and makes no request.
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
	if !ruleset.ValidLog(cfg.Log) {
		return nil, fmt.Errorf("client: %.80q cannot be a log's name", cfg.Log)
	}
	for _, base := range []string{cfg.Server, cfg.Ingest} {
		u, err := url.Parse(base)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" { // what it is instead may hold a password
			return nil, errors.New("client: the server's URL is not http://HOST or https://HOST")
		}
		if outward.InClear(u, cfg.Token) && !cfg.AllowHTTP {
			return nil, errors.New("client: a password or token is sent over https alone, or over http to the loopback")
		}
	}
	if strings.ContainsFunc(cfg.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("client: the token has characters that no token has")
	}
	if cfg.HTTP != nil && cfg.TLS != nil {
		return nil, errors.New("client: Config has both HTTP and TLS; set the TLS configuration in the transport of HTTP")
	}
	if cfg.HTTP == nil {
		cfg.HTTP = ownHTTP(cfg.TLS)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg, witnessTimeout: witnessTimeout}
	c.api.http, c.api.log, c.api.logger, c.api.silence = cfg.HTTP, cfg.Log, cfg.Logger, streamSilence
	c.api.failFast, c.api.token = cfg.FailFast, cfg.Token
	if cfg.Redaction == nil {
		cfg.Redaction = redact.Default()
	}
	var err error
	if c.redact, err = redact.Compile(cfg.Redaction); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if c.head, err = openHead(c.ctx, cfg, &c.api); err != nil {
		c.cancel()
		return nil, fmt.Errorf("client: %w", err)
	}
	if c.sender = (&httpSender{httpAPI: &c.api, base: strings.TrimRight(cfg.Ingest, "/")}); cfg.NATS != nil {
		if c.sender, err = newNATSSender(cfg); err != nil {
			return nil, fmt.Errorf("client: %w", err)
		}
	}
	c.lanes = map[Wait]*lane{
		WaitStored:    {client: c, wait: WaitStored, limit: 1},
		WaitSealed:    {client: c, wait: WaitSealed, limit: 4}, // a group waits for its seal while the next one is stored
		WaitWitnessed: {client: c, wait: WaitWitnessed, limit: 4},
	}
	return c, nil
}

// ownHTTP keeps enough connections for the groups and the proofs under way. A redirect of a POST
// would lose its body or go where nobody meant it to.
func ownHTTP(tls *tls.Config) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 32
	if tls != nil {
		t.TLSClientConfig = tls.Clone()
	}
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Log records one event. It returns when the event has reached the state that the options ask for.
// The default is WaitStored. The events of concurrent calls are sent in one request.
//
// Log retries with the same bytes until ctx is done, so give ctx a deadline. It does not give up
// after an error of a proxy or another program between the client and the log. If the error wraps
// that of ctx, the event may or may not be in the log. If the log refuses the event, the error is a
// *RejectedError.
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
	a, err := c.lanes[o.wait].do(ctx, out)
	if err == nil && a.Error != nil {
		err = a.Error
	}
	if err == nil && o.wait.sealed() {
		err = c.verify(ctx, out, &a)
	}
	if err == nil && o.wait == WaitWitnessed {
		err = c.witnessed(ctx, &a.Receipt)
	}
	return a.Receipt, err
}

// LogBatch records events in their order, in as few requests as possible, and returns a receipt for
// each. If the log refuses an event, its receipt has the status Rejected and an Error, and the
// returned error wraps that Error. The other events are recorded.
//
// After any other error, events without a receipt may or may not be in the log. Log them again with
// the same IDs: this makes no second entry.
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
	group, places := make([]outgoing, 0, min(len(events), ruleset.MaxMessageEvents)), []int{}
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
		if len(group) == ruleset.MaxMessageEvents || len(group) > 0 && size+len(out.raw) > maxGroupBytes {
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

// send sends events, and checks the proofs that come with the answers.
func (c *Client) send(ctx context.Context, events []outgoing, wait Wait) ([]answer, error) {
	answers, err := c.sender.send(ctx, events, wait)
	if err == nil {
		c.check(answers)
	}
	return answers, err
}

// sendGroup sends one group, verifies what is sealed, and puts each receipt in its place.
func (c *Client) sendGroup(ctx context.Context, group []outgoing, places []int, receipts []Receipt, wait Wait) error {
	if len(group) == 0 {
		return nil
	}
	got, err := c.send(ctx, group, wait)
	if err != nil {
		return err
	}
	for i := range got {
		if wait.sealed() && got[i].Error == nil {
			if err := c.verify(ctx, group[i], &got[i]); err != nil {
				return err
			}
		}
		receipts[places[i]] = got[i].Receipt
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
	r := Receipt{Receipt: api.Receipt{EntryID: o.event.ID, AgentDID: o.event.Source, Status: Rejected}}
	r.Error, _ = errors.AsType[*RejectedError](err)
	return r
}

func rejected(id string, err error) error {
	if fe, ok := errors.AsType[*entry.FieldError](err); ok {
		return &RejectedError{id, api.Refusal{Field: fe.Field, Reason: fe.Reason}}
	}
	return &RejectedError{id, api.Refusal{Reason: err.Error()}}
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

// Close waits for running calls and then closes the client. If ctx is done first, it cancels the
// calls, and their events may or may not be in the log. It does not close Config.NATS and
// Config.HTTP. Later calls return ErrClosed.
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

// pauses are those between tries. They begin with a few milliseconds, since most trouble is a
// restart or an index that is catching up.
func pauses(most time.Duration) *retry.Pauses { return retry.New(2*time.Millisecond, most) }

// How long pauses become at most: where a server is in trouble, and where an entry is waited for.
const (
	trouble = 5 * time.Second
	soon    = 100 * time.Millisecond
)
