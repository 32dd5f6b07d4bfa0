package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// CollectorConfig is all that a collector needs to know.
type CollectorConfig struct {
	Log    *store.Log
	Keys   []string      // verifier keys of the log
	Policy *proof.Policy // whom to ask, and how many are enough

	Every   time.Duration // least time between two rounds; 0: 200 ms
	Timeout time.Duration // of one witness's answer; 0: 5 s
	HTTP    *http.Client  // nil: one of its own
	Logger  *slog.Logger  // nil: silent
}

// Collector asks the witnesses of a policy to cosign the newest checkpoint, again and again, and keeps the newest that enough of them have cosigned
// in HEAD. Make it with NewCollector, start it with Run.
type Collector struct {
	cfg   CollectorConfig
	peers []*peer

	mu     sync.Mutex
	newest proof.Checkpoint // that was asked for last
	kept   proof.Checkpoint // the cosigned one in HEAD; Size 0: none yet
	at     time.Time        // when it was kept
}

// lookEvery is how often HEAD is looked at for a new checkpoint.
const lookEvery = 50 * time.Millisecond

// grace is how long a round goes on for further cosignatures after there are enough.
const grace = 100 * time.Millisecond

// NewCollector checks the configuration; it asks nobody yet.
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
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Collector{cfg: cfg}
	for _, w := range cfg.Policy.Witnesses {
		if w.URL != "" { // of whom nothing is known but the key, others may bring cosignatures
			c.peers = append(c.peers, &peer{collector: c, witness: w})
		}
	}
	if len(c.peers) == 0 {
		return nil, errors.New("witness: the policy has no witness with a URL")
	}
	return c, nil
}

// Run collects until ctx is done, which is a nil return. A witness that does not answer holds up nothing but the cosignatures that need it.
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

// due reads the newest checkpoint, and says whether a witness that is free has not cosigned it.
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

// round asks every witness that is free, and returns when there are enough cosignatures and the others had their grace, or all have answered.
// Who is late is not waited for; what he says then still counts, if nothing newer was kept.
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
func (c *Collector) late(ctx context.Context, cp proof.Checkpoint, lines []byte, answers <-chan []byte, asked int, group *sync.WaitGroup) {
	group.Go(func() {
		for ; asked > 0; asked-- {
			if line := <-answers; line != nil {
				lines = append(lines, line...)
				c.publish(ctx, cp, lines)
			}
		}
	})
}

// publish keeps a checkpoint with its cosignatures in HEAD, if they are enough, and says whether they are.
func (c *Collector) publish(ctx context.Context, cp proof.Checkpoint, lines []byte) bool {
	note, added := c.cfg.Policy.AddCosignatures(cp.Note, lines)
	by, err := c.cfg.Policy.Cosigned(note)
	if err != nil || added == 0 || !by.Quorum {
		return false
	}
	if err := c.put(ctx, cp, note); err != nil {
		if ctx.Err() == nil {
			c.cfg.Logger.WarnContext(ctx, "a cosigned checkpoint could not be kept", "log", c.cfg.Log.Name, "size", cp.Size, "cause", err)
		}
		return false
	}
	return true
}

// put writes HEAD; the newest wins, and of the same size the one with more cosignatures. A crash before it leaves witnesses that have
// cosigned and a log that does not show it; they are asked again.
func (c *Collector) put(ctx context.Context, cp proof.Checkpoint, note []byte) error {
	head, key := c.cfg.Log.Head, store.CosignedKey(c.cfg.Log.Name)
	for {
		old, revision, err := head.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
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

// merge says what to write over an old cosigned checkpoint; false: nothing.
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

// Status is what health pages tell of the witnesses.
type Status struct {
	Quorum    string       `json:"quorum"`              // what the policy asks for
	Met       bool         `json:"met"`                 // the newest checkpoint, or one less than a minute old, is cosigned by enough
	Size      uint64       `json:"size"`                // of the newest checkpoint with enough cosignatures; 0: none yet
	Behind    uint64       `json:"behind"`              // entries after that
	At        *time.Time   `json:"at,omitempty"`        // when it was new here; absent if that was before the start
	Witnesses []PeerStatus `json:"witnesses,omitempty"` // those that are asked
}

// PeerStatus is how one witness fares.
type PeerStatus struct {
	Name  string `json:"name"`
	URL   string `json:"url"`
	Size  uint64 `json:"size"`            // that it has cosigned
	Error string `json:"error,omitempty"` // why it has not cosigned the newest that it was asked for
}

// statusPatience is how old what is cosigned may be while the log goes on, before the page says that the quorum is not met.
const statusPatience = time.Minute

// Status returns the present status; it never blocks.
func (c *Collector) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{Quorum: c.cfg.Policy.Quorum, Size: c.kept.Size, Behind: max(c.newest.Size, c.kept.Size) - c.kept.Size}
	if !c.at.IsZero() {
		at := c.at
		s.At = &at
	}
	s.Met = c.kept.Size > 0 && (s.Behind == 0 || time.Since(c.at) < statusPatience)
	for _, p := range c.peers {
		s.Witnesses = append(s.Witnesses, p.status())
	}
	return s
}

// Err says that the log has not enough witnesses; nil: it has.
func (s Status) Err() error {
	if s.Met {
		return nil
	}
	return fmt.Errorf("not witnessed: %d entries are not covered by a checkpoint that enough witnesses have cosigned", s.Behind)
}
