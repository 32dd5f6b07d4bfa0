// Package subject names every NATS subject and every key of a log. Every publisher, subscriber and
// store imports it. It imports neither NATS nor other packages of this project. A token may be a
// wildcard * or >.
package subject

import (
	"slices"
	"strconv"
)

// Prefix is the prefix of all subjects of all logs.
const Prefix = "audit."

// Root returns the prefix of all subjects of a log.
func Root(log string) string { return Prefix + log + "." }

// Events returns the subject on which an agent publishes. token is its agent token, or "open" for
// any source, if the log accepts that.
func Events(log, token string) string { return Root(log) + "events." + token }

// Submit returns the subject of requests with events to ingest, which answers with receipts. No
// stream stores it: ingest writes the events of many requests to EVENTS in one message.
func Submit(log, token string) string { return Root(log) + "submit." + token }

// Batch returns the subject on which an ingest publishes its groups of events.
func Batch(log, ingest string) string { return Root(log) + "batch." + ingest }

// Control returns the subject on which administrators publish what the log itself must record.
func Control(log string) string { return Root(log) + "control" }

// Service returns the subject on which a service of a role publishes what it records in the log.
// The role may be *.
func Service(log, role string) string { return Root(log) + "service." + role }

// Roles returns the roles of the services that publish on Service.
func Roles() []string { return []string{"alert", "ingest", "query"} }

// IsRole reports whether a token is the role of a service that publishes on Service.
func IsRole(token string) bool { return slices.Contains(Roles(), token) }

// Sealed returns the only subject of the SEALED stream.
func Sealed(log string) string { return Root(log) + "sealed" }

// Payloads returns the subject on which the sealer publishes the data of entries.
func Payloads(log string) string { return Root(log) + "payloads" }

// PayloadsRewrite returns the subject of the rewritten form of a Payloads message from which data
// was erased. seq is the sequence of the original.
func PayloadsRewrite(log string, seq uint64) string {
	return Payloads(log) + "." + strconv.FormatUint(seq, 10)
}

// Alerts returns the subject of the alerts of an event type about an agent.
func Alerts(log, eventType, token string) string {
	return Root(log) + "alerts." + eventType + "." + token
}

// AllAlerts returns a subject that matches all alerts of a log.
func AllAlerts(log string) string { return Root(log) + "alerts.>" }

// NoAlert returns a subject without messages in any stream. It is a filter that matches nothing.
func NoAlert(log string) string { return Root(log) + "alerts" }

// Refused returns the subject to which a server without space redirects what an agent publishes on
// Events, so that a responder can say why. No stream stores it.
func Refused(log, token string) string { return Root(log) + "refused." + token }

// Replay returns the subject of a replay with that name. No stream stores it.
func Replay(log, name string) string { return Root(log) + "replay." + name }
