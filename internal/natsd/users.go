package natsd

import (
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
)

// User is a NATS user that proves itself with an nkey.
type User struct {
	NKey      string   // public key
	Publish   []string // subjects; empty means none
	Subscribe []string
}

// SetUsers replaces the users with nkeys of a running server. It closes the connections of users
// that are gone. Those of users with other subjects than before stay, with the new subjects.
func (s *Server) SetUsers(users []User) error {
	s.users.Store(&users)
	opts, err := s.settings()
	if err != nil {
		return err
	}
	if err := s.running.Load().ReloadOptions(opts); err != nil {
		return fmt.Errorf("users of NATS: %w", err)
	}
	return nil
}

// addUsers adds the users with nkeys. They are in the account of agents, so that no acknowledgement
// of theirs reaches a subject of the log; see accounts.
func (s *Server) addUsers(opts *server.Options, account *server.Account) {
	users := s.users.Load()
	if users == nil {
		return
	}
	for _, u := range *users {
		opts.Nkeys = append(opts.Nkeys, &server.NkeyUser{Nkey: u.NKey, Account: account, Permissions: &server.Permissions{
			Publish:   permission(u.Publish),
			Subscribe: permission(u.Subscribe),
		}})
	}
}

// permission allows subjects. An empty list would allow all.
func permission(subjects []string) *server.SubjectPermission {
	if len(subjects) == 0 {
		return &server.SubjectPermission{Deny: []string{">"}}
	}
	return &server.SubjectPermission{Allow: subjects}
}
