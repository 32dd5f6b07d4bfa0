package sealer

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// redaction makes the rules of a config ready. A built-in set that this release does not have, or has otherwise, would give other bytes than the
// log's: the sealer stops.
func redaction(c *entry.Config) (*redact.Set, error) {
	if c.Redaction == nil {
		return nil, nil
	}
	set, err := redact.Compile(c.Redaction)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return set, nil
}

// AnnounceRedaction publishes the config by which the log redacts otherwise from the next index on (SPEC 13.1); nil: not at all. It does nothing, and says so by false, if that
// is so already, or if nothing is sealed yet. What was published is only asked for: it holds when it is sealed.
func AnnounceRedaction(ctx context.Context, cfg Config, rules *redact.Rules) (bool, error) {
	s, err := New(cfg)
	if err != nil {
		return false, err
	}
	s.forget()
	if _, err := s.open(ctx); err != nil {
		return false, err
	}
	if s.tail.chain.Size() == 0 || rules.Equal(s.tail.config.Redaction) {
		return false, nil
	}
	next, at := *s.tail.config, s.tail.configIndex
	next.Redaction, next.Rules, next.Previous = rules, entry.RulesRedacting, &at
	if _, err := redaction(&next); err != nil {
		return false, err
	}
	body := entry.FormatControl(uuid.NewString(), s.identity.origin, entry.TypeConfig, next.AppendJSON(nil))
	if _, err = cfg.Log.Events.Append(ctx, entry.Message{Subject: controlSubject(s.identity.log), Data: body}, nil); err != nil {
		return false, fmt.Errorf("publish config: %w", err)
	}
	return true, nil
}
