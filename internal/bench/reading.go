package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
)

// reading measures what auditors and investigators do, on the log that the drain made.
func (b *run) reading(ctx context.Context) error {
	r := b.built
	defer r.close()
	begin := time.Now()
	report, err := store.Audit(ctx, r.log, audit.Config{Keys: []string{r.config.Signer.VerifierKey()}})
	if err != nil {
		return err
	}
	b.out.Verify = float64(report.Size) / time.Since(begin).Seconds()
	sealed, err := r.log.Sealed.Info(ctx)
	if err != nil {
		return err
	}
	payloads, err := r.log.Payloads.Info(ctx)
	if err != nil {
		return err
	}
	b.out.BytesPerEvent = float64(sealed.Bytes+payloads.Bytes) / float64(report.Size)

	q, err := query.New(query.Config{Log: r.log, Keys: []string{r.config.Signer.VerifierKey()}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if err := q.Await(ctx, report.Size); err != nil {
		return err
	}
	if b.out.ProofMS, err = b.timed(func() error {
		_, err := q.Proof(ctx, rand.Uint64N(report.Size), false)
		return err
	}); err != nil {
		return err
	}
	b.out.QueryMS, err = b.timed(func() error {
		f := api.Filter{Outcome: []string{"success"}, Session: []string{fmt.Sprintf("s-%02d", rand.IntN(64))}}
		_, err := q.Entries(ctx, f, query.Page{Limit: 100})
		return err
	})
	return err
}

// timed does something again and again for a while.
func (b *run) timed(do func() error) (Latency, error) {
	var list []time.Duration
	for end := time.Now().Add(b.phase(share.read) / 2); time.Now().Before(end); {
		begin := time.Now()
		if err := do(); err != nil {
			return Latency{}, err
		}
		list = append(list, time.Since(begin))
	}
	return quantiles(list), nil
}
