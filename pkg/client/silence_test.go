package client_test

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealstream/sealstream/pkg/client"
)

// TestSilence: an answer whose server falls silent ends with an error, and one that comes slowly,
// or is read slowly, does not.
func TestSilence(t *testing.T) {
	w := memory(t)
	c := w.client()
	const silence = 300 * time.Millisecond
	client.SetSilence(c, silence)
	stuck := func(begin bool) {
		w.lie(func(a http.ResponseWriter, r *http.Request) {
			if begin {
				io.WriteString(a, "{")
				a.(http.Flusher).Flush()
			}
			<-r.Context().Done()
		})
	}
	stuck(true)
	for name, read := range map[string]func() error{
		"export":            func() error { return c.Export(bounded(t), io.Discard, "jsonl") },
		"verify":            func() error { _, err := c.Verify(bounded(t)); return err },
		"unverified export": func() error { return c.Unverified().Export(bounded(t), io.Discard, "csv", client.Filter{}.Filter) },
		"get":               func() error { var v any; return c.Unverified().Get(bounded(t), "/v1/stats", nil, &v) },
	} {
		begun := time.Now()
		if err := read(); err == nil || time.Since(begun) > 10*silence {
			t.Errorf("%s: %v after %v", name, err, time.Since(begun))
		}
	}
	var tries atomic.Int64
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		if tries.Add(1) == 1 { // the header does not come either
			<-r.Context().Done()
			return
		}
		w.back.ServeHTTP(a, r)
	})
	if _, err := c.Verify(bounded(t)); err != nil || tries.Load() < 2 {
		t.Errorf("%d tries: %v", tries.Load(), err)
	}
	w.lie(func(a http.ResponseWriter, r *http.Request) {
		for _, part := range []string{"[1", ",2", ",3]"} {
			io.WriteString(a, part)
			a.(http.Flusher).Flush()
			time.Sleep(silence / 2)
		}
	})
	var list []int
	if err := c.Unverified().Get(bounded(t), "/v1/stats", nil, &list); err != nil || len(list) != 3 {
		t.Errorf("slow answer: %v, %v", list, err)
	}
	resp, err := c.Unverified().Open(bounded(t), "/v1/stats", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	time.Sleep(2 * silence)
	if raw, err := io.ReadAll(resp.Body); err != nil || string(raw) != "[1,2,3]" {
		t.Errorf("slow reader: %q, %v", raw, err)
	}
}

// TestPost sends a body as it is, once, and shows what the server answers.
func TestPost(t *testing.T) {
	w := memory(t)
	var got struct{ Receipts []struct{ Status string } }
	u, event := w.client().Unverified(), `{"specversion":"1.0","id":"1","source":"did:web:a","type":"t"}`
	err := u.Post(bounded(t), "/v1/events", nil, "application/cloudevents+json", []byte(event), &got)
	if err != nil || len(got.Receipts) != 1 || got.Receipts[0].Status != client.Stored {
		t.Errorf("%+v, %v", got, err)
	}
	err = u.Post(bounded(t), "/v1/events", nil, "application/cloudevents+json", []byte("{"), &got)
	if p := client.Problem(err); p.Status/100 != 4 || w.posts.Load() != 2 {
		t.Errorf("%d requests, %v", w.posts.Load(), err)
	}
}
