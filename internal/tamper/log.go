// Package tamper creates a scratch log, attacks it as an insider would, and shows which check
// detects each attack.
//
//	scratch log (a real sealer, in memory) ─▶ copies that the insider changes ─▶ checks
//	checks: chain only, signed checkpoint, saved checkpoint, witness
//
// The insider can write all of the log's storage, and has its signing key in some attacks. Attacks
// that no check detects are listed, too: they show what must be kept outside of the log.
package tamper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/streams/subject"
)

// view is a log as it is shown to somebody: entries, their data, and a signed checkpoint.
type view struct {
	signer  *proof.Signer // who signs; the insider may have the log's own, or make another
	entries []entry.Entry
	data    map[uint64]entry.Payload // by index
	note    []byte
}

// scratch seals a log, and returns views of it at several sizes.
func scratch(ctx context.Context, sizes ...int) (list []*view, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	skey, _, err := proof.GenerateKey("lab.example", "default")
	if err != nil {
		return nil, err
	}
	signer, err := proof.NewSigner(skey)
	if err != nil {
		return nil, err
	}
	cfg := sealer.Config{
		Log:        store.NewMemory("default"),
		Signer:     signer,
		Secret:     bytes.Repeat([]byte{1}, 32),
		KeepEvents: true,
	}
	if err := sealer.Create(ctx, cfg, true); err != nil {
		return nil, err
	}
	s, err := sealer.New(cfg)
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	go func() { ended <- s.Run(running) }()
	defer func() { stop(); err = errors.Join(err, <-ended) }()
	sent := 0
	for _, size := range sizes {
		for ; sent < size-1; sent++ { // index 0 is the config
			m := entry.Message{Subject: subject.Events("default", "open"), Data: event(sent)}
			if _, err := cfg.Log.Events.Append(ctx, m, nil); err != nil {
				return nil, err
			}
		}
		v, err := read(ctx, cfg.Log, signer, size)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// event is one of an agent that pays bills.
func event(n int) []byte {
	action, outcome := "allow", "success"
	if n%5 == 3 {
		action, outcome = "deny", "denied"
	}
	return fmt.Appendf(
		nil,
		`{"specversion":"1.0","id":"pay-%d","source":"did:web:agent-%d.example","type":"ai.agentmesh.tool.invoked",`+
			`"subject":"/payments",`+
			`"action":%q,"outcome":%q,"data":{"amount":%d}}`,
		n,
		n%3,
		action,
		outcome,
		100*n+7,
	)
}

// read follows the log to a size.
func read(ctx context.Context, log *store.Log, signer *proof.Signer, size int) (*view, error) {
	v := &view{signer: signer, data: map[uint64]entry.Payload{}}
	for b, err := range (store.Follower{Log: log, Keys: []string{signer.VerifierKey()}}).Batches(ctx) {
		if err != nil {
			return nil, err
		}
		payloads := map[uint64]entry.Payload{}
		if b.Batch.Payloads > 0 {
			if payloads, err = store.Payloads(ctx, log, b.Batch.Payloads); err != nil {
				return nil, err
			}
		}
		for _, e := range b.Entries {
			v.entries = append(v.entries, e)
			if p, ok := payloads[e.Index]; ok {
				v.data[e.Index] = p
			}
		}
		if v.note = b.Batch.Checkpoint; len(v.entries) >= size {
			break
		}
	}
	return v, ctx.Err()
}
