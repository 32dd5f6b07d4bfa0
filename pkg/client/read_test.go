package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/entry"
)

// indexes collects what a series yields, which must not fail.
func indexes(t testing.TB, entries func(func(client.Entry, error) bool)) (list []uint64) {
	t.Helper()
	for e, err := range entries {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e.Index)
	}
	return list
}

// filled is a world with n events of two agents in traces and sessions, and what the log made of
// them.
func filled(t testing.TB, n int) (*world, []entry.Entry) {
	w := memory(t)
	events := make([]client.Event, n)
	for i := range events {
		events[i] = client.Event{ID: fmt.Sprint("e-", i), Agent: fmt.Sprint("did:web:", i%2), Type: []string{
			"a", "b", "c",
		}[i%3], Trace: fmt.Sprint("t-", i%5),
			Session: fmt.Sprint("s-", i%7), Outcome: "success", Data: map[string]int{"n": i}}
	}
	if _, err := w.client().LogBatch(bounded(t), events, client.WaitSealed); err != nil {
		t.Fatal(err)
	}
	return w, w.entries()
}

// TestEntries reads by each kind of filter, and compares with the log itself.
func TestEntries(t *testing.T) {
	w, list := filled(t, 2500)
	c, ctx := w.client(), bounded(t)
	want := func(holds func(e entry.Entry) bool) (indexes []uint64) {
		for _, e := range list {
			if holds(e) {
				indexes = append(indexes, e.Index)
			}
		}
		return indexes
	}
	all := want(func(entry.Entry) bool { return true })
	newest := slices.Clone(all)
	slices.Reverse(newest)
	odd := want(func(e entry.Entry) bool { return e.AgentDID == "did:web:1" })
	newestOdd := slices.Clone(odd)
	slices.Reverse(newestOdd)
	of := api.Filter{Agent: []string{"did:web:1"}}
	for name, k := range map[string]struct{ have, want []uint64 }{
		"all":                {indexes(t, c.Entries(ctx, client.Filter{})), all},
		"from an index":      {indexes(t, c.Entries(ctx, client.Filter{FromIndex: 1700})), all[1700:]},
		"from the end":       {indexes(t, c.Entries(ctx, client.Filter{FromIndex: 2501})), nil},
		"the first":          {indexes(t, c.Entries(ctx, client.Filter{Limit: 3})), all[:3]},
		"many of the first":  {indexes(t, c.Entries(ctx, client.Filter{Limit: 1500})), all[:1500]},
		"newest first":       {indexes(t, c.Entries(ctx, client.Filter{Newest: true})), newest},
		"the newest":         {indexes(t, c.Entries(ctx, client.Filter{Newest: true, Limit: 3})), newest[:3]},
		"before an index":    {indexes(t, c.Entries(ctx, client.Filter{Newest: true, Before: 1200, Limit: 1100})), newest[len(newest)-1200:][:1100]},
		"of an agent":        {indexes(t, c.ForAgent(ctx, "did:web:1")), odd},
		"its newest":         {indexes(t, c.Entries(ctx, client.Filter{Filter: of, Newest: true})), newestOdd},
		"of nobody":          {indexes(t, c.ForAgent(ctx, "did:web:2")), nil},
		"of a type":          {indexes(t, c.ByType(ctx, "b")), want(func(e entry.Entry) bool { return e.EventType == "b" })},
		"of a trace":         {indexes(t, c.Trace(ctx, "t-3")), want(func(e entry.Entry) bool { return e.TraceID == "t-3" })},
		"of a session":       {indexes(t, c.Session(ctx, "s-3")), want(func(e entry.Entry) bool { return e.SessionID == "s-3" })},
		"of agent from here": {indexes(t, c.Entries(ctx, client.Filter{Filter: of, FromIndex: odd[900]})), odd[900:]},
	} {
		if !slices.Equal(k.have, k.want) {
			t.Errorf("%s: %d entries, want %d", name, len(k.have), len(k.want))
		}
	}
	e, err := c.EntryByID(ctx, "e-1234", "did:web:0")
	if err != nil || e.EntryID != "e-1234" || string(e.Data()) != `{"n":1234}` || e.Withheld() {
		t.Fatalf("%+v %v", e, err)
	}
	shown, err := json.Marshal(e)
	var as map[string]any
	if err := errors.Join(err, json.Unmarshal(shown, &as)); err != nil || as["entry_hash"] != e.EntryHash.String() ||
		as["data"].(map[string]any)["n"] != 1234. {
		t.Fatalf("%s %v", shown, err)
	}
	if _, err := c.EntryByID(ctx, "e-1234", "did:web:1"); !errors.Is(err, client.ErrNotFound) {
		t.Error(err)
	}
	if _, err := c.Entry(ctx, 2501); !errors.Is(err, client.ErrNotFound) {
		t.Error(err)
	}
	if _, err := c.Entry(ctx, 9999); !errors.Is(err, client.ErrNotFound) {
		t.Error(err)
	}
	if n, err := c.Counts(ctx, of); err != nil || n.Matches != 1250 {
		t.Errorf("%+v %v", n, err)
	}
	cp, err := c.Checkpoint(ctx)
	if err != nil || cp.Size != 2501 {
		t.Fatalf("%+v %v", cp, err)
	}
	var export bytes.Buffer
	if err := c.Export(ctx, &export, "jsonl"); err != nil || bytes.Count(export.Bytes(), []byte("\n")) != 2502 {
		t.Errorf("%d bytes %v", export.Len(), err)
	}
	if r, err := client.VerifyExport(bytes.NewReader(export.Bytes()), w.key); err != nil || r.Checkpoint.Root != cp.Root {
		t.Errorf("%+v %v", r, err)
	}
	altered := bytes.Replace(export.Bytes(), []byte(`"e-7\"`), []byte(`"e-8\"`), 1)
	fault, ok := errors.AsType[*client.FaultError](second(client.VerifyExport(bytes.NewReader(altered), w.key)))
	if !ok || fault.Kind != "altered" {
		t.Errorf("an altered export: %v", fault)
	}
	if _, err := client.VerifyExport(&export); !errors.Is(err, client.ErrNoKey) {
		t.Error(err)
	}
	if err := c.Export(ctx, &export, "csv"); !errors.Is(err, client.ErrFormat) {
		t.Error(err)
	}
	var bare []uint64
	for e, err := range c.Unverified().Entries(ctx, client.Filter{Filter: of, Newest: true, Limit: 1100}) {
		if err != nil {
			t.Fatal(err)
		}
		bare = append(bare, e.Index)
	}
	if !slices.Equal(bare, newestOdd[:1100]) {
		t.Errorf("unverified: %d entries", len(bare))
	}
}

