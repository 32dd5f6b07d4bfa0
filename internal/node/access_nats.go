package node

import (
	"context"
	"strings"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/streams/subject"
)

// keepUsers lets the users of the rules in force into the embedded NATS server, until ctx is done.
func (n *Node) keepUsers(ctx context.Context) error {
	for {
		changed := n.gate.Changed()
		if v := n.gate.Version(); v != nil {
			state, text := health.OK, ""
			if err := n.nats.SetUsers(natsUsers(v, n.cfg.Log, n.nats.RefusedSubject())); err != nil {
				state, text = health.Failing, "NATS has other users than the rules of access in force: "+err.Error()
			}
			n.board.Set("nats-users", state, text)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// natsUsers returns the users with nkeys. A user publishes on the subjects of its agents, and reads
// its own answers. Alerts have entries of all agents, and their subjects no agent, so only who may
// read everything gets them here. A pattern other than `*` names no subjects, because a subject has
// a hash of its agent.
func natsUsers(v *access.Version, log, refused string) (users []natsd.User) {
	for _, d := range v.Rules().Identities {
		var publish, agents []string
		for _, pattern := range d.Grants.Publish {
			token := subject.AgentToken(pattern)
			if pattern == "*" {
				token = "*"
			} else if strings.HasSuffix(pattern, "*") {
				continue
			} else {
				agents = append(agents, natsd.InboxOf(token)+".>")
			}
			publish = append(publish, subject.Events(log, token), subject.Submit(log, token))
		}
		if len(publish) > 0 {
			publish = append(publish, refused)
		}
		for _, key := range d.NKeys {
			read := append([]string{natsd.InboxOf(key) + ".>"}, agents...)
			if d.Grants.Alerts && d.Grants.ReadAll {
				read = append(read, subject.AllAlerts(log))
			}
			users = append(users, natsd.User{NKey: key, Publish: publish, Subscribe: read})
		}
	}
	return users
}
