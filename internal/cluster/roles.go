package cluster

import (
	"fmt"
	"strings"

	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/streams"
	"github.com/sealstream/sealstream/streams/subject"
)

// Role is a user of a NATS server that a log's services share, and exactly what it may do. Whatever
// is not listed is refused.
type Role struct {
	Name      string
	Publish   []string // subjects; requests to JetStream are among them
	Subscribe []string
	Respond   bool // may answer what it was asked
}

// Names of the roles, which are those of the programs.
const (
	RoleAdmin    = "admin"
	RoleIngest   = "ingest"
	RoleSealer   = "sealer"
	RoleQuery    = "query"
	RoleAlert    = "alert"
	RoleArchiver = "archiver"
)

// Roles are the users of a log's services. None but the administrator may make, change or delete a
// stream, take or restore a snapshot, or delete a message of SEALED. They are in one account; what
// a server there acknowledges goes wherever the publisher asks, so a service's credentials are for
// that service alone, and agents are in another account: see AgentRole.
func Roles(log string) []Role {
	read := reading(log)
	buckets := func(names ...string) (list []string) {
		for _, n := range names {
			list = append(list, "$KV."+n+".>")
		}
		return list
	}
	events, sealed, payloads := streams.EventsName(log), streams.SealedName(log), streams.PayloadsName(log)
	archive := "OBJ_" + streams.ArchiveBucket
	return []Role{
		{Name: RoleAdmin, Publish: []string{">"}, Subscribe: []string{">"}},
		{Name: RoleIngest, Respond: true,
			Publish:   join(read, []string{subject.Batch(log, "*"), js("STREAM.MSG.GET", events)}),
			Subscribe: []string{natsd.InboxOf(RoleIngest) + ".>", subject.Submit(log, "*")}},
		// The sealer announces what the log itself must know on the control subject: its creation,
		// keys and epochs.
		{Name: RoleSealer,
			Publish: join(
				read,
				follow(events),
				buckets(streams.HeadBucket, streams.CursorsBucket),
				[]string{
					subject.Control(
						log,
					), subject.Sealed(log), subject.Payloads(log), js("STREAM.PURGE", events), js("STREAM.MSG.DELETE", payloads)},
			),
			Subscribe: []string{natsd.InboxOf(RoleSealer) + ".>"}},
		{Name: RoleQuery, Publish: read, Subscribe: []string{natsd.InboxOf(RoleQuery) + ".>"}},
		// EVENTS tells the alert service how long the oldest event waits to be sealed.
		{Name: RoleAlert,
			Publish: join(
				read,
				follow(events),
				follow(streams.AlertsName(log)),
				buckets(streams.CursorsBucket),
				[]string{subject.AllAlerts(log)},
			),
			Subscribe: []string{natsd.InboxOf(RoleAlert) + ".>"}},
		{Name: RoleArchiver,
			Publish: join(
				read,
				[]string{
					"$O." + streams.ArchiveBucket + ".C.>",
					"$O." + streams.ArchiveBucket + ".M.>",
					js("STREAM.PURGE", archive),
					js("STREAM.MSG.DELETE", archive),
					js("STREAM.PURGE", sealed),
					js("STREAM.PURGE", payloads),
				},
			),
			Subscribe: []string{natsd.InboxOf(RoleArchiver) + ".>"}},
	}
}

// AgentRole is the user of one agent: its own subjects and its own inboxes, and nothing of
// JetStream.
func AgentRole(log, did string) Role {
	return agentRole(log, subject.AgentToken(did))
}

func agentRole(log, token string) Role {
	return Role{
		Name:      token,
		Publish:   []string{subject.Events(log, token), subject.Submit(log, token)},
		Subscribe: []string{natsd.InboxOf(token) + ".>"},
	}
}

// reading is what every service may: learn how the streams stand, follow the log, and read what is
// derived from it.
func reading(log string) []string {
	archive := "OBJ_" + streams.ArchiveBucket
	list := []string{js("STREAM.INFO", streams.EventsName(log)), js("STREAM.INFO", streams.AlertsName(log))}
	for _, s := range []string{streams.SealedName(log), streams.PayloadsName(log)} {
		list = append(list, js("STREAM.INFO", s))
		list = append(list, follow(s)...)
	}
	list = append(
		list,
		js("STREAM.INFO", archive),
		js("DIRECT.GET", archive),
		js("DIRECT.GET", archive)+".>",
		js("STREAM.MSG.GET", archive),
	)
	for _, b := range []string{streams.HeadBucket, streams.CursorsBucket} {
		list = append(list, js("STREAM.INFO", "KV_"+b), js("DIRECT.GET", "KV_"+b)+".>")
	}
	return list
}

// follow is what a reader of a stream asks: messages by sequence, and a consumer of its own. A
// consumer with a filter would have a longer subject.
func follow(stream string) []string {
	return []string{js("STREAM.MSG.GET", stream), js("DIRECT.GET", stream),
		js("CONSUMER.CREATE", stream) + ".*", js("CONSUMER.DELETE", stream) + ".*", js("CONSUMER.MSG.NEXT", stream) + ".*"}
}

func js(verb, stream string) string { return "$JS.API." + verb + "." + stream }

func join(lists ...[]string) (all []string) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// write appends a user of a server's configuration.
func (r Role) write(b *strings.Builder, nkey string) {
	quoted := func(list []string) string {
		q := make([]string, len(list))
		for i, s := range list {
			q[i] = fmt.Sprintf("%q", s)
		}
		return "[" + strings.Join(q, ", ") + "]"
	}
	respond := ""
	if r.Respond {
		respond = `, allow_responses: {max: 1, expires: "5m"}`
	}
	fmt.Fprintf(
		b,
		"      { nkey: %s, permissions: {publish: {allow: %s}, subscribe: {allow: %s}%s} } # %s\n",
		nkey,
		quoted(r.Publish),
		quoted(r.Subscribe),
		respond,
		r.Name,
	)
}
