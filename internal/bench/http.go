package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/pkg/client"
)

// httpPhase is one way to record events over HTTP, or by NATS requests. Its clients wait for each
// answer.
type httpPhase struct {
	name    string
	clients int
	events  int // of one request
	send    func(ctx context.Context, client, n int) error
}

// HTTPPhases are the keys of Result.HTTP, in the order of measurement.
func HTTPPhases() (names []string) {
	for _, p := range httpPhases("", nil, nil) {
		names = append(names, p.name)
	}
	return names
}

// overHTTP measures a log as clients on other machines meet it, and beside it a bare server of
// net/http that reads the same bodies, with the same clients. Servers and clients share the
// processors.
func (b *run) overHTTP(ctx context.Context) error { return b.clients(ctx, allPhases) }

// clients measures those of the phases whose names are wanted, on one log.
func (b *run) clients(ctx context.Context, wanted func(name string) bool) error {
	r, err := b.rig(ctx, "http")
	if err != nil {
		return err
	}
	defer r.close()
	if err = r.seal(ctx); err == nil {
		err = r.reach(ctx, 1)
	}
	if err != nil {
		return err
	}
	key := r.config.Signer.VerifierKey()
	q, err := query.New(query.Config{Log: r.log, Keys: []string{key}})
	if err != nil {
		return err
	}
	following, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- q.Run(following) }()
	defer func() { stop(); <-done }()
	agents, stopAgents, err := r.requests(64)
	if err != nil {
		return err
	}
	defer stopAgents()
	mux := http.NewServeMux()
	mux.Handle("/", q.Handler())
	mux.Handle("/v1/events", r.ingest.Handler())
	mux.HandleFunc("/bare", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"status":"stored"}`)
	})
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux}
	go server.Serve(at)
	defer server.Close()
	c, err := client.New(client.Config{Server: "http://" + at.Addr().String(), Log: "bench", Key: key})
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	if b.out.HTTP == nil {
		b.out.HTTP = map[string]float64{}
	}
	for _, p := range httpPhases("http://"+at.Addr().String(), c, agents) {
		if !wanted(p.name) {
			continue
		}
		rate, err := b.repeat(ctx, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		b.out.HTTP[p.name] = rate
	}
	return nil
}

func allPhases(string) bool { return true }

func httpPhases(base string, c *client.Client, agents []*nats.Conn) []httpPhase {
	web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	post := func(path, kind string, events int) func(context.Context, int, int) error {
		return func(ctx context.Context, client, n int) error {
			list := make([][]byte, events)
			for i := range list {
				list[i] = event(client, n*events+i)
			}
			body := list[0]
			if events > 1 {
				body = append(append([]byte("["), bytes.Join(list, []byte(","))...), ']')
			}
			return postTo(ctx, web, base+path, kind, body)
		}
	}
	record := func(wait client.Wait) func(context.Context, int, int) error {
		return func(ctx context.Context, p, n int) error {
			_, err := c.Log(ctx, client.Event{
				Type: "ai.agentmesh.tool.invoked", Agent: benchAgent(p % 64), Action: "allow", Outcome: "success",
				Resource: fmt.Sprintf("/crm/contacts/%03d", n%1000), Data: map[string]string{"result": filler[:512]},
			}, wait)
			return err
		}
	}
	const one, many = "application/cloudevents+json", "application/cloudevents-batch+json"
	return []httpPhase{
		{"bare net/http, 64 clients", 64, 1, post("/bare", one, 1)},
		{"bare net/http, 256 clients", 256, 1, post("/bare", one, 1)},
		{"stored, 64 clients", 64, 1, post("/v1/events", one, 1)},
		{"stored, 256 clients", 256, 1, post("/v1/events", one, 1)},
		{"sealed, 64 clients", 64, 1, post("/v1/events?wait=sealed", one, 1)},
		{"batches of 100, 16 clients", 16, 100, post("/v1/events", many, 100)},
		{"NATS request, 64 clients", 64, 1, requestOn(agents)},
		{"SDK stored, 64 callers", 64, 1, record(client.WaitStored)},
		{"SDK sealed and verified, 64 callers", 64, 1, record(client.WaitSealed)},
	}
}

var errAnswer = errors.New("refused")

func postTo(ctx context.Context, web *http.Client, url, kind string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	resp, err := web.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode/100 != 2 || strings.Contains(string(answer), `"rejected"`) ||
		strings.HasSuffix(url, "sealed") && strings.Contains(string(answer), `"timeout"`)) {
		err = fmt.Errorf("%w: %s: %.300s", errAnswer, resp.Status, answer)
	}
	return err
}

// repeat lets the clients of a phase send for a while, and returns the events per second.
func (b *run) repeat(ctx context.Context, p httpPhase) (perS float64, err error) {
	end, begin := time.Now().Add(b.phase(share.http)), time.Now()
	var sent atomic.Int64
	failed := make(chan error, p.clients)
	for c := range p.clients {
		go func() {
			var err error
			for n := 0; time.Now().Before(end) && err == nil; n++ {
				if err = p.send(ctx, c, n); err == nil {
					sent.Add(int64(p.events))
				}
			}
			failed <- err
		}()
	}
	for range p.clients {
		err = errors.Join(err, <-failed)
	}
	return float64(sent.Load()) / time.Since(begin).Seconds(), err
}
