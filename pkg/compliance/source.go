package compliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Source answers questions about one log. What it answers is checked as far as it can be.
type Source interface {
	// Checkpoint is the newest signed checkpoint.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Counts is how many of the first size entries match in a window.
	Counts(ctx context.Context, f Filter, w Window, size uint64, top int) (Counts, error)
	// Find is the entries among the first size that match in a window, ascending; the newest, or from an index on the oldest.
	Find(ctx context.Context, f Filter, w Window, size uint64, from *uint64, limit int) ([]entry.Entry, error)
	// Prove proves an entry in the tree of a size that there is a checkpoint of.
	Prove(ctx context.Context, index, size uint64) (proof.EntryProof, error)
	// Health says whether the service has seen anything that does not verify.
	Health(ctx context.Context) (Health, error)
}

// Window is a range of the times at which the log received entries, both ends included. An empty end is open.
type Window struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Counts is how many entries match, by what they are.
type Counts struct {
	TreeSize uint64            `json:"tree_size"`
	Matches  uint64            `json:"matches"`
	Types    map[string]uint64 `json:"event_types"`
	Actions  map[string]uint64 `json:"actions"`
	Outcomes map[string]uint64 `json:"outcomes"`
	Agents   uint64            `json:"agents"`
	Top      []AgentCount      `json:"top_agents"`
}

// AgentCount is how many of them are of an agent.
type AgentCount struct {
	Agent   string `json:"agent"`
	Matches uint64 `json:"matches"`
}

// Health is what the service says of the log: it has verified all that it read.
type Health struct {
	Keys  []string `json:"keys"`
	Index struct {
		Valid bool     `json:"valid"`
		Error *string  `json:"error"`
		Void  []uint64 `json:"void"`
	} `json:"index"`
}

// API is a Source over the HTTP API. In process, Client's transport can be the handler itself.
type API struct {
	Base   string // URL
	Log    string
	Client *http.Client // nil: http.DefaultClient
}

// ErrSource is wrapped by every error of an answer that was not given, or could not be read.
var ErrSource = errors.New("query service")

const maxAnswer = 64 << 20

func (a API) get(ctx context.Context, path string, q url.Values, v any) error {
	if q == nil {
		q = url.Values{}
	}
	q.Set("log", a.Log)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(a.Base, "/")+path+"?"+q.Encode(), nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSource, err)
	}
	client := a.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSource, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrSource, path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s: %s: %.300s", ErrSource, path, resp.Status, body)
	}
	if raw, ok := v.(*[]byte); ok {
		*raw = body
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrSource, path, err)
	}
	return nil
}

func (f Filter) values(w Window) url.Values {
	q := url.Values{}
	for name, list := range map[string][]string{"agent": f.Agent, "type": f.Type, "action": f.Action, "outcome": f.Outcome, "resource": f.Resource,
		"rule": f.Rule, "trace": f.Trace, "session": f.Session} {
		if len(list) > 0 {
			q[name] = list
		}
	}
	if w.From != "" {
		q.Set("from", w.From)
	}
	if w.To != "" {
		q.Set("to", w.To)
	}
	if w != (Window{}) {
		q.Set("time", "received")
	}
	return q
}

// Checkpoint implements Source.
func (a API) Checkpoint(ctx context.Context) (note []byte, err error) {
	return note, a.get(ctx, "/checkpoint", nil, &note)
}

// Counts implements Source.
func (a API) Counts(ctx context.Context, f Filter, w Window, size uint64, top int) (c Counts, err error) {
	q := f.values(w)
	q.Set("size", strconv.FormatUint(size, 10))
	q.Set("top", strconv.Itoa(top))
	if err := a.get(ctx, "/v1/counts", q, &c); err != nil {
		return c, err
	}
	if c.TreeSize != size || c.Matches > size || len(c.Top) > top {
		return c, fmt.Errorf("%w: it counts %d of %d entries, asked for %d", ErrSource, c.Matches, c.TreeSize, size)
	}
	return c, nil
}

// Find implements Source.
func (a API) Find(ctx context.Context, f Filter, w Window, size uint64, from *uint64, limit int) ([]entry.Entry, error) {
	q := f.values(w)
	q.Set("limit", strconv.Itoa(limit))
	q.Set("raw", "1")
	if from != nil {
		q.Set("order", "asc")
		q.Set("from_index", strconv.FormatUint(*from, 10))
	} else { // or what came after the checkpoint would take the places of what it covers
		q.Set("before_index", strconv.FormatUint(size, 10))
	}
	var page struct{ Entries []struct{ Leaf string } }
	if err := a.get(ctx, "/v1/entries", q, &page); err != nil {
		return nil, err
	}
	if len(page.Entries) > limit {
		return nil, fmt.Errorf("%w: it was asked for %d entries and gives %d", ErrSource, limit, len(page.Entries))
	}
	list := make([]entry.Entry, 0, len(page.Entries))
	for _, x := range page.Entries {
		e, err := entry.ParseEntry([]byte(x.Leaf))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSource, err)
		}
		if from != nil && e.Index >= size {
			break
		}
		rises := len(list) == 0 || list[len(list)-1].Index < e.Index
		if !f.Matches(e) || !w.holds(e) || !rises || e.Index >= size || from != nil && e.Index < *from {
			return nil, fmt.Errorf("%w: it was asked for other entries than %d", ErrSource, e.Index)
		}
		list = append(list, e)
	}
	return list, nil
}

// Prove implements Source.
func (a API) Prove(ctx context.Context, index, size uint64) (proof.EntryProof, error) {
	var raw []byte
	if err := a.get(ctx, fmt.Sprintf("/v1/entries/%d/proof", index), url.Values{"size": {strconv.FormatUint(size, 10)}}, &raw); err != nil {
		return proof.EntryProof{}, err
	}
	return proof.ParseEntryProof(raw)
}

// Health implements Source.
func (a API) Health(ctx context.Context) (h Health, err error) {
	return h, a.get(ctx, "/v1/stats", nil, &h)
}