// TestNoKey: without a key or a state reading is refused, whatever receipts have done.
func TestNoKey(t *testing.T) {
	w, _ := filled(t, 3)
	ctx, state := bounded(t), filepath.Join(t.TempDir(), "state")
	none := func(c *client.Config) { c.Key = "" }
	c := w.client(none)
	if _, err := c.Log(ctx, client.Event{Type: "x"}, client.WaitSealed); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"entries": last(c.Entries(ctx, client.Filter{})), "follow": last(c.Follow(ctx, client.Filter{})),
		"entry": second(c.Entry(ctx, 1)), "id": second(c.EntryByID(ctx, "e-1", "")), "checkpoint": second(c.Checkpoint(ctx)),
		"verify": second(c.Verify(ctx)), "export": c.Export(ctx, nil, "jsonl"), "prove": third(c.Prove(ctx, 1)),
	} {
		if !errors.Is(err, client.ErrNoKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	first := w.client(none, func(c *client.Config) { c.TrustFirstUse, c.State = true, state })
	if n := len(indexes(t, first.Entries(ctx, client.Filter{}))); n != 5 {
		t.Errorf("%d entries", n)
	}
	again := w.client(none, func(c *client.Config) { c.State = state })
	if n := len(indexes(t, again.Entries(ctx, client.Filter{}))); n != 5 {
		t.Errorf("%d entries", n)
	}
	other := memory(t)
	w.lie(other.back.ServeHTTP)
	if err := last(w.client(none, func(c *client.Config) { c.State = state }).Entries(ctx,
		client.Filter{})); !errors.Is(err, client.ErrProof) {
		t.Errorf("another log than at first use: %v", err)
	}
}

func second[T any](_ T, err error) error        { return err }
func third[T, U any](_ T, _ U, err error) error { return err }

// TestLongPages reads entries that do not fit into one answer of a thousand.
func TestLongPages(t *testing.T) {
	w := memory(t)
	c := w.client()
	events := make([]client.Event, 190)
	for i := range events {
		events[i] = client.Event{Type: "large", Data: strings.Repeat("x", 200<<10)}
	}
	if _, err := c.LogBatch(bounded(t), events, client.WaitSealed); err != nil {
		t.Fatal(err)
	}
	n, asked := 0, 0
	w.lie(func(a http.ResponseWriter, r *http.Request) { asked++; w.back.ServeHTTP(a, r) })
	for e, err := range c.Entries(bounded(t), client.Filter{}) {
		if err != nil || n > 0 && len(e.Data()) != 200<<10+2 {
			t.Fatalf("index %d: %d bytes, %v", e.Index, len(e.Data()), err)
		}
		n++
	}
	if n != 191 || asked < 3 {
		t.Fatalf("%d entries in %d requests", n, asked)
	}
}

// TestConsistency compares checkpoints that came from anywhere.
func TestConsistency(t *testing.T) {
	w, _ := filled(t, 3)
	c, ctx := w.client(), bounded(t)
	old, err := c.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Log(ctx, client.Event{Type: "x"}, client.WaitSealed)
	if err != nil {
		t.Fatal(err)
	}
	now, err := c.Checkpoint(ctx)
	if err != nil || now.Size <= old.Size || r.Index >= now.Size {
		t.Fatalf("%+v %v", now, err)
	}
	if err := c.Consistency(ctx, old, now); err != nil {
		t.Error(err)
	}
	if err := c.Consistency(ctx, now, old); err != nil {
		t.Errorf("the newer one first: %v", err)
	}
	forged := old
	forged.Note = bytes.Replace(old.Note, []byte("\n4\n"), []byte("\n3\n"), 1)
	if err := c.Consistency(ctx, forged, now); !errors.Is(err, client.ErrProof) {
		t.Error(err)
	}
}
