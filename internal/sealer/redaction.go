package sealer

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
	"github.com/sealstream/sealstream/streams/subject"
)

// redaction compiles the redaction rules of a config. It fails with ErrRefused if this release
// lacks one of the built-in sets or has other rules under its name: the sealer would make other
// bytes than the log has.
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

// AnnounceRedaction publishes a config that replaces the log's redaction rules from the next index
// on (SPEC 13.1). Nil rules end redaction. The config also brings a log of older sealing rules to
// ruleset.Binding, and never beyond. AnnounceRedaction returns false and
// publishes nothing if the log has these rules already, or if nothing is sealed yet. The rules take
// effect when the config is sealed, not when AnnounceRedaction returns.
func AnnounceRedaction(ctx context.Context, cfg Config, rules *redact.Rules) (bool, error) {
	return announce(ctx, cfg, func(c *entry.Config) bool {
		if rules.Equal(c.Redaction) && c.Rules >= ruleset.Binding {
			return false
		}
		c.Redaction, c.Rules = rules, max(c.Rules, ruleset.Binding)
		return true
	})
}

// AnnounceClosed publishes a config after which the log takes no events on events.open. It returns
// false and publishes nothing if the log takes none already, or if nothing is sealed yet. Events
// before the config is sealed are taken, not those before AnnounceClosed returns.
func AnnounceClosed(ctx context.Context, cfg Config) (bool, error) {
	return announce(ctx, cfg, func(c *entry.Config) bool {
		was := c.EventsOpen
		c.EventsOpen = false
		return was
	})
}

// announce publishes the newest config with a change, unless change returns false.
func announce(ctx context.Context, cfg Config, change func(*entry.Config) bool) (bool, error) {
	s, err := New(cfg)
	if err != nil {
		return false, err
	}
	if _, err := s.open(ctx); err != nil {
		return false, err
	}
	if s.tail.chain.Size() == 0 {
		return false, nil
	}
	next, at := *s.tail.config, s.tail.configIndex
	if !change(&next) {
		return false, nil
	}
	next.Previous = &at
	if _, err := redaction(&next); err != nil {
		return false, err
	}
	body := inbox.FormatControl(uuid.NewString(), s.identity.origin, entry.TypeConfig, next.AppendJSON(nil))
	m := entry.Message{Subject: subject.Control(s.identity.logName), Data: body}
	if _, _, err := m.Control(); err != nil {
		return false, fmt.Errorf("config: %w", err)
	}
	if _, err = cfg.Log.Events.Append(ctx, m, nil); err != nil {
		return false, fmt.Errorf("publish config: %w", err)
	}
	return true, nil
}
