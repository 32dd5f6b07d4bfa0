package node

import (
	"context"

	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/pkg/redact"
)

// redaction is what an operator wants redacted. said is false if nothing was said: then a new log
// gets the default rules, and one that is there keeps its own.
type redaction struct {
	said  bool
	rules *redact.Rules // nil: nothing is redacted
}

// ruled is the redaction by rules that a program has made; nil says nothing, and rules that redact
// nothing are off.
func ruled(r *redact.Rules) redaction {
	if r != nil && r.Equal(&redact.Rules{}) {
		return redaction{said: true}
	}
	return redaction{r != nil, r}
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
