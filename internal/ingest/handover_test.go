package ingest_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/redact"
)

// TestHandover: what ingest hands over is what the sealer would make of each stored message, whatever
// the events look like, though the buffers of their requests are used again.
func TestHandover(t *testing.T) {
	set, err := redact.Compile(redact.Default())
	if err != nil {
		t.Fatal(err)
	}
	h := &inbox.Handover{}
	log := store.NewMemory("default")
	in, err := ingest.New(ingest.Config{Log: log, Handover: h})
	if err != nil {
		t.Fatal(err)
	}
	logtest.Run(t, "ingest", in.Run)
	logtest.Until(t, "ingest to be ready", func() bool { return in.Ready() == nil })
	send := func(kind, body string, header ...string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "/v1/events", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		if in.Handler().ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	token := "ghp" + "_" + "4eC39HqLyjWDarjtT1zdp7dcQ3zXv9Kb2Lm8"
	secret := strings.Replace(event("s"), `"id"`, `"subject":"`+token+`","id"`, 1)
	for i := range 3 {
		one := event(fmt.Sprint("a", i))
		send(structured, one)
		send(structured, strings.Replace(one, `{"n":1}`, `"`+strings.Repeat("x", 2000)+`"`, 1))
		send(structured, " \n"+one+"\t")
		send(batched, "["+one+", "+secret+",\n"+event("c")+",{\"refused\":1}]")
		send("text/plain", "some text", "ce-specversion", "1.0", "ce-id", "b", "ce-source", "s", "ce-type", "t")
		send("application/json", `{"a":1}`, "ce-specversion", "1.0", "ce-id", "b", "ce-source", "s", "ce-type", "t")
		send("application/octet-stream", "\x00\xff", "ce-specversion", "1.0", "ce-id", "b", "ce-source", "s", "ce-type", "t")
	}
	info, err := log.Events.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for seq := uint64(1); seq <= info.Last; seq++ {
		m, err := log.Events.Get(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := h.Take(m, func(g *inbox.Group) bool { return g.Fits(m, ruleset.Newest, set) })
		if !ok {
			t.Fatalf("nothing was handed over of %s", m.Data)
		}
		want, err := inbox.ParseRecords(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			found += len(redacted(t, &want[i], set))
			redacted(t, &got[i], set)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v, want\n%+v", m.Data, got, want)
		}
	}
	if found != 3 || h.Room() == false || h.Taken() != info.Last {
		t.Errorf("%d secrets were redacted, %d groups taken", found, h.Taken())
	}
}

// redacted redacts the event of a record if that is not done.
func redacted(t *testing.T, r *inbox.EventRecord, set *redact.Set) []redact.Finding {
	t.Helper()
	if !r.Redacted {
		if err := r.Event.Redact(set, r.Record.Event); err != nil {
			t.Fatal(err)
		}
	}
	r.Redacted = true
	return r.Event.Redactions
}

// TestNothingIsHandedOverOfWhatIsNotStored: a group that is refused leaves nothing behind, and
// attributes that take much memory are not kept.
func TestNothingIsHandedOverOfWhatIsNotStored(t *testing.T) {
	h := &inbox.Handover{Max: 1} // there is room only if it is empty
	log := store.NewMemory("default")
	events := &faulty{Stream: log.Events}
	log.Events = events
	in, err := ingest.New(ingest.Config{Log: log, Handover: h})
	if err != nil {
		t.Fatal(err)
	}
	logtest.Run(t, "ingest", in.Run)
	logtest.Until(t, "ingest to be ready", func() bool { return in.Ready() == nil })
	long := strings.Replace(event("b"), `"id"`, `"subject":"`+strings.Repeat("x", 1024)+`","id"`, 1)
	if _, err := in.Submit(t.Context(), []ingest.Raw{{Event: []byte(long)}}, ingest.WaitStored); err != nil || !h.Room() {
		t.Errorf("long attributes: %v, room in the handover: %v", err, h.Room())
	}
	for _, full := range []bool{true, false} {
		events.full.Store(full)
		_, err := in.Submit(t.Context(), []ingest.Raw{{Event: []byte(event("a"))}}, ingest.WaitStored)
		if full != errors.Is(err, ingest.ErrFull) || full != h.Room() {
			t.Errorf("EVENTS is full: %v: %v, room in the handover: %v", full, err, h.Room())
		}
	}
}
