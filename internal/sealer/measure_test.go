package sealer

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
	"github.com/sealstream/sealstream/streams/subject"
)

// prepared1 prepares one structured event by the rules of a number and by the default redaction.
func prepared1(t *testing.T, rules uint64, body string) item {
	t.Helper()
	set, err := redact.Compile(redact.Default())
	if err != nil {
		t.Fatal(err)
	}
	id := identity{logName: testLog, origin: "o", secret: make([]byte, 32), redact: set, rules: rules}
	p := id.prepare(entry.Message{
		Subject: subject.Root(testLog) + tokenSubject("did:a"), Seq: 1, Time: time.Unix(0, 0), Data: []byte(body),
	}, 1)
	if len(p.items) != 1 {
		t.Fatalf("%d items", len(p.items))
	}
	return p.items[0]
}

// wideEvent has n attributes of full size, and a secret in another one.
func wideEvent(n int, more string) string {
	s := `{"specversion":"1.0","id":"1","source":"did:a","type":"t","password":"` + strings.Repeat("p", 4096) + `"`
	for i := range n {
		s += fmt.Sprintf(`,"e%d":%q`, i, strings.Repeat("x", 4096))
	}
	return s + more + "}"
}

// TestMeasuredRedacted: from ruleset.Blinding on, only what redaction leaves of an event must fit,
// and an event that does not fit shows nothing of the secrets that were found in it. Older rules
// measure the event as it came.
func TestMeasuredRedacted(t *testing.T) {
	fits := wideEvent(15, "")
	if it := prepared1(t, ruleset.Binding, fits); it.draft.IsEvent() {
		t.Error("an event that is too large before it is redacted is sealed by older rules")
	}
	it := prepared1(t, ruleset.Blinding, fits)
	if e, _ := it.draft.Seal(1, entry.Hash{}); !e.IsEvent() || it.refused != nil || !e.Altered {
		t.Errorf("refused, though it fits when it is redacted: %.300s", e.Leaf)
	}

	secret := base64.StdEncoding.EncodeToString([]byte("password=" + aPassword))
	it = prepared1(t, ruleset.Blinding, wideEvent(16, `,"datacontenttype":"text/plain","data_base64":"`+secret+`"`))
	if it.refused == nil {
		t.Fatal("an event that does not fit is not measured when it is redacted")
	}
	e, p := it.refused.Seal(1, entry.Hash{})
	if string(p.Data) != "[REDACTED:refused]" || len(e.Redactions) != 1 || e.Redactions[0].Kind != "refused" {
		t.Errorf("data %.100q, redactions %v", p.Data, e.Redactions)
	}
}
