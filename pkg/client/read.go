package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Errors of methods that read, besides ErrProof and ErrFork.
var (
	// ErrNoKey reports that there is no key: reading needs Config.Key or Keys, the State of an earlier
	// run that could read, or Config.TrustFirstUse.
	ErrNoKey = errors.New("no key to verify the log with: give Config.Key or State, or set TrustFirstUse")
	// ErrGap reports that the server left out entries of an answer that must be complete.
	ErrGap = errors.New("entries are left out")
	// ErrNotFound reports that the server shows no such entry. If the log must have the index, the
	// error is ErrGap or ErrFork instead.
	ErrNotFound = errors.New("no such entry")
)

// Filter selects entries and their order. The zero Filter selects all entries, the oldest first.
type Filter struct {
	api.Filter

	// FromIndex is the first index to read.
	FromIndex uint64

	// Before ends the range with Newest: only entries with a lower index are read. 0 means the end of
	// the log. Follow does not support it.
	Before uint64

	// Newest yields the newest entry first. Follow does not support it.
	Newest bool

	// Limit is the largest number of entries. 0 means all. Follow does not support it.
	Limit int
}

// all reports whether the filter wants every entry from its first index on.
func (f *Filter) all() bool {
	for _, values := range f.Fields() {
		if len(*values) > 0 {
			return false
		}
	}
	return f.From == "" && f.To == ""
}

// Entry is an entry whose proof the client has verified: the leaf is in the log, and the data is
// the data that the leaf commits to. RepeatOf, DataError and the absence of data are not verified:
// they are what the server says.
type Entry struct {
	entry.Entry

	// Payload is the data, with the salt for the entry's DataHash. Nil means that the entry has no
	// data, or that the server does not show it: see Withheld.
	Payload *entry.Payload

	// DataError is the reason why the server could not read the data.
	DataError string

	// RepeatOf is the index of an earlier entry of the same event. Nil means that there is none. It is
	// compared with that entry only if both are in one answer.
	RepeatOf *uint64
}

// Data returns the data. It returns nil if there is none, or if the server does not show it.
func (e Entry) Data() []byte {
	if e.Payload == nil {
		return nil
	}
	return e.Payload.Data
}

// Withheld reports whether the entry has data that the server does not show. The data was erased,
// cannot be read (DataError), or the server withholds it. Verify tells which: every erasure is an
// entry of the log.
func (e Entry) Withheld() bool { return e.HasPayload() && e.Payload == nil }

// MarshalJSON writes the entry as the API shows it.
func (e Entry) MarshalJSON() ([]byte, error) { return api.AppendEntry(nil, e.line(), false) }

func (e Entry) line() proof.PageLine {
	return proof.PageLine{Entry: e.Entry, Payload: e.Payload, DataError: e.DataError, RepeatOf: e.RepeatOf}
}

// Entries yields the entries that a filter selects, in its order. It fetches them page by page, and
// yields those that the log had when the first page was fetched. It ends after the first error.
//
// The client verifies the proof of each entry before it yields the entry. If the filter selects all
// entries, a missing one is ErrGap. Otherwise the server could leave out matches, and the client
// would not notice. It could not add entries that do not match. To detect omissions, read all
// entries, or pass the result of Counts to Verify. The server can also hide entries that are newer
// than the newest checkpoint that this client has seen.
func (c *Client) Entries(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		ctx, cancel := c.bound(ctx)
		defer cancel()
		w, err := c.walk(ctx, f)
		for err == nil && !w.done {
			var page []Entry
			if page, err = w.nextPage(ctx); err != nil {
				break
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
		}
		if err != nil {
			yield(Entry{}, fmt.Errorf("read entries: %w", err))
		}
	}
}

// ForAgent yields the entries of one agent, the oldest first. See Entries.
func (c *Client) ForAgent(ctx context.Context, did string) iter.Seq2[Entry, error] {
	return c.Entries(ctx, Filter{Filter: api.Filter{Agent: []string{did}}})
}

// ByType yields the entries of one event type, the oldest first. See Entries.
func (c *Client) ByType(ctx context.Context, eventType string) iter.Seq2[Entry, error] {
	return c.Entries(ctx, Filter{Filter: api.Filter{Type: []string{eventType}}})
}

// Trace yields the entries of one trace, the oldest first. See Entries.
func (c *Client) Trace(ctx context.Context, id string) iter.Seq2[Entry, error] {
	return c.Entries(ctx, Filter{Filter: api.Filter{Trace: []string{id}}})
}

// Session yields the entries of one session, the oldest first. See Entries.
func (c *Client) Session(ctx context.Context, id string) iter.Seq2[Entry, error] {
	return c.Entries(ctx, Filter{Filter: api.Filter{Session: []string{id}}})
}

