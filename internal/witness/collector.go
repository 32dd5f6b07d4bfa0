package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/outward"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/streams/subject"
)

// CollectorConfig configures a Collector.
type CollectorConfig struct {
	Log    *store.Log    // the log whose checkpoints are cosigned
	Keys   []string      // verifier keys of the log
	Policy *proof.Policy // the witnesses to ask, and how many are enough

	Every   time.Duration // least time between two rounds; 0 means 200 ms
	Timeout time.Duration // timeout of one witness's answer; 0 means 5 s
	HTTP    *http.Client  // client for requests to witnesses; nil means one of its own
	Logger  *slog.Logger  // nil discards all messages
}

// Collector asks the witnesses of a policy to cosign the newest checkpoint, over and over, and
// keeps in HEAD the newest one that enough of them have cosigned. Make it with NewCollector and
// start it with Run.
type Collector struct {
	cfg   CollectorConfig
	peers []*peer

	mu     sync.Mutex
	newest proof.Checkpoint // the checkpoint of the last round
	kept   proof.Checkpoint // the cosigned one in HEAD; its Size is 0 if there is none yet
	at     time.Time        // when it was kept
}

// lookEvery is the time between two reads of HEAD.
const lookEvery = 50 * time.Millisecond

// grace is how long a round waits for further cosignatures after there are enough.
const grace = 100 * time.Millisecond

// NewCollector checks the configuration. It does not contact any witness yet.
func NewCollector(cfg CollectorConfig) (*Collector, error) {
	if cfg.Log == nil || cfg.Policy == nil || len(cfg.Keys) == 0 {
		return nil, errors.New("witness: a log, its keys and a policy are required")
	}
	if cfg.Every <= 0 {
		cfg.Every = 200 * time.Millisecond
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				MaxIdleConnsPerHost: 2,
				IdleConnTimeout:     time.Minute,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Collector{cfg: cfg}
	for _, w := range cfg.Policy.Witnesses {
		if u, err := url.Parse(w.URL); err == nil && outward.InClear(u, "") {
			return nil, fmt.Errorf("witness %s: a password is sent over https alone, or over http to the loopback", w.Name)
		}
		if w.URL != "" { // of whom nothing is known but the key, others may bring cosignatures
			c.peers = append(c.peers, &peer{collector: c, witness: w})
		}
	}
	if len(c.peers) == 0 {
		return nil, errors.New("witness: the policy has no witness with a URL")
	}
	return c, nil
}

// Run collects until ctx is done, and then returns nil. A witness that does not answer delays only
// the cosignatures that need it.
func (c *Collector) Run(ctx context.Context) error {
	if kept, err := store.Cosigned(ctx, c.cfg.Log, c.cfg.Keys...); err == nil {
		c.keep(kept)
	}
	var group sync.WaitGroup
	defer group.Wait()
	for pause := lookEvery; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = lookEvery
		cp, due := c.due(ctx)
		if !due {
			continue
		}
		begun := time.Now()
		c.round(ctx, cp, &group)
		pause = max(lookEvery, c.cfg.Every-time.Since(begun))
	}
}

