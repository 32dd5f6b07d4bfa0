package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

var errNone = errors.New("it is not sealed yet")

// find waits for the entry of an event that is stored, and of which nothing is known but what it
// says.
func (c *Client) find(ctx context.Context, ev entry.Event) (entry.Entry, proof.EntryProof, error) {
	for pause := pauses(soon); ; {
		e, p, err := c.lookUp(ctx, ev)
		if err == nil || !errors.Is(err, errNone) {
			return e, p, err
		}
		if end := pause.Wait(ctx, 0); end != nil {
			return e, p, fmt.Errorf("%w: %w", err, end)
		}
	}
}

// lookUp asks for the event by its agent and id. Where an entry with these is another event, ours
// is sealed as its equivocation, and that entry has an id of the log's own.
func (c *Client) lookUp(ctx context.Context, ev entry.Event) (entry.Entry, proof.EntryProof, error) {
	path := "/v1/entries/id/" + PathSegment(ev.ID) + "/proof"
	raw, err := c.api.persist(ctx, c.server(), path, url.Values{"agent": {ev.Source}})
	status, isStatus := errors.AsType[*statusError](err)
	switch {
	case err == nil:
		e, p, err := c.openOwn(ctx, raw, ev)
		if !errors.Is(err, errOther) {
			return e, p, err
		}
	case isStatus && status.status == http.StatusNotFound:
		return entry.Entry{}, proof.EntryProof{}, errNone
	case isStatus && status.status == http.StatusConflict:
		if e, p, err := c.choose(ctx, status.problem.Candidates, ev); !errors.Is(err, errNone) {
			return e, p, err
		}
	default:
		return entry.Entry{}, proof.EntryProof{}, err
	}
	candidates, err := c.equivocations(ctx, ev)
	if err != nil {
		return entry.Entry{}, proof.EntryProof{}, err
	}
	return c.choose(ctx, candidates, ev)
}

// choose finds the event among candidates: the newest one that says the same.
func (c *Client) choose(
	ctx context.Context,
	candidates []api.Candidate,
	ev entry.Event,
) (entry.Entry, proof.EntryProof, error) {
	for _, one := range slices.Backward(candidates) {
		if one.AgentDID != ev.Source {
			continue
		}
		e, p, err := c.proveIndex(ctx, one.Index)
		if err == nil {
			err = c.isOurs(ctx, e, ev, nil)
		}
		if !errors.Is(err, errOther) {
			return e, p, err
		}
	}
	return entry.Entry{}, proof.EntryProof{}, errNone
}

// equivocations are the newest entries that the log made of the agent's events whose id was taken.
func (c *Client) equivocations(ctx context.Context, ev entry.Event) ([]api.Candidate, error) {
	query := url.Values{"agent": {ev.Source}, "type": {entry.TypeEquivocation}, "limit": {"1000"}}
	raw, err := c.api.persist(ctx, c.server(), "/v1/entries", query)
	if err != nil {
		return nil, err
	}
	var page struct {
		Entries []struct {
			api.Candidate
			Detail struct {
				EntryID string `json:"entry_id"`
			}
		}
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		return nil, fmt.Errorf("GET /v1/entries: %w", err)
	}
	var list []api.Candidate
	for _, e := range page.Entries {
		if e.Detail.EntryID == ev.ID {
			list = append(list, e.Candidate)
		}
	}
	return list, nil
}

// openOwn checks a JSON proof, and that it is of our event.
func (c *Client) openOwn(ctx context.Context, raw []byte, ev entry.Event) (entry.Entry, proof.EntryProof, error) {
	var at struct {
		Index uint64 `json:"leaf_index"`
	}
	if err := json.Unmarshal(raw, &at); err != nil {
		return entry.Entry{}, proof.EntryProof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	e, p, err := c.open(ctx, raw, at.Index)
	if err == nil {
		err = c.isOurs(ctx, e, ev, nil)
	}
	return e, p, err
}
