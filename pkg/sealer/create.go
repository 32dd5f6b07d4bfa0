package sealer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/store"
)

// Create makes the log, if it does not exist: it publishes the config that becomes index 0 as the first message of an
// empty EVENTS, before any agent can publish. It is safe to call at every start; the sealer compares what is there.
func Create(ctx context.Context, cfg Config, eventsOpen bool) error {
	s, err := New(cfg)
	if err != nil {
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
	if err := s.neverSealed(); err != nil {
		return err
	}
	if len(cfg.Signer.VerifierKeys()) > 1 {
		return fmt.Errorf("%w: a log begins with the one key that its origin names", ErrRefused)
	}
	c := entry.Config{
		Origin: cfg.Signer.Origin(), Keys: []string{cfg.Signer.VerifierKey()}, EventsCreated: entry.FormatReceived(events.Created),
		EventsOpen: eventsOpen, Epoch: 1, Rules: entry.Rules, SecretFingerprint: entry.SecretFingerprint(cfg.Secret), Limits: entry.DefaultLimits(),
	}
	if c.Redaction = cfg.Redaction; c.Redaction != nil {
		c.Rules = entry.RulesRedacting
		if _, err := redaction(&c); err != nil {
			return err
		}
	}
	body := entry.FormatControl(uuid.NewString(), c.Origin, entry.TypeConfig, c.AppendJSON(nil))
	first := uint64(0)
	_, err = cfg.Log.Events.Append(ctx, entry.Message{Subject: controlSubject(cfg.Log.Name), Data: body}, &first)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("create log: %w", err)
	}
	return nil
}

// neverSealed refuses to make a log anew where this host has seen it before: its streams are lost, and an event that was acknowledged now would be
// lost too when they are restored.
func (s *Sealer) neverSealed() error {
	if s.mark == nil {
		return nil
	}
	_, err := s.mark.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("mark: %w", err)
	}
	return fmt.Errorf("%w: the streams are empty, but a checkpoint of this log was seen here; restore them", ErrRolledBack)
}
