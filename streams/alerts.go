package streams

import (
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/streams/subject"
)

// AlertsName returns the name of the stream of alerts.
func AlertsName(log string) string { return "ALERTS_" + log }

// alerts declares ALERTS. It is derived from the log and written again from it if it is lost. Its
// last message serves as the alert follower's cursor.
func (c Config) alerts() jetstream.StreamConfig {
	s := c.durable(AlertsName(c.Log), "one CloudEvent an alert", subject.AllAlerts(c.Log))
	s.MaxBytes = orDefault(c.AlertsMaxBytes, 1<<30)
	s.MaxMsgSize = 1 << 20
	s.AllowAtomicPublish = true // allows many alerts at once, with one expected last sequence
	return s
}
