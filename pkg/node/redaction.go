package node

import (
	"context"
	"fmt"
	"os"

	"github.com/sealstream/sealstream/pkg/redact"
	"github.com/sealstream/sealstream/pkg/redact/rulesfile"
	"github.com/sealstream/sealstream/pkg/sealer"
)

// redaction is what an operator wants redacted. said is false if nothing was said: then a new log gets the default rules, and one that is there keeps its own.
type redaction struct {
	said  bool
	rules *redact.Rules // nil: nothing is redacted
}

// ReadRedaction reads what --redaction takes: off, default, or a file of rules. nil is off.
func ReadRedaction(value string) (*redact.Rules, error) {
	r, err := readRedaction(value)
	return r.created(), err
}

func readRedaction(value string) (redaction, error) {
	switch value {
	case "":
		return redaction{}, nil
	case "off":
		return redaction{said: true}, nil
	case "default":
		return redaction{true, redact.Default()}, nil
	}
	text, err := os.ReadFile(value)
	if err != nil {
		return redaction{}, fmt.Errorf("%w: redaction: %w", ErrWrong, err)
	}
	rules, err := rulesfile.Parse(text)
	if err != nil {
		return redaction{}, fmt.Errorf("%w: %s: %w", ErrWrong, value, err)
	}
	return redaction{true, rules}, nil
}

// created are the rules of a log that is made now.
func (r redaction) created() *redact.Rules {
	if !r.said {
		return redact.Default()
	}
	return r.rules
}

// before are those that ingest goes by until it knows the log's.
func (r redaction) before() *redact.Rules {
	if r.said && r.rules == nil {
		return &redact.Rules{}
	}
	return r.created()
}

// announce asks for the config that the operator wants, if it is not in force.
func (r redaction) announce(ctx context.Context, cfg sealer.Config) error {
	if !r.said {
		return nil
	}
	_, err := sealer.AnnounceRedaction(ctx, cfg, r.rules)
	return err
}
