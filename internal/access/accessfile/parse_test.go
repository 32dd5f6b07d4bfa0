package accessfile

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/access"
)

const goodFile = `
# who is who
issuers:
  - url: https://login.example.com
    audience: sealstream
    algorithms: [ES256, EdDSA]
    ca_file: /etc/ca.pem
identities:
  - id: ci
    tokens:
      - name: laptop
        sha256: 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881
        expires: 2027-03-01T00:00:00Z
    may:
      publish: [did:web:billing.example.com, "did:web:team-*"]
      read: ["did:web:billing.example.com"]
      proof: true
  - id: auditors
    oidc:
      - issuer: https://login.example.com
        claims: {groups: auditors}
        name: email
    may: {read: all, export: true, alerts: false}
  - id: ops
    mtls: [spiffe://example.org/ops, dns:ops.example.org]
    nkeys: UA5WUJ54Z23KILLCUOUNAKTPBVZWKMQVO4O6EQ5GHLAERIMLLHNCTYM5
    may: {proof: all, admin: true, approve: true}
`

func TestParse(t *testing.T) {
	v, err := Parse("access.yaml", []byte(goodFile))
	if err != nil {
		t.Fatal(err)
	}
	x, _ := hex.DecodeString("2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881")
	want := access.Rules{
		Issuers: []access.Issuer{{URL: "https://login.example.com", Audience: "sealstream",
			Algorithms: []string{"ES256", "EdDSA"}, CAFile: "/etc/ca.pem"}},
		Identities: []access.Identity{
			{ID: "ci", Tokens: []access.TokenHash{{Name: "laptop", Hash: [32]byte(x), Expires: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)}},
				Grants: access.Grants{Publish: access.Agents{"did:web:billing.example.com", "did:web:team-*"},
					Read: access.Agents{"did:web:billing.example.com"}, Proof: true}},
			{ID: "auditors", OIDC: []access.ClaimRule{{Issuer: "https://login.example.com", Claims: map[string]string{"groups": "auditors"}, Name: "email"}},
				Grants: access.Grants{ReadAll: true, Export: true}},
			{ID: "ops", MTLS: []string{"spiffe://example.org/ops", "dns:ops.example.org"},
				NKeys:  []string{"UA5WUJ54Z23KILLCUOUNAKTPBVZWKMQVO4O6EQ5GHLAERIMLLHNCTYM5"},
				Grants: access.Grants{Proof: true, OldHashes: true, Admin: true, Approve: true}},
		},
	}
	if got := v.Rules(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, empty := range []string{"", "# nothing\n", "identities: []\n"} {
		if v, err := Parse("x", []byte(empty)); err != nil || len(v.Rules().Identities) != 0 {
			t.Errorf("%q: %v", empty, err)
		}
	}
}

// TestParseRefuses: each message names the line and the setting. Nothing that is misspelt is read
// as something else.
func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"identites: []\n", "f:1:1: identites: no such setting; there are issuers, identities"},
		{"identities:\n  - id: a\n    may: {raed: all}\n", "f:3:11: identities[0].may.raed: no such setting; there are publish, read, proof, "},
		{"identities:\n  - id: a\n    may: {read: al}\n", "f:3:17: identities[0].may.read: all, or a list of agents, is wanted"},
		{"identities:\n  - id: a\n    may: {publish: all}\n", "f:3:20: identities[0].may.publish: a list of agents is wanted"},
		{"identities:\n  - id: a\n    may: {proof: yes}\n", `f:3:18: identities[0].may.proof: true or false is wanted, not "yes"`},
		{"identities:\n  - id: a\n    may: {read: [\"a*b\"]}\n", `f: identity "a": read: agent "a*b": * is possible at the end only`},
		{"identities:\n  - may: {}\n", "f:2:5: identities[0]: id is missing"},
		{"identities:\n  - {id: a}\n  - {id: a}\n", `f: identity "a": the id is used twice`},
		{"identities:\n  - id: a\n    id: b\n", "f:3:5: identities[0].id: given twice"},
		{"identities:\n  - id: a\n    tokens: [{name: x}]\n", "f:3:14: identities[0].tokens[0]: sha256 is missing"},
		{"identities:\n  - id: a\n    tokens: [{name: x, sha256: secret}]\n", "f:3:32: identities[0].tokens[0].sha256: 64 lower-case hex digits are wanted"},
		{"identities:\n  - id: a\n    tokens: [{name: x, sha256: " + strings.Repeat("00", 32) + ", expires: soon}]\n", "f:3:107: identities[0].tokens[0].expires: a time such as 2027"},
		{"identities:\n  - id: a\n    oidc: [{issuer: \"https://x\"}]\n", "f:3:12: identities[0].oidc[0]: claims is missing"},
		{"identities:\n  - &x {id: a}\n  - *x\n", "f:3:5: identities[1]: a mapping is wanted, not an alias, which is not taken"},
		{"a: &a [*a, *a]\n", "f:1:1: a: no such setting"},
		{"identities:\n  - <<: {id: a}\n", "f:2:5: identities[0].<<: no such setting"},
		{"identities: []\n---\nidentities: []\n", "f:2:1: file: a second document"},
		{strings.Repeat("#", access.MaxFileBytes+1), "f: 262145 bytes, more than 262144"},
		{"identities: [\n", "f: line 1: did not find expected node content"},
	} {
		_, err := Parse("f", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || !errors.Is(err, access.ErrRules) {
			t.Errorf("%.200q:\ngot  %v\nwant %s", c.text, err, c.want)
		}
	}
}

// FuzzParse: every text gives rules that can be judged by, or an error that wraps ErrRules.
func FuzzParse(f *testing.F) {
	f.Add([]byte(goodFile))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("identities: [{id: a, may: {read: all, proof: all}}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Parse("f", text)
		if err != nil {
			if !errors.Is(err, access.ErrRules) || err.Error() == "" {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, d := range v.Rules().Identities {
			if v.Identity(d.ID) == nil || !v.Decide(d.ID, access.Read, "").Allowed && d.Grants.ReadAll {
				t.Fatalf("%q cannot be judged", d.ID)
			}
		}
	})
}
