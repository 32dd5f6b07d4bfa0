package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// peer is one witness that a collector asks. It is asked for one checkpoint at a time.
type peer struct {
	collector *Collector
	witness   proof.PolicyWitness

	mu     sync.Mutex
	busy   bool
	size   uint64     // size that it has cosigned last, as far as known; a 409 answer corrects it
	root   entry.Hash // root of that size; zero if not known
	done   uint64     // size that it has cosigned for this collector
	err    error      // error of the last attempt
	failed int        // failed attempts in a row
	next   time.Time  // when it is asked again after a failure
}

// wants reports whether the witness is to be asked for a checkpoint.
func (p *peer) wants(cp proof.Checkpoint) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.busy && p.done < cp.Size && !time.Now().Before(p.next)
}

func (p *peer) take(cp proof.Checkpoint) bool {
	if !p.wants(cp) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = true
	return true
}

// maxPause is the longest pause before a failing witness is asked again.
const maxPause = 30 * time.Second

// ask returns the witness's cosignature lines for a checkpoint. It returns nil if there are none,
// and status tells why.
func (p *peer) ask(ctx context.Context, cp proof.Checkpoint) []byte {
	ctx, cancel := context.WithTimeout(ctx, p.collector.cfg.Timeout)
	defer cancel()
	lines, err := p.submit(ctx, cp)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = false
	if err != nil {
		if p.err == nil || p.err.Error() != err.Error() {
			p.collector.cfg.Logger.WarnContext(
				ctx,
				"a witness has not cosigned",
				"log",
				p.collector.cfg.Log.Name,
				"witness",
				p.witness.Name,
				"size",
				cp.Size,
				"cause",
				err,
			)
		}
		p.failed++
		p.next = time.Now().Add(min(time.Second<<min(p.failed-1, 6), maxPause))
		p.err = err
		return nil
	}
	p.size, p.root, p.done, p.err, p.failed = cp.Size, cp.Root, cp.Size, nil, 0
	return lines
}

// errConflict: the witness has cosigned another size last.
type errConflict struct{ size uint64 }

func (e errConflict) Error() string { return fmt.Sprintf("it has cosigned size %d last", e.size) }

// submit asks once, and once more if the witness says that it has cosigned another size last.
func (p *peer) submit(ctx context.Context, cp proof.Checkpoint) ([]byte, error) {
	p.mu.Lock()
	old := p.size
	p.mu.Unlock()
	for tries := 0; ; tries++ {
		if old > cp.Size {
			return nil, fmt.Errorf(
				"%w, and the log's newest is %d: it was rolled back, or another sealer is ahead",
				errConflict{old},
				cp.Size,
			)
		}
		lines, err := p.send(ctx, old, cp)
		conflict, ok := errors.AsType[errConflict](err)
		switch {
		case !ok || tries >= 2:
			return lines, err
		case conflict.size == old:
			return nil, fmt.Errorf("%w, with another root: the log has signed two histories", err)
		}
		old = conflict.size
		p.mu.Lock()
		p.size, p.root = old, entry.Hash{}
		p.mu.Unlock()
	}
}

// maxAnswer bounds a witness's answer: a few signature lines.
const maxAnswer = 64 << 10

func (p *peer) send(ctx context.Context, old uint64, cp proof.Checkpoint) ([]byte, error) {
	hashes, err := p.prove(ctx, old, cp)
	if err != nil {
		return nil, err
	}
	body := Submission{old, hashes, cp.Note}.Format()
	url := strings.TrimRight(p.witness.URL, "/") + "/add-checkpoint"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := p.collector.cfg.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return p.open(cp, answer)
	case http.StatusConflict:
		size, err := strconv.ParseUint(strings.TrimSuffix(string(answer), "\n"), 10, 53)
		if err != nil || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/x.tlog.size") {
			return nil, fmt.Errorf("%s: %.200q", resp.Status, answer)
		}
		return nil, errConflict{size}
	}
	return nil, fmt.Errorf("%s: %.200q", resp.Status, bytes.TrimSpace(answer))
}

// open takes those lines of an answer that are the witness's.
func (p *peer) open(cp proof.Checkpoint, answer []byte) ([]byte, error) {
	note, _ := p.collector.cfg.Policy.AddCosignatures(cp.Note, answer)
	by, err := p.collector.cfg.Policy.Cosigned(note)
	if err != nil {
		return nil, err
	}
	if _, ok := by.Time(p.witness); !ok {
		return nil, errors.New("its answer has no cosignature by its key")
	}
	return note[len(cp.Note):], nil
}

// prove makes the consistency proof from SEALED, and checks it: a store that was altered is not the
// witness's fault.
func (p *peer) prove(ctx context.Context, old uint64, cp proof.Checkpoint) ([]entry.Hash, error) {
	if old == 0 || old == cp.Size {
		return nil, nil
	}
	root, hashes, err := store.Consistency(ctx, p.collector.cfg.Log, old, cp.Size)
	if err != nil {
		return nil, fmt.Errorf("proof from size %d: %w", old, err)
	}
	p.mu.Lock()
	if p.root != (entry.Hash{}) {
		root = p.root
	}
	p.mu.Unlock()
	if err := proof.CheckConsistency(old, cp.Size, root, cp.Root, hashes); err != nil {
		return nil, fmt.Errorf("the log's own batches do not make the proof from size %d: %w", old, err)
	}
	return hashes, nil
}

func (p *peer) status() PeerStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PeerStatus{Name: p.witness.Name, URL: shownURL(p.witness.URL), Size: p.done}
	if p.err != nil {
		s.Error = p.err.Error()
	}
	return s
}

// shownURL returns a URL without its user and password.
func shownURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}
