package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/store"
)

// ruleSeals seals each version of the rules of access, once for each role that this process has. A
// nil ruleSeals is that of a process without access control.
type ruleSeals struct {
	roles  []store.Service // complete before the gate begins
	logger *slog.Logger
}

// add makes versions be sealed for a role.
func (s *ruleSeals) add(log *store.Log, role string) {
	if s != nil {
		s.roles = append(s.roles, store.Service{Log: log, Role: role})
	}
}

// announce seals a version for all roles, and returns the index of the entry of query, or of the
// only role. Nothing is sealed, and the index is nil, if the process has none of the roles or the
// log is sealed by rules before 4. After an error, some of the entries may exist. The next call
// finds and uses them.
func (s *ruleSeals) announce(ctx context.Context, text []byte) (entry *uint64, err error) {
	host, _ := os.Hostname() // the process is named by its id where the host has no name
	process := canonical.Clip(fmt.Sprintf("%s, process %d", host, os.Getpid()), 256)
	for _, service := range s.roles {
		index, err := service.Access(ctx, process, text)
		if errors.Is(err, store.ErrServiceRules) {
			s.logger.Warn("the log does not record the rules of access: raise its sealing rules with "+
				"`sealstream rules upgrade`", "cause", err)
			return nil, nil
		} else if err != nil {
			return nil, fmt.Errorf("rules of access of %s: %w", service.Role, err)
		}
		if entry == nil || service.Role == cluster.RoleQuery {
			entry = &index
		}
	}
	return entry, nil
}

// errRulesWait reports that no version of the rules of access is in force yet.
var errRulesWait = errors.New("the rules of access are not sealed yet")

// rulesReady says why callers cannot be judged now.
func (p *process) rulesReady() error {
	if p.gate != nil && p.gate.Version() == nil {
		return errRulesWait
	}
	return nil
}
