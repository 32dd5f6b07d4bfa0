package node

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/witness"
	"github.com/sealstream/sealstream/pkg/proof"
)

// addWitnesses adds what asks the witnesses of a policy to cosign. Nil: the log has none.
func (p *process) addWitnesses(policy *proof.Policy) error {
	if policy == nil {
		return nil
	}
	c, err := witness.NewCollector(witness.CollectorConfig{
		Log: p.log, Keys: p.keys, Policy: policy, Logger: p.logger,
	})
	if err != nil {
		return err
	}
	p.witness = c
	p.add(part{name: "witnesses", run: c.Run})
	return nil
}

// readPolicy reads the witness policy file of a log; nil: path is "". A policy that names logs must
// name this one.
func readPolicy(path string, vkeys ...string) (*proof.Policy, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: witness policy: %w", settings.ErrInvalid, err)
	}
	p, err := proof.ParsePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", settings.ErrInvalid, path, err)
	}
	if keys := p.LogKeys(); len(keys) > 0 &&
		!slices.ContainsFunc(vkeys, func(k string) bool { return slices.Contains(keys, k) }) {
		return nil, fmt.Errorf(
			"%w: %s: the policy names other logs, and not %s",
			settings.ErrInvalid,
			path,
			strings.Join(vkeys, " or "),
		)
	}
	if !slices.ContainsFunc(p.Witnesses, func(w proof.PolicyWitness) bool { return w.URL != "" }) {
		return nil, fmt.Errorf("%w: %s: no witness has a URL, so nobody can be asked", settings.ErrInvalid, path)
	}
	return p, nil
}
