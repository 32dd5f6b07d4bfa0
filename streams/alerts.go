package streams

import "github.com/nats-io/nats.go/jetstream"

// AlertsName is the stream of alerts.
func AlertsName(log string) string { return "ALERTS_" + log }

// AlertsSubject is where the alerts of an event type and an agent stand.
func AlertsSubject(log, eventType, token string) string {
	return "audit." + log + ".alerts." + eventType + "." + token
}

// alerts: derived from the log and written again from it if they are lost. The last message is the alert follower's cursor.
func (c Config) alerts() jetstream.StreamConfig {
	s := c.durable(AlertsName(c.Log), "one CloudEvent an alert", "audit."+c.Log+".alerts.>")
	s.MaxBytes = orDefault(c.AlertsMaxBytes, 1<<30)
	s.MaxMsgSize = 1 << 20
	s.AllowAtomicPublish = true // many alerts at once, behind one expected last sequence
	return s
}
