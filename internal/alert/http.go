package alert

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
)

const (
	defaultLimit  = 100
	maxLimit      = 1000
	answerTimeout = 30 * time.Second
)

// Routes returns the routes of an alerter:
//
//	GET  /v1/alerts?type&rule&agent&from&to&after&limit   alerts in stream order; without after, the newest
//	GET  /v1/alerts/stream?type&rule&agent&after  live Server-Sent Events, with Last-Event-ID
//	GET  /v1/alerts/status                        status of the follower and the webhooks
//	GET  /v1/alerts/dead                          dead letters
//	POST /v1/alerts/redeliver?webhook&seq         sends dead letters again
func (a *Alerter) Routes() map[string]http.Handler {
	return map[string]http.Handler{
		"GET /v1/alerts":            a.serve(a.list),
		"GET /v1/alerts/stream":     http.HandlerFunc(a.stream),
		"GET /v1/alerts/status":     a.serve(a.getStatus),
		"GET /v1/alerts/dead":       a.serve(a.deadLetters),
		"POST /v1/alerts/redeliver": a.serve(a.redeliver),
	}
}

// Handler serves the routes.
func (a *Alerter) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range a.Routes() {
		mux.Handle(pattern, h)
	}
	return mux
}

// EndStreams ends all streams for good. A server that stops would otherwise wait for them.
func (a *Alerter) EndStreams() { a.endOnce.Do(func() { close(a.ended) }) }

func (a *Alerter) serve(answer func(*http.Request, *httpapi.Params) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerTimeout)
		defer cancel()
		p := httpapi.ParseParams(r)
		v, err := any(nil), a.checkLog(p)
		if err == nil {
			v, err = answer(r.WithContext(ctx), p)
		}
		if err != nil {
			fail(w, err)
			return
		}
		httpapi.JSON(w, http.StatusOK, v)
	}
}

// fail answers with the problem for an error.
func fail(w http.ResponseWriter, err error) {
	p := api.Problem{Status: http.StatusInternalServerError, Detail: err.Error()}
	if wrong, ok := errors.AsType[*api.ParamError](err); ok {
		p.Status, p.Field = http.StatusBadRequest, wrong.Param
	} else if errors.Is(err, store.ErrNotFound) {
		p.Status = http.StatusNotFound
	} else if errors.Is(err, errEnding) || errors.Is(err, errCrowded) {
		p.Status = http.StatusServiceUnavailable
	}
	httpapi.Problem(w, p)
}

// checkLog checks that the parameter log, if given, names the log of this service.
func (a *Alerter) checkLog(p *httpapi.Params) error {
	if name, given := p.One("log"); given && name != a.cfg.Log.Name && p.Err() == nil {
		return fmt.Errorf("log %.40q: %w", name, store.ErrNotFound)
	}
	return p.Err()
}

// filterOf reads the parameters that list and stream share.
func filterOf(p *httpapi.Params) (f Filter, after *uint64) {
	for name, values := range map[string]*[]string{"type": &f.Types, "rule": &f.Rules, "agent": &f.Agents} {
		if *values = p.All(name); slices.Contains(*values, "") {
			p.Fail(name, "empty")
		}
	}
	return f, sequence(p, "after")
}

// sequence reads an optional sequence, or returns nil.
func sequence(p *httpapi.Params, name string) *uint64 {
	n := p.Number(name)
	if n != nil && *n > math.MaxInt64 {
		p.Fail(name, "no stream is that long")
	}
	return n
}

// checkPosition refuses a sequence after the end: its client would miss the alerts up to there.
func checkPosition(name string, after, last uint64) error {
	if after > last {
		return &api.ParamError{Param: name, Reason: fmt.Sprintf("is beyond the end: the newest alert is %d", last)}
	}
	return nil
}

func (a *Alerter) list(r *http.Request, p *httpapi.Params) (any, error) {
	f, after := filterOf(p)
	f.who = a.sightOf(r.Context())
	var period api.Filter
	period.From, _ = p.One("from")
	period.To, _ = p.One("to")
	limit := p.Limit("limit", defaultLimit, maxLimit)
	if err := p.End(); err != nil {
		return nil, err
	}
	period, err := period.Normal()
	if err != nil {
		return nil, err
	}
	f.From, f.To = period.From, period.To
	page, err := a.List(r.Context(), f, after, limit)
	if err != nil {
		return nil, err
	}
	answer := api.Alerts{Alerts: make([]api.Alert, len(page.Alerts)), Last: page.Last}
	for i := range page.Alerts {
		x := &page.Alerts[i]
		event, err := x.MarshalJSON()
		if err != nil {
			return nil, err
		}
		answer.Alerts[i] = api.Alert{Seq: x.Seq, Subject: x.Subject(a.cfg.Log.Name), Event: event}
	}
	return answer, nil
}

func (a *Alerter) getStatus(_ *http.Request, p *httpapi.Params) (any, error) {
	return a.Status(), p.End()
}

func (a *Alerter) deadLetters(_ *http.Request, p *httpapi.Params) (any, error) {
	return map[string]any{"dead": a.Dead()}, p.End()
}

func (a *Alerter) redeliver(r *http.Request, p *httpapi.Params) (any, error) {
	webhook, _ := p.One("webhook")
	seq := uint64(0)
	if n := sequence(p, "seq"); n != nil {
		if seq = *n; seq == 0 {
			p.Fail("seq", "must be a sequence")
		}
	}
	if err := p.End(); err != nil {
		return nil, err
	}
	return a.Redeliver(r.Context(), webhook, seq)
}
