package node

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/store"
)

// events records what parts do, in its order.
type events struct {
	mu   sync.Mutex
	list []string
}

func (e *events) add(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, what)
}

// part makes a part that records when it begins and ends.
func (e *events) part(name string, edge bool) part {
	return part{
		name: name, edge: edge,
		begin: func(context.Context) error { e.add(name + " begins"); return nil },
		run:   func(ctx context.Context) error { <-ctx.Done(); e.add(name + " ends"); return nil },
	}
}

func processForTest(t *testing.T) *process {
	p := newProcess(t.Context(), processConfig{log: store.NewMemory("default"), logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(p.stop)
	return p
}

// TestPartsInOrder: parts begin in the order in which they were added, also in two starts, and those
// of the edge end before the others.
func TestPartsInOrder(t *testing.T) {
	p, e := processForTest(t), &events{}
	p.add(e.part("a", true))
	p.add(e.part("b", false))
	if err := p.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.add(e.part("c", false))
	if err := p.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.stop()
	slices.Sort(e.list[4:]) // b and c end at the same time
	want := []string{"a begins", "b begins", "c begins", "a ends", "b ends", "c ends"}
	if !slices.Equal(e.list, want) {
		t.Errorf("%q, want %q", e.list, want)
	}
}

// TestPartFails: what a part fails with ends the process, under the part's name; a part that cannot
// begin keeps those after it from starting.
func TestPartFails(t *testing.T) {
	bad := errors.New("bad")
	for _, edge := range []bool{false, true} {
		p := processForTest(t)
		p.add(part{name: "x", edge: edge, run: func(context.Context) error { return bad }})
		if err := p.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := p.wait(t.Context()); !errors.Is(err, bad) || !strings.HasPrefix(err.Error(), "x: ") {
			t.Errorf("edge %v: %v", edge, err)
		}
	}
	p, e := processForTest(t), &events{}
	p.add(part{name: "x", begin: func(context.Context) error { return bad }})
	p.add(e.part("y", false))
	if err := p.start(t.Context()); !errors.Is(err, bad) || len(e.list) > 0 {
		t.Errorf("%v; %q", err, e.list)
	}
}

// TestPartsServed: the routes of all parts are served together, their readiness is one page, and
// only a process that writes is unready because of the streams.
func TestPartsServed(t *testing.T) {
	p := processForTest(t)
	var trouble error
	for _, name := range []string{"one", "two"} {
		p.add(part{
			name: name,
			routes: map[string]http.Handler{"GET /" + name: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNoContent)
			})},
			ready: func(context.Context) (map[string]any, error) { return map[string]any{name: name}, trouble },
		})
	}
	get := func(path string, writes bool) (int, string) {
		w := httptest.NewRecorder()
		unguarded(p.handler(p.servicePages(writes))).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code, w.Body.String()
	}
	for path, want := range map[string]int{"/one": 204, "/two": 204, "/three": 404, "/healthz": 200, "/readyz": 200} {
		if code, body := get(path, true); code != want {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	if _, body := get("/readyz", true); !strings.Contains(body, `"one"`) || !strings.Contains(body, `"two"`) {
		t.Errorf("/readyz: %s", body)
	}
	p.board.Set("events", health.Failing, "EVENTS is full")
	for writes, want := range map[bool]int{true: 503, false: 200} {
		if code, body := get("/readyz", writes); code != want || !strings.Contains(body, "EVENTS is full") {
			t.Errorf("writes %v: %d %s", writes, code, body)
		}
	}
	trouble = errors.New("out of order")
	if code, body := get("/readyz", false); code != 503 || !strings.Contains(body, "out of order") {
		t.Errorf("%d %s", code, body)
	}
}
