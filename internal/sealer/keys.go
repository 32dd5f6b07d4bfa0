package sealer

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// AnnounceKeys publishes a config that replaces the log's active keys with vkeys, or adds to them
// for an overlap (SPEC 5.1). Each of them signs from the batch after that config on. The signer
// must have the private parts of vkeys and of the keys that are active until then; otherwise the
// error wraps ErrRefused. AnnounceKeys returns false and publishes nothing if vkeys are active
// already or nothing is sealed yet. The keys become active when the config is sealed, not when
// AnnounceKeys returns.
func AnnounceKeys(ctx context.Context, cfg Config, vkeys []string) (bool, error) {
	s, err := New(cfg)
	if err != nil {
		return false, err
	}
	if _, err := s.open(ctx); err != nil {
		return false, err
	}
	if s.tail.chain.Size() == 0 || slices.Equal(s.tail.config.Keys, vkeys) {
		return false, nil
	}
	for _, k := range vkeys {
		if !slices.Contains(cfg.Signer.VerifierKeys(), k) {
			return false, fmt.Errorf("%w: the signer has no private part of %s", ErrRefused, k)
		}
	}
	next, at := *s.tail.config, s.tail.configIndex
	next.Keys, next.Previous = vkeys, &at
	if err := next.Follows(s.tail.config, at); err != nil {
		return false, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	body := inbox.FormatControl(uuid.NewString(), s.identity.origin, entry.TypeConfig, next.AppendJSON(nil))
	_, err = cfg.Log.Events.Append(ctx, entry.Message{Subject: subject.Control(s.identity.logName), Data: body}, nil)
	if err != nil {
		return false, fmt.Errorf("publish config: %w", err)
	}
	return true, nil
}

// ActiveKeys returns the verifier keys that the newest config of the log names. It returns none if
// nothing is sealed yet.
func ActiveKeys(ctx context.Context, cfg Config) ([]string, error) {
	s, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if _, err := s.open(ctx); err != nil || s.tail.config == nil {
		return nil, err
	}
	return s.tail.config.Keys, nil
}
