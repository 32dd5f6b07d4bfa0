package sealer

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/pkg/entry"
)

// AnnounceKeys publishes the config that hands the log's checkpoints on to other keys, an overlap at a time (SPEC 5.1): from the batch after it on,
// each of them signs. The signer must have them all, and those in force until then. It does nothing, and says so by false, if they are in force already.
// What was published is only asked for: it is in force when it is sealed.
func AnnounceKeys(ctx context.Context, cfg Config, vkeys []string) (bool, error) {
	s, err := New(cfg)
	if err != nil {
		return false, err
	}
	s.forget()
	if _, err := s.open(ctx); err != nil {
		return false, err
	}
	if s.tail.chain.Size() == 0 || slices.Equal(s.tail.config.Keys, vkeys) {
		return false, nil
	}
	for _, k := range vkeys {
		if !slices.Contains(cfg.Signer.VerifierKeys(), k) {
			return false, fmt.Errorf("%w: the private part of %s is not here", ErrRefused, k)
		}
	}
	next, at := *s.tail.config, s.tail.configIndex
	next.Keys, next.Previous = vkeys, &at
	if err := next.Follows(s.tail.config, at); err != nil {
		return false, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	body := entry.FormatControl(uuid.NewString(), s.identity.origin, entry.TypeConfig, next.AppendJSON(nil))
	_, err = cfg.Log.Events.Append(ctx, entry.Message{Subject: controlSubject(s.identity.log), Data: body}, nil)
	if err != nil {
		return false, fmt.Errorf("publish config: %w", err)
	}
	return true, nil
}

// KeysInForce are the verifier keys that the newest config of the log names; none: nothing is sealed yet.
func KeysInForce(ctx context.Context, cfg Config) ([]string, error) {
	s, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if _, err := s.open(ctx); err != nil || s.tail.config == nil {
		return nil, err
	}
	return s.tail.config.Keys, nil
}
