package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// catchUp is how long a server may take to show an entry that it says is sealed.
const catchUp = 30 * time.Second

// verify finds the entry of an event that is said to be sealed, proves it, and completes the
// receipt. Nothing of the receipt's own claims survives but what the proof says.
func (c *Client) verify(ctx context.Context, out outgoing, a *answer) error {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	r := &a.Receipt
	e, p, err := c.entryOf(ctx, out, a)
	if err != nil {
		if r.Status == Sealed { // which nobody knows
			r.Status = Stored
		}
		return fmt.Errorf("event %.80q: %w", out.event.ID, err)
	}
	r.Index, r.EntryHash, r.Checkpoint, r.Proof, r.KeyPinned = e.Index, e.EntryHash.String(), p.Checkpoint, &p,
		c.head.pinned
	if r.Status == Stored {
		if r.Status = Sealed; e.InputSeq != r.InputSeq || e.Position != r.Position {
			r.Status = Duplicate
		}
	}
	r.EquivocationOf = 0
	if q, ok := e.Detail.(*entry.Equivocation); ok {
		r.EquivocationOf = q.Original
	}
	return nil
}

// entryOf returns the entry of an event, proven.
func (c *Client) entryOf(ctx context.Context, out outgoing, a *answer) (entry.Entry, proof.EntryProof, error) {
	switch {
	case a.Status == Stored:
		return c.find(ctx, out.event)
	case a.brought != nil:
		return c.openBrought(ctx, a.brought, out.event)
	}
	e, p, err := c.proveIndex(ctx, a.Index)
	if err == nil {
		err = c.isOurs(ctx, e, out.event, nil)
	}
	return e, p, err
}

// Prove fetches an entry with its proof. It verifies the proof, the signature of the checkpoint,
// and that the checkpoint continues those that the client has seen. Anyone with the key of the log
// can verify the returned proof. If the server does not show the entry yet, Prove waits for a short
// time.
func (c *Client) Prove(ctx context.Context, index uint64) (entry.Entry, proof.EntryProof, error) {
	if _, err := c.trusted(ctx); err != nil {
		return entry.Entry{}, proof.EntryProof{}, fmt.Errorf("prove index %d: %w", index, err)
	}
	return c.proveIndex(ctx, index)
}

// proveIndex is Prove, also for receipts, whose key may be the one that the server names.
func (c *Client) proveIndex(ctx context.Context, index uint64) (entry.Entry, proof.EntryProof, error) {
	path := "/v1/entries/" + strconv.FormatUint(index, 10) + "/proof"
	deadline := time.Now().Add(catchUp)
	for pause := pauses(soon); ; {
		raw, err := c.api.persist(ctx, c.server(), path, nil)
		if err == nil {
			return c.open(ctx, raw, index)
		}
		if !isStatus(err, http.StatusNotFound) {
			return entry.Entry{}, proof.EntryProof{}, err
		}
		if time.Now().After(deadline) {
			return entry.Entry{}, proof.EntryProof{}, fmt.Errorf("%w: the server does not show index %d", ErrProof, index)
		}
		if err := pause.Wait(ctx, 0); err != nil {
			return entry.Entry{}, proof.EntryProof{}, fmt.Errorf("%s: %w", path, err)
		}
	}
}

func (c *Client) server() string { return strings.TrimRight(c.cfg.Server, "/") }

func isStatus(err error, status int) bool {
	s, ok := errors.AsType[*statusError](err)
	return ok && s.status == status
}

// open checks a JSON proof of an index.
func (c *Client) open(ctx context.Context, raw []byte, index uint64) (entry.Entry, proof.EntryProof, error) {
	keys, err := c.head.keys(ctx, true)
	if err != nil {
		return entry.Entry{}, proof.EntryProof{}, err
	}
	p, err := proof.ParseEntryProof(raw)
	if err != nil {
		return entry.Entry{}, p, fmt.Errorf("%w: %w", ErrProof, err)
	}
	var e entry.Entry
	var cp proof.Checkpoint
	err = c.signed(ctx, keys, func(keys *proof.Verifier) (err error) {
		e, cp, err = keys.CheckEntry(p)
		return err
	})
	switch {
	case err != nil:
		return e, p, fmt.Errorf("%w: %w", ErrProof, err)
	case e.Index != index:
		return e, p, fmt.Errorf("%w: it is of index %d, not %d", ErrProof, e.Index, index)
	case e.Log != c.cfg.Log:
		return e, p, fmt.Errorf("%w: the entry is of log %.40q", ErrProof, e.Log)
	}
	return e, p, c.head.see(ctx, cp)
}

var errOther = errors.New("it is another event than was sent")

// isOurs checks that an entry says what the event said, all of it, and commits to its data. The
// fingerprint of SPEC 5.8 is just that: everything the caller said, and nothing that the log added.
// A salt that the log has made is asked for if it is nil.
func (c *Client) isOurs(ctx context.Context, e entry.Entry, ev entry.Event, salt *[32]byte) error {
	if !e.IsEvent() {
		return fmt.Errorf("%w: %w: index %d is one of the log's own entries", ErrProof, errOther, e.Index)
	}
	if ev.HasData && ev.Salt == nil {
		if salt == nil {
			asked, err := c.salt(ctx, e.Index)
			if err != nil {
				return err
			}
			salt = (*[32]byte)(&asked)
		}
		ev.Salt = salt
	}
	src := draft.Source{ReceivedAt: e.ReceivedAt}
	if e.Blind != "" {
		src.Rules = ruleset.Blinding
	}
	// the log takes the list of what was taken out from among the attributes
	if len(e.Redactions) > 0 || e.Blind != "" {
		ev.Extensions = maps.Clone(ev.Extensions)
		ev.TakeRedactions()
	}
	want := draft.Event(src, ev)
	if want.Fingerprint() != e.Fingerprint() && e.Blind == "" && ev.By(ruleset.First) == nil {
		// a log of older rules reads some trace ids otherwise
		want = draft.Event(src, ev)
	}
	if want.Fingerprint() != e.Fingerprint() {
		if len(e.Redactions) > len(ev.Redactions) {
			return fmt.Errorf(
				"%w: %w: the log has redacted more of index %d than this client, which needs the same rules to verify it",
				ErrProof,
				errOther,
				e.Index,
			)
		}
		source, id := e.Claim()
		return fmt.Errorf("%w: %w: index %d, id %.80q of %.80q", ErrProof, errOther, e.Index, id, source)
	}
	return nil
}

// salt asks for the salt that the log has made for an event; a wrong one does not open the
// commitment.
func (c *Client) salt(ctx context.Context, index uint64) (entry.Hash, error) {
	path := "/v1/entries/" + strconv.FormatUint(index, 10)
	var raw []byte
	err := c.head.retryFor(ctx, catchUp, ErrProof, func() (err error) {
		raw, err = c.api.persist(ctx, c.server(), path, url.Values{"raw": {"1"}})
		if isStatus(err, http.StatusNotFound) { // the receipt was quicker than query
			return fmt.Errorf("%w: %w", errBehind, err)
		}
		return err
	})
	if err != nil {
		return entry.Hash{}, err
	}
	var shown struct{ Salt string }
	if err := json.Unmarshal(raw, &shown); err != nil {
		return entry.Hash{}, fmt.Errorf("%w: %s: %w", ErrProof, path, err)
	}
	salt, err := entry.ParseHash(shown.Salt)
	if err != nil {
		return entry.Hash{}, fmt.Errorf("%w: %s: salt: %w", ErrProof, path, err)
	}
	return salt, nil
}
