package node

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/integrity"
)

// IntegrityConfig says what a running log compares its own program with.
type IntegrityConfig struct {
	Manifest string        // "": nothing is compared
	Keys     []string      // verifier keys, one of which must have signed it
	Binary   string        // "": the program that runs
	Every    time.Duration // 0: a day
}

// check refuses a manifest that no key vouches for before anything is started. That the program
// differs from it is sealed, and no reason not to run: the log must tell of it.
func (c IntegrityConfig) check() error {
	if c.Manifest == "" {
		return nil
	}
	if len(c.Keys) == 0 {
		return fmt.Errorf("%w: an integrity manifest needs the key that it must be signed with", settings.ErrInvalid)
	}
	_, err := c.open()
	return err
}

func (c IntegrityConfig) open() (m integrity.Manifest, err error) {
	raw, err := os.ReadFile(c.Manifest)
	if err == nil {
		m, _, err = integrity.Open(raw, c.Keys...)
	}
	if err != nil {
		return m, fmt.Errorf("%w: %s: %w", settings.ErrInvalid, c.Manifest, err)
	}
	return m, nil
}

// IntegrityEvent is the event type of what a log finds out about its own program: outcome success,
// failure or error.
const IntegrityEvent = "integrity_check"

// integrityData is the data of such an event.
type integrityData struct {
	Manifest  string             `json:"manifest"`
	SHA256    string             `json:"binary_sha256,omitempty"`
	Functions int                `json:"functions_checked"`
	Modules   int                `json:"modules_checked"`
	Changed   []integrity.Change `json:"changed"` // the first 50
	Error     string             `json:"error,omitempty"`
}

// maxIntegrityChanges bounds the changes in an event; that there are more shows from what stands in
// the program's own report.
const maxIntegrityChanges = 50

// watchIntegrity seals the result of the check at start, and again each day, until ctx is done.
func (n *Node) watchIntegrity(ctx context.Context) error {
	every := n.cfg.Integrity.Every
	if every == 0 {
		every = 24 * time.Hour
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := n.sealIntegrity(ctx); err != nil && ctx.Err() == nil {
			n.cfg.Logger.Error("the integrity check was not recorded", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (n *Node) sealIntegrity(ctx context.Context) error {
	ev, err := n.cfg.Integrity.event("urn:sealstream:service:" + n.cfg.Log)
	if err != nil {
		return err
	}
	receipts, err := n.pipeline.ingest.Submit(ctx, []ingest.Raw{{Event: ev.AppendJSON(nil)}}, ingest.WaitStored)
	if err == nil && receipts[0].Error != nil {
		err = fmt.Errorf("rejected: %s", receipts[0].Error.Reason)
	}
	return err
}

// event compares, and says what came of it. The manifest is read anew: a changed one is an error,
// and not trusted.
func (c IntegrityConfig) event(source string) (entry.Event, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return entry.Event{}, err
	}
	data, outcome := c.compare()
	raw, err := json.Marshal(data)
	if err != nil {
		return entry.Event{}, err
	}
	ev := entry.Event{
		ID:         id.String(),
		Source:     source,
		Type:       ruleset.CloudEventType(IntegrityEvent),
		Subject:    "/integrity",
		Action:     "audit",
		Outcome:    outcome,
		Extensions: map[string]string{},
	}
	if err := ev.SetJSON(raw); err != nil {
		return entry.Event{}, err
	}
	return ev, ev.Check()
}

func (c IntegrityConfig) compare() (d integrityData, outcome string) {
	d = integrityData{Manifest: c.Manifest, Changed: []integrity.Change{}}
	m, err := c.open()
	binary := c.Binary
	if err == nil && binary == "" {
		binary, err = os.Executable()
	}
	var r integrity.Report
	if err == nil {
		r, err = integrity.Verify(m, "", binary, "", time.Now())
	}
	if err != nil {
		d.Error = err.Error()
		return d, "error"
	}
	d.SHA256, d.Functions, d.Modules = r.SHA256, r.FunctionsChecked, r.ModulesChecked
	d.Changed = append(append(d.Changed, r.Functions...), r.Modules...)
	d.Changed = d.Changed[:min(len(d.Changed), maxIntegrityChanges)]
	if !r.Passed {
		return d, "failure"
	}
	return d, "success"
}
