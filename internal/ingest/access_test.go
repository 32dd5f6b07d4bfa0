package ingest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// agentOf is an agent of the tests of access.
func agentOf(n int) string { return fmt.Sprintf("did:web:agent-%d.example.com", n) }

// callers makes n callers. Caller i may send events of agentOf(i).
func callers(t *testing.T, n int) []access.Caller {
	t.Helper()
	var r access.Rules
	for i := range n {
		r.Identities = append(r.Identities, access.Identity{
			ID: fmt.Sprint("id-", i), Tokens: []access.TokenHash{{Name: "t", Hash: access.HashToken(fmt.Sprint(i))}},
			Grants: access.Grants{Publish: access.Agents{agentOf(i)}},
		})
	}
	v, err := access.Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]access.Caller, n)
	for i := range list {
		c := access.Credential{Kind: access.Token, Token: access.HashToken(fmt.Sprint(i))}
		if list[i], err = v.Judge(c, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// sendAs posts a body as a caller.
func (w *world) sendAs(t *testing.T, c access.Caller, path, contentType, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	a := httptest.NewRecorder()
	w.ingest.Handler().ServeHTTP(a, r.WithContext(access.With(r.Context(), c)))
	return a
}

// TestT1PublishDiagonal: of 100 agents and 100 credentials, each credential sends events of its own
// agent alone, and is their publisher. In a batch, the other events have receipts that say so. T1.
func TestT1PublishDiagonal(t *testing.T) {
	const n = 100
	w := start(t, store.NewMemory("default"), ingest.Config{})
	accepted := 0
	for i, c := range callers(t, n) {
		events := make([]string, n)
		for k := range events {
			events[k] = fmt.Sprintf(`{"specversion":"1.0","id":"%d-%d","source":%q,"type":"t"}`, i, k, agentOf(k))
		}
		a := w.sendAs(t, c, "/v1/events?wait=sealed", batched, "["+strings.Join(events, ",")+"]")
		var got api.Receipts
		if err := json.Unmarshal(a.Body.Bytes(), &got); err != nil || len(got.Receipts) != n {
			t.Fatalf("%d %s", a.Code, a.Body)
		}
		for k, r := range got.Receipts {
			refused := r.Status == api.Rejected && r.Error.Field == "source" && strings.Contains(r.Error.Reason, "credential")
			if refused == (i == k) || !refused && r.Status != api.Sealed {
				t.Fatalf("credential %d, agent %d: %+v", i, k, r)
			}
			if !refused {
				accepted++
			}
		}
	}
	for _, e := range w.entries(t) {
		if e.IsEvent() && "did:web:agent-"+strings.TrimPrefix(e.Publisher, "id-")+".example.com" != e.AgentDID {
			t.Errorf("%s is published by %q", e.AgentDID, e.Publisher)
		}
		if e.EventType == entry.TypeRejected {
			t.Errorf("the sealer has seen a refused event: %s", e.Leaf)
		}
	}
	if accepted != n {
		t.Errorf("%d accepted, want %d", accepted, n)
	}
}

// TestPublishSingle: a single event of another agent is refused with 403, which names the source. A
// stranger may send nothing, and this program itself everything.
func TestPublishSingle(t *testing.T) {
	w := start(t, store.NewMemory("default"), ingest.Config{})
	of := func(n int) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":"x","source":%q,"type":"t"}`, agentOf(n))
	}
	c := callers(t, 1)[0]
	for _, x := range []struct {
		caller access.Caller
		body   string
		want   int
	}{
		{c, of(0), 200}, {c, of(1), 403}, {access.Caller{}, of(0), 403}, {access.Open, of(1), 200},
	} {
		a := w.sendAs(t, x.caller, "/v1/events?wait=sealed", structured, x.body)
		if a.Code != x.want {
			t.Errorf("%d %s, want %d", a.Code, a.Body, x.want)
		}
		if a.Code != http.StatusForbidden {
			continue
		}
		var p api.Problem
		if err := json.Unmarshal(a.Body.Bytes(), &p); err != nil || p.Field != "source" || !p.Own() ||
			!strings.Contains(p.Detail, "did:web:agent-") {
			t.Errorf("%s: %v", a.Body, err)
		}
	}
	// who may not have hashes of others gets the receipts without proofs
	a := w.sendAs(t, c, "/v1/events?wait=sealed&proof=1", batched, "["+of(0)+"]")
	var got api.Receipts
	if err := json.Unmarshal(a.Body.Bytes(), &got); err != nil || len(got.Receipts) != 1 || len(got.Proofs) != 0 {
		t.Errorf("%s: %v", a.Body, err)
	}
}
