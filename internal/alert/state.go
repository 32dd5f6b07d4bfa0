package alert

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/streams/subject"
)

// saved is the follower's state in CURSORS: its position, and the memory of the rules, so that a
// restart need not read the log and ALERTS from the start. It is written after everything that it
// covers is acknowledged. An older state, or none, costs a replay.
type saved struct {
	V    int    `json:"v"`
	Next uint64 `json:"next"` // next index
	// entry hash of the entry before it, which must be unchanged
	Hash    string      `json:"hash,omitempty"`
	Sealed  uint64      `json:"sealed"` // SEALED sequence of its batch
	Clock   int64       `json:"clock"`
	Alerts  uint64      `json:"alerts"` // ALERTS sequence after which to read
	Created time.Time   `json:"created"`
	Ops     opsState    `json:"ops"`
	Rules   []savedRule `json:"rules,omitempty"`
}

// savedRule is the memory of a rule, oldest first.
type savedRule struct {
	Digest   string         `json:"digest"`
	Rates    []savedWindow  `json:"rates,omitempty"`
	Silences []savedSilence `json:"silences,omitempty"`
}

type savedWindow struct {
	Key   string  `json:"k"`
	At    int64   `json:"a"`
	Fired int64   `json:"f,omitempty"`
	Times []int64 `json:"t"` // the first time, then differences
}

type savedSilence struct {
	Agent string `json:"k"`
	At    int64  `json:"a"`
	Index uint64 `json:"i"`
	Size  uint64 `json:"s"`
	Hash  string `json:"h"`
}

// save returns the memory of the engine's rules.
func (g *engine) save() []savedRule {
	var list []savedRule
	for _, r := range g.rules {
		s := savedRule{Digest: r.digest}
		switch {
		case r.rates != nil:
			for x := r.rates.first; x != nil; x = x.next {
				w := savedWindow{Key: x.key, At: x.at, Fired: x.value.fired, Times: make([]int64, len(x.value.times))}
				before := int64(0)
				for i, t := range x.value.times {
					w.Times[i], before = t-before, t
				}
				s.Rates = append(s.Rates, w)
			}
		case r.silences != nil:
			for x := r.silences.first; x != nil; x = x.next {
				s.Silences = append(s.Silences, savedSilence{x.key, x.at, x.value.Index, x.value.Size, x.value.Hash})
			}
		default:
			continue
		}
		list = append(list, s)
	}
	return list
}

// load restores the memory of the rules. A rule that is new or has changed starts without any.
func (g *engine) load(list []savedRule, clock int64) {
	g.clock = clock
	for _, r := range g.rules {
		for _, s := range list {
			if s.Digest != r.digest {
				continue
			}
			for _, w := range s.Rates {
				x := r.rates.touch(w.Key, w.At)
				x.value = &window{fired: w.Fired, times: make([]int64, len(w.Times))}
				t := int64(0)
				for i, d := range w.Times {
					t += d
					x.value.times[i] = t
				}
				r.times += len(w.Times)
			}
			for _, q := range s.Silences {
				r.silences.touch(q.Agent, q.At).value = lastWord{q.Index, q.Size, q.Hash}
			}
		}
	}
}

// stateVersion changes when older states can no longer be read.
const stateVersion = 1

// partBytes is the maximum size of a part of the state, in bytes.
const partBytes = 512 << 10

// stateHead is the value under the state's key. The parts are under keys of two generations that
// alternate, so that a crash while one is written leaves the other intact. Two followers that
// overwrite each other's parts leave a digest that does not match, which costs a replay.
type stateHead struct {
	Generation int    `json:"generation"` // 0 or 1
	Parts      int    `json:"parts"`
	Digest     string `json:"digest"`         // SHA-256 of all parts together
	Body       []byte `json:"body,omitempty"` // replaces the parts of a small state
}

func partKey(log string, generation, part int) string {
	return fmt.Sprintf("%s/%d/%d", subject.AlertCursor(log), generation, part)
}

// saveState writes a state and returns its size in bytes.
func saveState(ctx context.Context, kv store.KV, log string, generation int, s saved) (int, error) {
	var buf bytes.Buffer
	z, err := flate.NewWriter(&buf, flate.BestSpeed)
	if err == nil {
		if err = json.NewEncoder(z).Encode(s); err == nil {
			err = z.Close()
		}
	}
	if err != nil {
		return 0, fmt.Errorf("save state: %w", err)
	}
	body := buf.Bytes()
	sum := sha256.Sum256(body)
	head := stateHead{Generation: generation, Digest: hex.EncodeToString(sum[:])}
	if len(body) <= partBytes {
		head.Body = body
	} else {
		for ; head.Parts*partBytes < len(body); head.Parts++ {
			part := body[head.Parts*partBytes : min(len(body), (head.Parts+1)*partBytes)]
			if err := kv.Put(ctx, partKey(log, generation, head.Parts), part); err != nil {
				return 0, fmt.Errorf("save state: %w", err)
			}
		}
	}
	b, err := json.Marshal(head)
	if err == nil {
		err = kv.Put(ctx, subject.AlertCursor(log), b) // from here on this state is valid
	}
	if err != nil {
		return 0, fmt.Errorf("save state: %w", err)
	}
	return len(body), nil
}

// errState reports that the saved state is unusable.
var errState = errors.New("saved state is unusable")

// maxStateBytes limits the uncompressed state.
const maxStateBytes = 1 << 30

// loadState reads the saved state. The error wraps store.ErrNotFound or errState if there is none
// to use.
func loadState(ctx context.Context, kv store.KV, log string) (saved, int, error) {
	b, _, err := kv.Get(ctx, subject.AlertCursor(log))
	if err != nil {
		return saved{}, 0, fmt.Errorf("load state: %w", err)
	}
	var head stateHead
	if err := json.Unmarshal(b, &head); err != nil || head.Parts < 0 || head.Generation != head.Generation&1 {
		return saved{}, 0, fmt.Errorf("load state: %w: invalid head", errState)
	}
	body := head.Body
	for i := range head.Parts {
		part, _, err := kv.Get(ctx, partKey(log, head.Generation, i))
		if errors.Is(err, store.ErrNotFound) {
			return saved{}, 0, fmt.Errorf("load state: %w: part %d is missing", errState, i)
		} else if err != nil {
			return saved{}, 0, fmt.Errorf("load state: %w", err)
		}
		body = append(body, part...)
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != head.Digest {
		return saved{}, 0, fmt.Errorf("load state: %w: the digest does not match", errState)
	}
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(body)), maxStateBytes))
	if err != nil {
		return saved{}, 0, fmt.Errorf("load state: %w: %w", errState, err)
	}
	var s saved
	if err := json.Unmarshal(raw, &s); err != nil || s.V != stateVersion {
		return saved{}, 0, fmt.Errorf("load state: %w: version %d, %v", errState, s.V, err)
	}
	return s, head.Generation, nil
}
