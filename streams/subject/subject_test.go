package subject_test

import (
	"testing"

	"github.com/sealstream/sealstream/streams/subject"
)

// TestNames holds what other programs, permissions and stored logs rely on.
func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		subject.Events("default", "mfrggzdfmztwq2lknnwg23tpoa"): "audit.default.events.mfrggzdfmztwq2lknnwg23tpoa",
		subject.Submit("default", "*"):                          "audit.default.submit.*",
		subject.Batch("default", "i1"):                          "audit.default.batch.i1",
		subject.Control("a-1"):                                  "audit.a-1.control",
		subject.Sealed("a-1"):                                   "audit.a-1.sealed",
		subject.Payloads("a-1"):                                 "audit.a-1.payloads",
		subject.PayloadsRewrite("a-1", 17):                      "audit.a-1.payloads.17",
		subject.Alerts("a-1", "policy_violation", "tok"):        "audit.a-1.alerts.policy_violation.tok",
		subject.AllAlerts("a-1"):                                "audit.a-1.alerts.>",
		subject.NoAlert("a-1"):                                  "audit.a-1.alerts",
		subject.Refused("a-1", "$1"):                            "audit.a-1.refused.$1",
		subject.Replay("a-1", "night"):                          "audit.a-1.replay.night",
		subject.Cosigned("a-1"):                                 "a-1/cosigned",
		subject.Lease("a-1"):                                    "a-1/lease",
		subject.Sweep("a-1"):                                    "a-1/sweep",
		subject.AlertCursor("a-1"):                              "a-1/alerts",
		subject.WebhookCursor("a-1", "pager"):                   "a-1/webhook/pager",
		subject.SinkCursor("a-1", "file"):                       "a-1/sink-file",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
