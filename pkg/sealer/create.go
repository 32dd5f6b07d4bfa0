package sealer

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/store"
)

// Create makes the log, if it does not exist: it publishes the config that becomes index 0 as the first message of an
// empty EVENTS, before any agent can publish. It is safe to call at every start; the sealer compares what is there.
func Create(ctx context.Context, cfg Config, eventsOpen bool) error {
	if _, err := New(cfg); err != nil {
		return err
	}
	sealed, err := cfg.Log.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	events, err := cfg.Log.Events.Info(ctx)
	if err != nil {
		return fmt.Errorf("events stream: %w", err)
	}
	if sealed.Last > 0 || events.Last > 0 {
		return nil
	}
	c := entry.Config{
		Origin: cfg.Signer.Origin(), Keys: []string{cfg.Signer.VerifierKey()}, EventsCreated: entry.FormatReceived(events.Created),
		EventsOpen: eventsOpen, Epoch: 1, Rules: entry.Rules, SecretFingerprint: entry.SecretFingerprint(cfg.Secret), Limits: entry.DefaultLimits(),
	}
	body := entry.FormatControl(uuid.NewString(), c.Origin, entry.TypeConfig, c.AppendJSON(nil))
	first := uint64(0)
	_, err = cfg.Log.Events.Append(ctx, entry.Message{Subject: controlSubject(cfg.Log.Name), Data: body}, &first)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("create log: %w", err)
	}
	return nil
}
