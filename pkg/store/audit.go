package store

import (
	"context"
	"errors"
	"fmt"

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
	r, err := proof.AuditParsed(cfg, func(yield func(proof.Parsed, error) bool) {
		if last == 0 {
			return
		}
		parser := proof.NewParser(cfg.Keys...)
		for p, err := range Ahead(ctx, log.Sealed, 1, last, func(m entry.Message) auditing { return parse(parser, m, cfg) }) {
			if err == nil {
				err = p.err
			}
			if !yield(p.Parsed, err) {
				return
			}
		}
	})
	if err == nil && gone > 0 {
		err = proof.Missing(r.Size, last+1, last+gone)
	}
	return r, err
}

// auditing is a message of which all is done that needs no other.
type auditing struct {
	proof.Parsed
	err error // of the store, in reading the data
}

func parse(parser *proof.Parser, m entry.Message, cfg proof.AuditConfig) auditing {
	a := auditing{Parsed: parser.Parse(m)}
	if a.HasData() {
		body, there, err := cfg.Payloads(a.Batch.Payloads)
		if a.err = err; err == nil {
			a.CheckData(body, there)
		}
	}
	return a
}
