package sealer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// Create creates the log if it does not exist. It publishes the config that becomes index 0 as the
// first message of an empty EVENTS, before any agent can publish. eventsOpen lets agents publish
// without a token of their own. Create may be called at every start: it does nothing if one of the
// streams has messages. It fails with ErrRolledBack if this host has seen a checkpoint of the log.
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
		return fmt.Errorf("%w: a new log must have exactly one key, the one that its origin names", ErrRefused)
	}
	c := entry.Config{
		Origin: cfg.Signer.Origin(), Keys: []string{cfg.Signer.VerifierKey()},
		EventsCreated: canonical.FormatReceived(events.Created),
		EventsOpen:    eventsOpen, Epoch: 1, Rules: cmp.Or(cfg.Rules, ruleset.Newest),
		SecretFingerprint: draft.SecretFingerprint(cfg.Secret), Limits: entry.DefaultLimits(),
	}
	if c.Redaction = cfg.Redaction; c.Redaction != nil {
		if _, err := redaction(&c); err != nil {
			return err
		}
	}
	body := inbox.FormatControl(uuid.NewString(), c.Origin, entry.TypeConfig, c.AppendJSON(nil))
	m, first := entry.Message{Subject: subject.Control(cfg.Log.Name), Data: body}, uint64(0)
	if _, _, err := m.Control(); err != nil {
		return fmt.Errorf("%w: config of a new log: %w", ErrRefused, err)
	}
	_, err = cfg.Log.Events.Append(ctx, m, &first)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("create log: %w", err)
	}
	return nil
}

// neverSealed refuses to create a log of which this host has seen a checkpoint: its streams are
// lost. Events acknowledged now would be lost when they are restored.
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