// due reads the newest checkpoint, and reports whether an idle witness has not cosigned it.
func (c *Collector) due(ctx context.Context) (proof.Checkpoint, bool) {
	note, _, err := c.cfg.Log.Head.Get(ctx, c.cfg.Log.Name)
	if err != nil {
		return proof.Checkpoint{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !bytes.Equal(note, c.newest.Note) {
		cp, err := proof.OpenCheckpoint(note, c.cfg.Keys...)
		if err != nil || cp.Size < c.newest.Size {
			return proof.Checkpoint{}, false
		}
		c.newest = cp
	}
	for _, p := range c.peers {
		if p.wants(c.newest) {
			return c.newest, true
		}
	}
	return proof.Checkpoint{}, false
}

// round asks every idle witness. It returns when there are enough cosignatures and the grace period
// of the others is over, or when all have answered. It does not wait for late answers. They still
// count if nothing newer was kept.
func (c *Collector) round(ctx context.Context, cp proof.Checkpoint, group *sync.WaitGroup) {
	answers := make(chan []byte, len(c.peers))
	asked := 0
	for _, p := range c.peers {
		if p.take(cp) {
			asked++
			group.Go(func() {
				line := p.ask(ctx, cp)
				answers <- line
			})
		}
	}
	end := time.NewTimer(c.cfg.Timeout)
	defer end.Stop()
	lines, enough := []byte(nil), false
	for ; asked > 0; asked-- {
		select {
		case line := <-answers:
			lines = append(lines, line...)
			if !enough && c.publish(ctx, cp, lines) {
				enough = true
				end.Reset(grace)
			}
			continue
		case <-end.C:
		case <-ctx.Done():
		}
		break
	}
	if enough { // with those that came within the grace
		c.publish(ctx, cp, lines)
	}
	if asked > 0 {
		c.late(ctx, cp, lines, answers, asked, group)
	}
}

// late waits for the answers that a round did not wait for.
func (c *Collector) late(
	ctx context.Context,
	cp proof.Checkpoint,
	lines []byte,
	answers <-chan []byte,
	asked int,
	group *sync.WaitGroup,
) {
	group.Go(func() {
		for ; asked > 0; asked-- {
			if line := <-answers; line != nil {
				lines = append(lines, line...)
				c.publish(ctx, cp, lines)
			}
		}
	})
}

// publish keeps a checkpoint with its cosignatures in HEAD if they are enough, and reports whether
// they are.
func (c *Collector) publish(ctx context.Context, cp proof.Checkpoint, lines []byte) bool {
	note, added := c.cfg.Policy.AddCosignatures(cp.Note, lines)
	by, err := c.cfg.Policy.Cosigned(note)
	if err != nil || added == 0 || !by.Quorum {
		return false
	}
	if err := c.put(ctx, cp, note); err != nil {
		if ctx.Err() == nil {
			c.cfg.Logger.WarnContext(
				ctx,
				"a cosigned checkpoint could not be kept",
				"log",
				c.cfg.Log.Name,
				"size",
				cp.Size,
				"cause",
				err,
			)
		}
		return false
	}
	return true
}

// put writes HEAD. The newest checkpoint wins and, of the same size, the one with more
// cosignatures. After a crash before the write, witnesses have cosigned and the log does not show
// it. They are asked again.
func (c *Collector) put(ctx context.Context, cp proof.Checkpoint, note []byte) error {
	head, key := c.cfg.Log.Head, subject.Cosigned(c.cfg.Log.Name)
	for unread := 0; ; {
		old, revision, err := head.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			if unread++; unread > 3 { // there and not readable: damaged on disk
				return err
			}
			err = head.Create(ctx, key, note)
		} else if err != nil {
			return err
		} else {
			merged, more := c.merge(old, cp, note)
			if !more {
				return nil
			}
			note, err = merged, head.Update(ctx, key, merged, revision)
		}
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExists) {
			continue
		}
		if err == nil {
			cp.Note = note
			c.keep(cp)
		}
		return err
	}
}

// merge returns what to write over an old cosigned checkpoint. more is false if nothing is to be
// written.
func (c *Collector) merge(old []byte, cp proof.Checkpoint, note []byte) (merged []byte, more bool) {
	was, err := proof.OpenCheckpoint(old, c.cfg.Keys...)
	switch {
	case err != nil || was.Size < cp.Size:
		return note, true
	case was.Size > cp.Size || was.Root != cp.Root:
		return nil, false
	}
	_, lines, _ := bytes.Cut(note, []byte("\n\n"))
	merged, added := c.cfg.Policy.AddCosignatures(old, lines)
	return merged, added > 0
}

func (c *Collector) keep(cp proof.Checkpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cp.Size >= c.kept.Size {
		if cp.Size > c.kept.Size {
			c.at = time.Now()
		}
		c.kept = cp
	}
}

// Status is the state of the witnesses on health pages.
type Status struct {
	Quorum    string       `json:"quorum"`              // the policy's quorum
	Met       bool         `json:"met"`                 // whether enough cosigned the newest checkpoint, or one of the last minute
	Size      uint64       `json:"size"`                // size of the newest checkpoint with enough cosignatures; 0 if none yet
	Behind    uint64       `json:"behind"`              // number of entries after it
	At        *time.Time   `json:"at,omitempty"`        // when it was kept; nil if that was before the start
	Witnesses []PeerStatus `json:"witnesses,omitempty"` // the witnesses that are asked
}

// PeerStatus is the state of one witness.
type PeerStatus struct {
	Name  string `json:"name"`            // name in the policy
	URL   string `json:"url"`             // URL, without user and password
	Size  uint64 `json:"size"`            // size of the newest checkpoint that it has cosigned
	Error string `json:"error,omitempty"` // why it has not cosigned the newest one that it was asked for
}

// quorumMaxAge is how old the newest cosigned checkpoint may be while the log goes on, before the
// quorum counts as not met.
const quorumMaxAge = time.Minute

// Status returns the present state. It never blocks on a witness.
func (c *Collector) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{Quorum: c.cfg.Policy.Quorum, Size: c.kept.Size, Behind: max(c.newest.Size, c.kept.Size) - c.kept.Size}
	if !c.at.IsZero() {
		at := c.at
		s.At = &at
	}
	s.Met = c.kept.Size > 0 && (s.Behind == 0 || time.Since(c.at) < quorumMaxAge)
	for _, p := range c.peers {
		s.Witnesses = append(s.Witnesses, p.status())
	}
	return s
}

// Err returns an error if the log does not have enough witnesses.
func (s Status) Err() error {
	if s.Met {
		return nil
	}
	return fmt.Errorf(
		"not witnessed: %d entries are not covered by a checkpoint that enough witnesses have cosigned",
		s.Behind,
	)
}
