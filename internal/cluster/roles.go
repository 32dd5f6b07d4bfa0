package cluster

import (
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/streams"
	"github.com/sealstream/sealstream/streams/subject"
)

// Role is a user of a NATS server that a log's services share, and exactly what it may do. Whatever
// is not listed is refused.
type Role struct {
	Name      string
	Account   string
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
	RoleSink     = "sink"
)

// accountLog is the account that has the streams. The administrator and the sealer are in it. Each
// other service, and each agent, has an account of its own that imports what its user may publish.
// JetStream answers and delivers to any subject that a client names, and checks no permission for
// it. A subject that comes through an import is one of the importing account, in which there is
// nothing but this user.
const accountLog = "LOG"

// Roles are the users of a log's services. None but the administrator may make, change or delete a
// stream, take or restore a snapshot, or delete a message of SEALED.
func Roles(log string) []Role {
	read := reading(log)
	events, sealed, payloads := streams.EventsName(log), streams.SealedName(log), streams.PayloadsName(log)
	cursors, archive := "$KV."+streams.CursorsBucket+".>", "OBJ_"+streams.ArchiveBucket
	return []Role{
		{Name: RoleAdmin, Account: accountLog, Publish: []string{">"}, Subscribe: []string{">"}},
		{Name: RoleIngest, Account: ingestAccount, Respond: true,
			Publish: join(read,
				[]string{subject.Batch(log, "*"), subject.Service(log, RoleIngest), js("STREAM.MSG.GET", events)}),
			Subscribe: []string{natsd.InboxOf(RoleIngest) + ".>", subject.Submit(log, "*")}},
		// The sealer announces what the log itself must know on the control subject: its creation,
		// keys and epochs.
		{Name: RoleSealer, Account: accountLog,
			Publish: join(read, follow(events), []string{
				"$KV." + streams.HeadBucket + ".>", cursors,
				subject.Control(log), subject.Sealed(log), subject.Payloads(log),
				js("STREAM.PURGE", events), js("STREAM.MSG.DELETE", payloads),
			}),
			Subscribe: []string{natsd.InboxOf(RoleSealer) + ".>"}},
		{Name: RoleQuery, Account: "QUERY",
			Publish:   join(read, []string{subject.Service(log, RoleQuery)}),
			Subscribe: []string{natsd.InboxOf(RoleQuery) + ".>"}},
		// EVENTS tells the alert service how long the oldest event waits to be sealed.
		{Name: RoleAlert, Account: "ALERT",
			Publish: join(read, follow(streams.AlertsName(log)), []string{
				js("STREAM.MSG.GET", events), cursors, subject.AllAlerts(log), subject.Service(log, RoleAlert),
			}),
			Subscribe: []string{natsd.InboxOf(RoleAlert) + ".>"}},
		{Name: RoleArchiver, Account: "ARCHIVER",
			Publish: join(read, []string{
				"$O." + streams.ArchiveBucket + ".C.>", "$O." + streams.ArchiveBucket + ".M.>",
				js("STREAM.PURGE", archive), js("STREAM.MSG.DELETE", archive), js("STREAM.PURGE", sealed),
				js("STREAM.PURGE", payloads),
			}),
			Subscribe: []string{natsd.InboxOf(RoleArchiver) + ".>"}},
		{Name: RoleSink, Account: "SINK",
			Publish:   join(read, []string{cursors}),
			Subscribe: []string{natsd.InboxOf(RoleSink) + ".>"}},
	}
}

// AgentRole is the user of one agent: its own subjects and its own inboxes, and nothing of
// JetStream.
func AgentRole(log, did string) Role {
	return agentRole(log, subject.AgentToken(did))
}

func agentRole(log, token string) Role {
	return Role{
		Name: token, Account: "AGENT_" + token,
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
