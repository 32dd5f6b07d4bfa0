package streams

import "testing"

func TestSubjects(t *testing.T) {
	for have, want := range map[string]string{
		EventsSubject("a", "x"): "audit.a.events.x", BatchSubject("a", "i"): "audit.a.batch.i", ControlSubject("a"): "audit.a.control",
		SealedSubject("a"): "audit.a.sealed", PayloadsSubject("a"): "audit.a.payloads", PayloadsRewriteSubject("a", 7): "audit.a.payloads.7",
		AlertsSubject("a", "policy_violation", "x"): "audit.a.alerts.policy_violation.x",
	} {
		if have != want {
			t.Errorf("%s, want %s", have, want)
		}
	}
}
