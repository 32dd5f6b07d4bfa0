package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Audit audits a log from its first message to the present end of SEALED, with the data of its
// entries. It parses messages in parallel for audit.ParsedLog, and sets cfg.Payloads.
func Audit(ctx context.Context, log *Log, cfg audit.Config) (audit.Report, error) {
	cfg.Payloads = func(seq uint64) ([]byte, bool, error) {
		body, err := PayloadMessage(ctx, log, seq)
		if errors.Is(err, ErrNotFound) {
			return nil, false, nil
		}
		return body, err == nil, err
	}
	last, gone, err := End(ctx, log.Sealed)
	if err != nil {
		return audit.Report{}, fmt.Errorf("sealed stream: %w", err)
	}
	r, err := audit.ParsedLog(cfg, func(yield func(audit.Parsed, error) bool) {
		if last == 0 {
			return
		}
		parser := audit.NewLogParser(cfg.Keys...)
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
		err = audit.Missing(r.Size, last+1, last+gone)
	}
	return r, err
}

// auditing is a message with everything done that needs no other message.
type auditing struct {
	audit.Parsed
	err error // of the store, in reading the data
}

func parse(parser *audit.Parser, m entry.Message, cfg audit.Config) auditing {
	a := auditing{Parsed: parser.Parse(m)}
	if a.HasData() {
		body, there, err := cfg.Payloads(a.Batch.Payloads)
		if a.err = err; err == nil {
			a.CheckData(body, there)
		}
	}
	return a
}
