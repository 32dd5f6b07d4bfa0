package rulesfile

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/yamlfile"
)

const goodFile = `
# what this team wants to know
sealer_lag: 1m
rules:
  - name: crm-denied
    match:
      resource: {prefix: [/crm/, /billing/]}
      outcome: [denied, error]
      extensions.tenant: acme
  - name: burst
    match: {event_type: tool_invocation, outcome: denied}
    rate: {count: 10, window: 1m, per: agent}
  - name: quiet
    match: {agent_did: "did:web:nightly.example.com"}
    silence: 26h
webhooks:
  - name: pager
    url: https://pager.example.com/hook
    secret_file: /run/secrets/pager
    types: [policy_violation, agent-silence]
    rules: quiet
    timeout: 5s
    give_up: 48h
  - {name: local, url: "http://127.0.0.1:9000/", secret_file: s}
`

func TestParse(t *testing.T) {
	f, err := Parse("alerts.yaml", []byte(goodFile))
	if err != nil {
		t.Fatal(err)
	}
	want := alert.File{
		Lag: time.Minute,
		Rules: []alert.Rule{
			{Name: "crm-denied", Match: []alert.Condition{
				{Field: "resource", Prefixes: []string{"/crm/", "/billing/"}}, {Field: "outcome", Values: []string{"denied", "error"}},
				{Field: "extensions.tenant", Values: []string{"acme"}},
			}},
			{Name: "burst", Match: []alert.Condition{{Field: "event_type", Values: []string{"tool_invocation"}}, {Field: "outcome", Values: []string{"denied"}}},
				Rate: &alert.Rate{Count: 10, Window: time.Minute, Per: "agent"}},
			{Name: "quiet", Match: []alert.Condition{{Field: "agent_did", Values: []string{"did:web:nightly.example.com"}}}, Silence: 26 * time.Hour},
		},
		Webhooks: []alert.Webhook{
			{Name: "pager", URL: "https://pager.example.com/hook", SecretFile: "/run/secrets/pager", Types: []string{"policy_violation", "agent-silence"},
				Rules: []string{"quiet"}, Timeout: 5 * time.Second, GiveUp: 48 * time.Hour},
			{Name: "local", URL: "http://127.0.0.1:9000/", SecretFile: "s"},
		},
	}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got  %+v\nwant %+v", f, want)
	}
	if err := alert.CheckRules(f.Rules); err != nil {
		t.Error(err)
	}
	for _, empty := range []string{"", "# nothing\n", "---\n", "rules: []\n", "---\nrules: []\n---\n"} {
		if f, err := Parse("x", []byte(empty)); err != nil || len(f.Rules) != 0 {
			t.Errorf("%q: %+v, %v", empty, f, err)
		}
	}
	if f, err := Parse("x", []byte("sealer_lag: off")); err != nil || f.Lag != -1 {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestParseRefuses: each message names the line, the field and what would be right.
func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"rules:\n  - name: a\n    match: {outcom: denied}\n", "f:3:21: rules[0].match.outcom: no such field; there are action, agent_did, "},
		{"rules:\n  - name: a\n    match: {outcome: denied}\n    rate: {count: 3, window: 1m, per: agnet}\n", `f:4:39: rules[0].rate.per: "agnet" is none of agent, resource`},
		{"rules:\n  - name: a\n    match: {outcome: denied}\n    rate: {count: 3, per: agent}\n", "f:4:11: rules[0].rate: window is missing"},
		{"rules:\n  - name: a\n    match: {outcome: denied}\n    rate: {count: many, window: 1m, per: agent}\n", `f:4:19: rules[0].rate.count: a number is wanted, not "many"`},
		{"rules:\n  - name: a\n    match: {outcome: denied}\n    rate: {count: 0, window: 1m, per: agent}\n", "f:4:19: rules[0].rate.count: 0 is not 1 to 10000"},
		{"rules:\n  - name: a\n    silence: soon\n", `f:3:14: rules[0].silence: a duration such as 90s, 15m or 24h is wanted, not "soon"`},
		{"rules:\n  - name: a\n    silence: 10ms\n", "f:3:14: rules[0].silence: 10ms is not 1s to 744h0m0s"},
		{"rules:\n  - name: a\n    silence: 1m\n    rate: {count: 3, window: 1m, per: agent}\n", "f:2:5: rules[0]: a rule is about a rate or about silence, not both"},
		{"rules:\n  - name: a\n", "f:2:5: rules[0]: a rule without conditions matches everything"},
		{"rules:\n  - match: {outcome: denied}\n", "f:2:5: rules[0]: a rule needs a name"},
		{"rules:\n  - name: a b\n    match: {outcome: denied}\n", `f:2:11: rules[0].name: name "a b" is not 1 to 64 of`},
		{"rules:\n  - name: policy_violation\n    match: {outcome: denied}\n", `f:2:5: rules[0]: "policy_violation": the name is taken`},
		{"rules:\n  - {name: a, match: {outcome: denied}}\n  - {name: a, match: {outcome: error}}\n", `f:3:5: rules[1]: "a": the name is taken`},
		{"rules:\n  - name: a\n    match:\n      resource: /crm/*\n", `f:4:17: rules[0].match.resource: "/crm/*" is compared as it stands; write {prefix: "/crm/"}`},
		{"rules:\n  - name: a\n    match: {resource: {suffix: x}}\n", "f:3:24: rules[0].match.resource.suffix: no such setting; there are equals, prefix"},
		{"rules:\n  - name: a\n    match: {resource: }\n", "f:3:23: rules[0].match.resource: a text is wanted, not nothing"},
		{"rules:\n  - name: a\n    match: {resource: []}\n", "f:3:23: rules[0].match.resource: 0 values; 1 to 10000 are possible"},
		{"rules:\n  - name: a\n    match: {resource: \"\"}\n", "f:3:23: rules[0].match.resource: an empty value matches nothing"},
		{"rules:\n  - name: a\n    match: {outcome: denied, outcome: error}\n", "f:3:30: rules[0].match.outcome: given twice"},
		{"sealer_lag: soon\nx: 1", "f:1:13: sealer_lag: a duration such as 90s, 15m or 24h is wanted, not \"soon\"\nf:2:1: x: no such"},
		{"sealer_lag: 10ms\n", "f:1:13: sealer_lag: 10ms is not 1s to 744h0m0s"},
		{"rules: 7\n", `f:1:8: rules: a list is wanted, not "7"`},
		{"rules:\n  - burst\n", `f:2:5: rules[0]: a mapping is wanted, not "burst"`},
		{"ruels: []\n", "f:1:1: ruels: no such setting; there are rules, sealer_lag, webhooks"},
		{"- a\n", "f:1:1: file: a mapping is wanted, not a list"},
		{"rules: &x []\nwebhooks: *x\n", "f:2:11: webhooks: a list is wanted, not an alias, which is not taken"},
		{"rules:\n - name: [\n", "f: line 2: did not find expected node content"},
		{"webhooks:\n  - {name: a, url: \"http://example.com/\"}\n", "f:2:5: webhooks[0]: url: http is allowed only on the loopback"},
		{"webhooks:\n  - {name: a, url: \"ftp://example.com/\"}\n", "f:2:5: webhooks[0]: url: must be https://HOST/"},
		{"webhooks:\n  - {name: a, url: \"https://me:pw@example.com/\"}\n", "f:2:5: webhooks[0]: url: must not have a user or password"},
		{"webhooks:\n  - {name: a, url: \"https://example.com/\", secret: whsec_x}\n", "f:2:44: webhooks[0].secret: no such setting; there are name, url, secret_file"},
		{"rules:\n  - {name: a, match: {outcome: denied}}\nwebhooks:\n  - {name: w, url: \"https://example.com/\", rules: [a, policy_violation, aa]}\n",
			`f:4:5: webhooks[0].rules: "aa" is no rule of this file, nor a type that is always told`},
		{"rules: []\n---\nrules: []\n", "f:2:1: file: a second document, which would not be looked at"},
		{"rules: []\n---\n[\n", "f: line 3: did not find expected node content"},
	} {
		_, err := Parse("f", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || !errors.Is(err, alert.ErrConfig) {
			t.Errorf("%q:\ngot  %v\nwant %s", c.text, err, c.want)
		}
	}
	// all of them at once, but not without end
	_, err := Parse("f", []byte("rules:\n"+strings.Repeat("  - {name: \"\", rate: 1}\n", 100)))
	if err == nil || strings.Count(err.Error(), "\n") != yamlfile.MaxProblems-1 {
		t.Errorf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(goodFile))
	f.Add([]byte("rules: [{name: a, match: {extensions.x: {equals: [a, b], prefix: c}}, rate: {count: 1, window: " +
		"1s, per: resource}}]"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse("f", text)
		if err != nil {
			if !errors.Is(err, alert.ErrConfig) || err.Error() == "" {
				t.Fatalf("%v", err)
			}
			return
		}
		if err := alert.CheckRules(file.Rules); err != nil {
			t.Fatalf("taken from a file, but refused: %v", err)
		}
		for _, w := range file.Webhooks {
			if err := w.Check(); err != nil {
				t.Fatalf("taken from a file, but refused: %v", err)
			}
		}
	})
}

// TestExample holds the file that the README points to.
func TestExample(t *testing.T) {
	text, err := os.ReadFile("../example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse("../example.yaml", text)
	if err != nil || len(f.Rules) != 3 || len(f.Webhooks) != 1 || f.Lag == 0 {
		t.Errorf("%+v, %v", f, err)
	}
}
