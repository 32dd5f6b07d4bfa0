package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Audit audits a log from its first message to the present end of SEALED, with the data of its entries: proof.AuditParsed, for which the
// messages are parsed side by side. cfg.Payloads is set here.
func Audit(ctx context.Context, log *Log, cfg proof.AuditConfig) (proof.Report, error) {
	cfg.Payloads = func(seq uint64) ([]byte, bool, error) {
		body, err := PayloadMessage(ctx, log, seq)
		if errors.Is(err, ErrNotFound) {
			return nil, false, nil
		}
		return body, err == nil, err
	}
	last, gone, err := End(ctx, log.Sealed)
	if err != nil {
		return proof.Report{}, fmt.Errorf("sealed stream: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &parallelAudit{log: log, cfg: cfg, parsed: make(chan *parsing, 4*runtime.GOMAXPROCS(0))}
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() { a.read(ctx, last) })
	r, err := proof.AuditParsed(cfg, func(yield func(proof.Parsed, error) bool) {
		for p := range a.parsed {
			<-p.done
			if !yield(p.Parsed, p.err) {
				return
			}
		}
		if a.err != nil {
			yield(proof.Parsed{}, a.err)
		}
	})
	if err == nil && gone > 0 {
		err = proof.Missing(r.Size, last+1, last+gone)
	}
	return r, err
}

// parallelAudit reads messages in order and has them parsed by a few goroutines; parsed holds them in order.
type parallelAudit struct {
	log    *Log
	cfg    proof.AuditConfig
	parsed chan *parsing
	err    error // why reading ended early; valid once parsed is closed
}

// parsing is one message under way; done is closed when it is parsed.
type parsing struct {
	proof.Parsed
	err  error
	done chan struct{}
}

func (a *parallelAudit) read(ctx context.Context, last uint64) {
	defer close(a.parsed)
	if last == 0 {
		return
	}
	r, err := a.log.Sealed.Read(ctx, 1)
	if err != nil {
		a.err = fmt.Errorf("sealed stream: %w", err)
		return
	}
	defer r.Close()
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for seen := uint64(0); seen < last; {
		messages, err := r.Next(ctx, 16)
		if err != nil {
			a.err = fmt.Errorf("sealed stream: %w", err)
			return
		}
		for _, m := range messages {
			if seen = m.Seq; seen > last {
				return
			}
			p := &parsing{done: make(chan struct{})}
			slots <- struct{}{}
			go func() {
				defer func() { close(p.done); <-slots }()
				a.parse(p, m)
			}()
			select {
			case a.parsed <- p:
			case <-ctx.Done():
				a.err = ctx.Err()
				return
			}
		}
	}
}

// parse does all that needs no other message.
func (a *parallelAudit) parse(p *parsing, m entry.Message) {
	p.Parsed = proof.Parse(m)
	if p.HasData() {
		body, there, err := a.cfg.Payloads(p.Batch.Payloads)
		if p.err = err; err == nil {
			p.CheckData(body, there)
		}
	}
}
