package agtapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/internal/agt"
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Reading serves the collector's routes that read.
func Reading(log string, q *query.Query, durable bool) map[string]http.Handler {
	t := reader{q, durable}
	return map[string]http.Handler{
		Prefix + "query":            httpapi.ForLog(log, limited(t.query)),
		"GET " + Prefix + "verify":  httpapi.ForLog(log, http.HandlerFunc(t.verify)),
		"GET " + Prefix + "summary": httpapi.ForLog(log, http.HandlerFunc(t.summary)),
	}
}

type reader struct {
	q       *query.Query
	durable bool
}

// query returns the newest entries that all filters match, oldest first. total counts all matches,
// not only those that are returned. The log's own entries are included only if the filter names
// their agent or type.
func (t reader) query(w http.ResponseWriter, r *http.Request) {
	v, _, ok := readBody(w, r, filterOnly)
	if !ok {
		return
	}
	f, limit, err := filterOf(v)
	if err != nil {
		httpapi.Refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	total, err := t.count(r.Context(), f)
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
		shown := agt.Shown(x.Entry, data, !x.Hidden)
		if x.DataError != "" {
			shown = append(canonical.AppendString(append(shown[:len(shown)-1], `,"data_error":`...), x.DataError), '}')
		}
		entries[i] = shown
	}
	httpapi.JSON(w, http.StatusOK,
		map[string]any{"total": max(total, uint64(len(entries))), "returned": len(entries), "entries": entries})
}

// filterOf parses a query. It accepts the collector's two filters and those of the log.
func filterOf(v agt.Value) (f api.Filter, limit int, err error) {
	if v.Kind != agt.Object {
		return f, 0, fmt.Errorf("the body must be an object")
	}
	lists := map[string]*[]string{
		"agent_did":    &f.Agent,
		"event_type":   &f.Type,
		"action":       &f.Action,
		"outcome":      &f.Outcome,
		"resource":     &f.Resource,
		"target_did":   &f.Target,
		"matched_rule": &f.Rule,
		"trace_id":     &f.Trace,
		"session_id":   &f.Session,
	}
	times := map[string]*string{"start_time": &f.From, "from": &f.From, "end_time": &f.To, "to": &f.To}
	limit = query.DefaultLimit
	for _, m := range v.Members {
		name, value := m.Name, m.Value
		switch {
		case value.Kind == agt.Null && (lists[name] != nil || times[name] != nil || name == "limit"):
		case name == "limit":
			if limit, err = strconv.Atoi(value.Text); value.Kind != agt.Int || err != nil || limit < 1 ||
				limit > query.MaxLimit {
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

// hidesOwn reports whether a filter leaves out the log's own entries. The toolkit's log has none,
// and its clients rely on the count.
func hidesOwn(f api.Filter) bool { return len(f.Agent) == 0 && len(f.Type) == 0 }

// count returns the number of matching entries.
func (t reader) count(ctx context.Context, f api.Filter) (uint64, error) {
	n, err := t.q.Count(ctx, f)
	if err != nil || !hidesOwn(f) {
		return n, err
	}
	for own := range t.q.Stats().EventTypes {
		if strings.HasPrefix(own, ruleset.OwnPrefix) && own != entry.TypeEquivocation { // which is an agent's event
			f.Type = append(f.Type, own)
		}
	}
	own, err := t.q.Count(ctx, f)
	return n - min(n, own), err
}

// newest returns the newest matching entries, in the order of the log.
func (t reader) newest(ctx context.Context, f api.Filter, limit int) ([]query.Found, error) {
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
func (t reader) verify(w http.ResponseWriter, r *http.Request) {
	v, err := t.q.Verify(r.Context())
	var n uint64
	if err == nil {
		n, err = t.count(r.Context(), api.Filter{})
	}
	if err != nil {
		t.q.Fail(w, r, err)
		return
	}
	httpapi.JSON(
		w,
		http.StatusOK,
		map[string]any{"chain_valid": v.Valid, "entry_count": n, "error": v.Error, "first_bad_index": v.FirstBadIndex,
			"tree_size": v.TreeSize, "root_hash": v.Root},
	)
}

// summary returns what the log contains, and whether a fault has been found in it. retention_days
// is null, because entries are never deleted for their age.
func (t reader) summary(w http.ResponseWriter, r *http.Request) {
	n, err := t.count(r.Context(), api.Filter{})
	var s api.Stats
	if err == nil {
		s, err = t.q.StatsFor(r.Context())
	}
	if err != nil {
		t.q.Fail(w, r, err)
		return
	}
	httpapi.JSON(
		w,
		http.StatusOK,
		map[string]any{"total_entries": n, "chain_valid": s.Index.Valid, "root_hash": s.Root, "tree_size": s.TreeSize,
			"retention_days": nil, "persistence_enabled": t.durable},
	)
}
