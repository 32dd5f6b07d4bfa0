package node

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/pkg/agt"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/query"
)

// toolkitReading are the collector's routes that read.
func toolkitReading(log string, q *query.Query, durable bool) map[string]http.Handler {
	t := toolkitReader{q, durable}
	return map[string]http.Handler{
		toolkitPath + "query":            strict(log, toolkitLimited(t.query)),
		"GET " + toolkitPath + "verify":  strict(log, http.HandlerFunc(t.verify)),
		"GET " + toolkitPath + "summary": strict(log, http.HandlerFunc(t.summary)),
	}
}

type toolkitReader struct {
	q       *query.Query
	durable bool
}

// query answers with the newest entries that all filters match, oldest first. total counts all that match, not only those that are shown. The log's own
// entries are shown only to whoever asks for them by agent or type.
func (t toolkitReader) query(w http.ResponseWriter, r *http.Request) {
	v, ok := toolkitRequest(w, r)
	if !ok {
		return
	}
	f, limit, err := toolkitFilter(v)
	if err != nil {
		problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	total, err := t.count(f)
	var list []query.Found
	if err == nil {
		list, err = t.newest(r.Context(), f, limit)
	}
	if err != nil {
		t.q.Fail(w, r, err)
		return
	}
	entries := make([]json.RawMessage, len(list))
	for i, x := range list {
		var data []byte
		if x.Payload != nil {
			data = x.Payload.Data
		}
		entries[i] = agt.Shown(x.Entry, data)
	}
	answer(w, http.StatusOK, "application/json", map[string]any{"total": max(total, uint64(len(entries))), "returned": len(entries), "entries": entries})
}

// toolkitFilter reads a query. Beside the collector's two filters it takes those that the log has.
func toolkitFilter(v agt.Value) (f query.Filter, limit int, err error) {
	if v.Kind != agt.Object {
		return f, 0, fmt.Errorf("the body must be an object")
	}
	lists := map[string]*[]string{"agent_did": &f.Agent, "event_type": &f.Type, "action": &f.Action, "outcome": &f.Outcome, "resource": &f.Resource,
		"target_did": &f.Target, "matched_rule": &f.Rule, "trace_id": &f.Trace, "session_id": &f.Session}
	times := map[string]*string{"start_time": &f.From, "from": &f.From, "end_time": &f.To, "to": &f.To}
	limit = query.DefaultLimit
	for _, m := range v.Members {
		name, value := m.Name, m.Value
		switch {
		case value.Kind == agt.Null && (lists[name] != nil || times[name] != nil || name == "limit"):
		case name == "limit":
			if limit, err = strconv.Atoi(value.Text); value.Kind != agt.Int || err != nil || limit < 1 || limit > query.MaxLimit {
				return f, 0, fmt.Errorf("limit must be from 1 to %d", query.MaxLimit)
			}
		case value.Kind != agt.String || value.Text == "":
			return f, 0, fmt.Errorf("%.80q is unknown, empty, or no string; leave out a filter that shall not filter", name)
		case lists[name] != nil:
			*lists[name] = []string{value.Text}
		case times[name] != nil:
			if *times[name], _, err = agt.Time(value.Text); err != nil {
				return f, 0, fmt.Errorf("%s: %w", name, err)
			}
		default:
			return f, 0, fmt.Errorf("%.80q is unknown", name)
		}
	}
	return f, limit, nil
}

// hidesOwn says whether a filter leaves out the log's own entries: the toolkit's log has none, and its clients count.
func hidesOwn(f query.Filter) bool { return len(f.Agent) == 0 && len(f.Type) == 0 }

// count is how many entries match.
func (t toolkitReader) count(f query.Filter) (uint64, error) {
	n, err := t.q.Count(f)
	if err != nil || !hidesOwn(f) {
		return n, err
	}
	for own := range t.q.Stats().EventTypes {
		if strings.HasPrefix(own, entry.OwnPrefix) && own != entry.TypeEquivocation { // which is an agent's event
			f.Type = append(f.Type, own)
		}
	}
	own, err := t.q.Count(f)
	return n - min(n, own), err
}

// newest reads the newest entries that match, in the order of the log.
func (t toolkitReader) newest(ctx context.Context, f query.Filter, limit int) ([]query.Found, error) {
	if !hidesOwn(f) {
		page, err := t.q.Entries(ctx, f, query.Page{Limit: limit})
		return page.Entries, err
	}
	var list []query.Found
	for p := (query.Page{Limit: limit}); ; {
		page, err := t.q.Entries(ctx, f, p)
		if err != nil {
			return nil, err
		}
		var kept []query.Found
		for _, x := range page.Entries {
			if x.Entry.IsEvent() {
				kept = append(kept, x)
			}
		}
		list = append(kept, list...)
		if p.Cursor = page.NextCursor; p.Cursor == "" || len(list) >= limit {
			return list[max(0, len(list)-limit):], nil
		}
	}
}

// verify audits the whole log: hashes, chain, tree, payloads and signatures.
func (t toolkitReader) verify(w http.ResponseWriter, r *http.Request) {
	v, err := t.q.Verify(r.Context())
	var n uint64
	if err == nil {
		n, err = t.count(query.Filter{})
	}
	if err != nil {
		t.q.Fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, "application/json", map[string]any{"chain_valid": v.Valid, "entry_count": n, "error": v.Error, "first_bad_index": v.FirstBadIndex,
		"tree_size": v.TreeSize, "root_hash": v.Root})
}

// summary tells what the log holds and whether anything of it was seen that does not verify. Nothing is ever deleted for its age: retention_days is null.
func (t toolkitReader) summary(w http.ResponseWriter, r *http.Request) {
	n, err := t.count(query.Filter{})
	if err != nil {
		t.q.Fail(w, r, err)
		return
	}
	s := t.q.Stats()
	answer(w, http.StatusOK, "application/json", map[string]any{"total_entries": n, "chain_valid": s.Index.Valid, "root_hash": s.Root, "tree_size": s.TreeSize,
		"retention_days": nil, "persistence_enabled": t.durable})
}
