package client_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestPageAt reads pages of the log as it was, and holds the path of each entry against the root.
func TestPageAt(t *testing.T) {
	w := memory(t)
	l := newLiar(t, w, 20)
	c := w.client()
	if _, err := c.Log(bounded(t), client.Event{Type: "odd"}, client.WaitSealed); err != nil {
		t.Fatal(err)
	}
	odd := api.Filter{Type: []string{"odd"}}
	for name, one := range map[string]struct {
		filter      client.Filter
		size        uint64
		first, last uint64
		n           int
	}{
		"all":                {client.Filter{}, 20, 0, 19, 20},
		"of now":             {client.Filter{}, 0, 0, 20, 21},
		"the first":          {client.Filter{Limit: 3}, 20, 0, 2, 3},
		"from an index":      {client.Filter{Filter: odd, FromIndex: 4, Limit: 2}, 20, 5, 7, 2},
		"the newest that do": {client.Filter{Filter: odd, Newest: true, Limit: 2}, 20, 17, 19, 2},
	} {
		page, err := c.PageAt(bounded(t), one.filter, one.size)
		if err != nil || len(page.Entries) != one.n || page.Entries[0].Index != one.first ||
			page.Entries[one.n-1].Index != one.last || one.size > 0 && page.Checkpoint.Size != one.size {
			t.Errorf("%s: %d entries, %v", name, len(page.Entries), err)
			continue
		}
		for _, e := range page.Entries {
			path, err := page.Path(e.Index)
			if err == nil {
				err = proof.CheckInclusion(e.EntryHash, e.Index, page.Checkpoint.Size, path, page.Checkpoint.Root)
			}
			if err != nil {
				t.Errorf("%s: index %d: %v", name, e.Index, err)
			}
		}
		if _, err := page.Path(page.Checkpoint.Size); !errors.Is(err, proof.ErrProof) {
			t.Errorf("%s: the path of no entry: %v", name, err)
		}
	}
	for name, p := range map[string]*forged{
		"a gap": l.page(0, 1, 3), "an entry that does not match": l.page(1, 2, 3), "too few": l.page(0, 1),
	} {
		w.lie(func(a http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/entries" {
				json.NewEncoder(a).Encode(p)
				return
			}
			w.back.ServeHTTP(a, r)
		})
		f := client.Filter{Limit: 4}
		if name == "an entry that does not match" {
			f.Filter = odd
		}
		if _, err := c.PageAt(bounded(t), f, 20); !errors.Is(err, client.ErrGap) && !errors.Is(err, client.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFailFast: a client that is to fail fast asks once.
func TestFailFast(t *testing.T) {
	w := memory(t)
	asked := 0
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		asked++
		http.Error(a, "come again", http.StatusServiceUnavailable)
	})
	c := w.client(func(c *client.Config) { c.FailFast = true })
	_, err := c.Checkpoint(bounded(t))
	if client.Problem(err).Status != http.StatusServiceUnavailable || asked != 1 {
		t.Errorf("%d requests, %v", asked, err)
	}
}