// Entry reads one entry by its index. If the log has no such index, the error is ErrNotFound.
func (c *Client) Entry(ctx context.Context, index uint64) (Entry, error) {
	seen := c.head.size()
	for e, err := range c.Entries(ctx, Filter{FromIndex: index, Limit: 1}) {
		switch {
		case !isStatus(err, http.StatusBadRequest), errors.Is(err, ErrFork):
		case index < seen:
			err = fmt.Errorf("%w: %w", ErrGap, err)
		case Problem(err).Parameter == "from_index":
			err = fmt.Errorf("%w: %w", ErrNotFound, err)
		}
		return e, err
	}
	return Entry{}, fmt.Errorf("read entry %d: %w", index, ErrNotFound)
}

// EntryByID reads the entry with an id. If agent is not empty, the entry must be of this agent. The
// error is ErrNotFound if there is no such entry, and ErrAmbiguous if several agents have used the
// id. The client verifies the entry, but not that there is no other one with this id.
func (c *Client) EntryByID(ctx context.Context, id, agent string) (Entry, error) {
	if _, err := c.trusted(ctx); err != nil {
		return Entry{}, fmt.Errorf("read entry: %w", err)
	}
	query := url.Values{}
	if agent != "" {
		query.Set("agent", agent)
	}
	path := "/v1/entries/id/" + PathSegment(id)
	raw, err := c.api.persist(ctx, c.server(), path, query)
	if isStatus(err, http.StatusNotFound) {
		// The server may be behind a receipt of this client. Its next checkpoint is not.
		if _, late := c.Checkpoint(ctx); late == nil {
			raw, err = c.api.persist(ctx, c.server(), path, query)
		}
	}
	switch {
	case isStatus(err, http.StatusNotFound):
		return Entry{}, fmt.Errorf("read entry with id %.80q: %w: %w", id, ErrNotFound, err)
	case isStatus(err, http.StatusConflict):
		return Entry{}, fmt.Errorf("read entry with id %.80q: %w: %w", id, ErrAmbiguous, err)
	case err != nil:
		return Entry{}, fmt.Errorf("read entry with id %.80q: %w", id, err)
	}
	var at struct{ Index uint64 }
	if err := json.Unmarshal(raw, &at); err != nil {
		return Entry{}, fmt.Errorf("read entry with id %.80q: %w: %w", id, ErrProof, err)
	}
	e, err := c.Entry(ctx, at.Index)
	if err == nil && (e.EntryID != id || agent != "" && e.AgentDID != agent) {
		err = fmt.Errorf("read entry with id %.80q: %w: the server shows index %d, which has another id or agent", id,
			ErrProof, at.Index)
	}
	if err != nil {
		return Entry{}, err
	}
	return e, nil
}

// ErrAmbiguous reports that several agents have used an id.
var ErrAmbiguous = errors.New("several entries have this id")

// Checkpoint fetches the newest checkpoint, and verifies that it continues the checkpoints that the
// client has seen.
func (c *Client) Checkpoint(ctx context.Context) (proof.Checkpoint, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	keys, err := c.trusted(ctx)
	if err != nil {
		return proof.Checkpoint{}, fmt.Errorf("read checkpoint: %w", err)
	}
	var cp proof.Checkpoint
	least := c.head.size()
	err = c.head.retryBehind(ctx, func() error {
		note, err := c.api.persist(ctx, c.server(), "/checkpoint", nil)
		if err != nil {
			return err
		}
		err = c.signed(ctx, keys, func(keys *proof.Verifier) (err error) {
			cp, _, err = keys.Open(note)
			return err
		})
		if err != nil {
			return fmt.Errorf("%w: %w", ErrProof, err)
		}
		return behind(cp.Size, least)
	})
	if err == nil {
		err = c.head.see(ctx, cp)
	}
	if err != nil {
		return proof.Checkpoint{}, fmt.Errorf("read checkpoint: %w", err)
	}
	return cp, nil
}

// Consistency verifies that the tree of one checkpoint is a prefix of the tree of the other. Both
// must be signed by a key that the client trusts. They may come from any source, in any order.
func (c *Client) Consistency(ctx context.Context, from, to proof.Checkpoint) error {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	keys, err := c.trusted(ctx)
	for _, cp := range []*proof.Checkpoint{&from, &to} {
		if err == nil {
			if *cp, _, err = keys.Open(cp.Note); err != nil {
				err = fmt.Errorf("%w: %w", ErrProof, err)
			}
		}
	}
	switch {
	case err != nil:
	case from.Origin != to.Origin:
		err = fmt.Errorf("%w: they are of two logs, %.80q and %.80q", ErrFork, from.Origin, to.Origin)
	case from.Size > to.Size:
		err = c.head.consistent(ctx, to, from)
	default:
		err = c.head.consistent(ctx, from, to)
	}
	if err != nil {
		return fmt.Errorf("consistency of sizes %d and %d: %w", from.Size, to.Size, err)
	}
	return nil
}
