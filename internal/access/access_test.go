package access

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	userKey  = "UA5WUJ54Z23KILLCUOUNAKTPBVZWKMQVO4O6EQ5GHLAERIMLLHNCTYM5"
	reader   = "did:web:reader.example.com"
	stranger = "did:web:stranger.example.com"
)

// rulesForTest has an identity for each kind of credential.
func rulesForTest() Rules {
	issuer := Issuer{URL: "https://login.example.com", Audience: "sealstream"}
	return Rules{
		Issuers: []Issuer{issuer},
		Identities: []Identity{
			{ID: "ci", Tokens: []TokenHash{{Name: "a", Hash: HashToken("x"), Expires: day(30)}, {Name: "b", Hash: HashToken("y")}},
				Grants: Grants{Publish: Agents{"did:web:a.example.com", "did:web:team-*"}, Read: Agents{reader}}},
			{ID: "auditors", OIDC: []ClaimRule{{Issuer: issuer.URL, Claims: map[string]string{"groups": "audit"}, Name: "email"}},
				Grants: Grants{ReadAll: true, Export: true}},
			{ID: "robots", OIDC: []ClaimRule{{Issuer: issuer.URL, Claims: map[string]string{"sub": "robot"}}}},
			{ID: "billing", MTLS: []string{"spiffe://example.org/billing", "dns:billing.example.org"}, Grants: Grants{Proof: true}},
			{ID: "crm", MTLS: []string{"spiffe://example.org/crm"}, NKeys: []string{userKey}, Grants: Grants{Admin: true}},
		},
	}
}

func day(n int) time.Time { return time.Date(2026, 12, n, 0, 0, 0, 0, time.UTC) }

func compile(t *testing.T, r Rules) *Version {
	t.Helper()
	v, err := Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestT44Credentials: each credential proves its identity, and no other one does. T44, T45.
func TestT44Credentials(t *testing.T) {
	v := compile(t, rulesForTest())
	claims := func(change func(*Claims)) Credential {
		c := &Claims{Issuer: "https://login.example.com", Audience: []string{"x", "sealstream"}, Algorithm: "ES256",
			Values: map[string][]string{"groups": {"dev", "audit"}, "email": {"eve@example.com"}}}
		change(c)
		return Credential{Kind: OIDC, Claims: c, Expires: day(2)}
	}
	same := func(*Claims) {}
	for _, c := range []struct {
		name string
		c    Credential
		at   time.Time
		want string
		err  error
	}{
		{"token", Credential{Kind: Token, Token: HashToken("x")}, day(29), "ci", nil},
		{"token at its end", Credential{Kind: Token, Token: HashToken("x")}, day(30), "", ErrExpired},
		{"token without end", Credential{Kind: Token, Token: HashToken("y")}, day(31), "ci", nil},
		{"guess", Credential{Kind: Token, Token: HashToken("z")}, day(1), "", ErrUnknown},
		{"no token", Credential{Kind: Token}, day(1), "", ErrUnknown},
		{"no kind", Credential{Token: HashToken("x")}, day(1), "", ErrUnknown},
		{"jwt", claims(same), day(1), "auditors/eve@example.com", nil},
		{"old jwt", claims(same), day(2), "", ErrExpired},
		{"other audience", claims(func(c *Claims) { c.Audience = []string{"x"} }), day(1), "", ErrUnknown},
		{"other issuer", claims(func(c *Claims) { c.Issuer += "/" }), day(1), "", ErrUnknown},
		{"other algorithm", claims(func(c *Claims) { c.Algorithm = "HS256" }), day(1), "", ErrUnknown},
		{"other group", claims(func(c *Claims) { c.Values["groups"] = []string{"auditor"} }), day(1), "", ErrUnknown},
		{"no name", claims(func(c *Claims) { delete(c.Values, "email") }), day(1), "", ErrUnknown},
		{"two names", claims(func(c *Claims) { c.Values["email"] = []string{"a", "b"} }), day(1), "", ErrUnknown},
		{"odd name", claims(func(c *Claims) { c.Values["email"] = []string{"a\"b"} }), day(1), "", ErrUnknown},
		{"later identity", claims(func(c *Claims) { c.Values = map[string][]string{"sub": {"robot"}} }), day(1), "robots", nil},
		{"spiffe", Credential{Kind: MTLS, Names: []string{"spiffe://example.org/crm"}}, day(1), "crm", nil},
		{"dns", Credential{Kind: MTLS, Names: []string{"dns:x", "dns:billing.example.org"}}, day(1), "billing", nil},
		{"two of one", Credential{Kind: MTLS, Names: []string{"dns:billing.example.org", "spiffe://example.org/billing"}}, day(1), "billing", nil},
		{"two of two", Credential{Kind: MTLS, Names: []string{"dns:billing.example.org", "spiffe://example.org/crm"}}, day(1), "", ErrUnknown},
		{"name as kind", Credential{Kind: MTLS, Names: []string{"billing.example.org"}}, day(1), "", ErrUnknown},
		{"old certificate", Credential{Kind: MTLS, Names: []string{"spiffe://example.org/crm"}, Expires: day(1)}, day(1), "", ErrExpired},
		{"nkey", Credential{Kind: NKey, NKey: userKey}, day(1), "crm", nil},
		{"no nkey", Credential{Kind: NKey}, day(1), "", ErrUnknown},
	} {
		got, err := v.Judge(c.c, c.at)
		if got.ID() != c.want || !errors.Is(err, c.err) || got.Known() != (err == nil) {
			t.Errorf("%s: %q, %v; want %q, %v", c.name, got.ID(), err, c.want, c.err)
		}
	}
}

// TestCaller: what each kind of caller may do. The zero one may nothing, and Open everything.
func TestCaller(t *testing.T) {
	v := compile(t, rulesForTest())
	of := func(c Credential) Caller {
		caller, err := v.Judge(c, day(1))
		if err != nil {
			t.Fatal(err)
		}
		return caller
	}
	ci := of(Credential{Kind: Token, Token: HashToken("y")})
	all := of(Credential{Kind: OIDC, Claims: &Claims{Issuer: "https://login.example.com", Audience: []string{"sealstream"},
		Algorithm: "RS256", Values: map[string][]string{"groups": {"audit"}, "email": {"e"}}}})
	proof := of(Credential{Kind: MTLS, Names: []string{"dns:billing.example.org"}})
	for _, c := range []struct {
		name    string
		caller  Caller
		scopes  []Scope
		sees    []string // of agents and types
		readKey string
		hashes  string // of entries with and without blind
	}{
		{"nobody", Caller{}, nil, nil, "", ""},
		{"open", Open, Scopes(), everything, "all", "new old"},
		{"ci", ci, []Scope{Publish, Read}, []string{reader, "sealstream.config", "sealstream.epoch", "sealstream.gap", "sealstream.key.revoke"}, ci.ReadKey(), ""},
		{"auditor", all, []Scope{Read, Proof, Export}, everything, "all", "new old"},
		{"proof", proof, []Scope{Proof}, nil, "", "new"},
	} {
		for _, s := range Scopes() {
			if got := c.caller.Has(s); got != slices.Contains(c.scopes, s) {
				t.Errorf("%s: %s %v", c.name, s, got)
			}
		}
		for _, what := range everything {
			agent, eventType := what, "tool_invocation"
			if strings.HasPrefix(what, "sealstream.") {
				agent, eventType = "", what
			}
			if got := c.caller.SeesEntry(agent, eventType); got != slices.Contains(c.sees, what) {
				t.Errorf("%s: sees %s: %v", c.name, what, got)
			}
		}
		if got := c.caller.ReadKey(); got != c.readKey {
			t.Errorf("%s: key %q", c.name, got)
		}
		for word, blind := range map[string]bool{"new": true, "old": false} {
			if got := c.caller.SeesHash(blind); got != strings.Contains(c.hashes, word) {
				t.Errorf("%s: %s hashes: %v", c.name, word, got)
			}
		}
	}
	if !ci.SeesEntry(reader, "sealstream.equivocation") || ci.SeesEntry(stranger, "sealstream.equivocation") {
		t.Error("an equivocation does not belong to its agent")
	}
	for agent, want := range map[string]bool{
		"did:web:a.example.com": true, "did:web:a.example.com.evil.com": false, "did:web:a.example.co": false,
		"did:web:team-": true, "did:web:team-1": true, "did:web:team": false, "": false, "did:web:team-*": true,
	} {
		if ci.MayPublish(agent) != want || (Caller{}).MayPublish(agent) || !Open.MayPublish(agent) || all.MayPublish(agent) {
			t.Errorf("publishes as %q: %v", agent, ci.MayPublish(agent))
		}
	}
	if ctx := With(t.Context(), ci); From(ctx) != ci || From(t.Context()) != (Caller{}) {
		t.Error("the context does not keep the caller")
	}
}

var everything = []string{
	reader, stranger, "sealstream.config", "sealstream.epoch", "sealstream.gap", "sealstream.key.revoke",
	"sealstream.rejected", "sealstream.duplicate", "sealstream.control", "sealstream.erasure", "sealstream.access",
	"sealstream.read", "sealstream.approval.granted", "sealstream.keys",
}

// TestReadKey: the order of the list does not matter, and nothing else is the same.
func TestReadKey(t *testing.T) {
	key := func(g Grants) string {
		return Caller{&judged{version: &Version{}, identity: &Identity{Grants: g}}}.ReadKey()
	}
	ab := key(Grants{Read: Agents{"a", "b"}})
	if ab != key(Grants{Read: Agents{"b", "a"}, Export: true}) {
		t.Error("the key depends on more than the agents")
	}
	seen := map[string]bool{ab: true}
	for _, g := range []Grants{
		{ReadAll: true}, {}, {Read: Agents{"a"}}, {Read: Agents{"ab"}}, {Read: Agents{"a*"}}, {Read: Agents{"all"}},
	} {
		if seen[key(g)] {
			t.Errorf("%+v: the key of others", g)
		}
		seen[key(g)] = true
	}
}

// TestCompileRefuses: what contradicts itself, or could be read in two ways, is no set of rules.
func TestCompileRefuses(t *testing.T) {
	for name, change := range map[string]func(r *Rules){
		"id used twice":       func(r *Rules) { r.Identities[1].ID = "ci" },
		"id empty":            func(r *Rules) { r.Identities[1].ID = "" },
		"id with slash":       func(r *Rules) { r.Identities[1].ID = "a/b" },
		"id of a subject":     func(r *Rules) { r.Identities[1].ID = "subject:x" },
		"id of NATS":          func(r *Rules) { r.Identities[1].ID = "nats:x" },
		"token of two":        func(r *Rules) { r.Identities[1].Tokens = r.Identities[0].Tokens[:1] },
		"tokens of one name":  func(r *Rules) { r.Identities[0].Tokens[1].Name = "a" },
		"token without name":  func(r *Rules) { r.Identities[0].Tokens[1].Name = "" },
		"certificate of two":  func(r *Rules) { r.Identities[4].MTLS[0] = r.Identities[3].MTLS[0] },
		"nkey of two":         func(r *Rules) { r.Identities[0].NKeys = []string{userKey} },
		"nkey of an account":  func(r *Rules) { r.Identities[4].NKeys[0] = "A" + userKey[1:] },
		"nkey mistyped":       func(r *Rules) { r.Identities[4].NKeys[0] = userKey[:55] + "X" },
		"unknown issuer":      func(r *Rules) { r.Identities[1].OIDC[0].Issuer = "https://x.example.com" },
		"no claims":           func(r *Rules) { r.Identities[1].OIDC[0].Claims = nil },
		"empty claim":         func(r *Rules) { r.Identities[1].OIDC[0].Claims["sub"] = "" },
		"issuer over http":    func(r *Rules) { r.Issuers[0].URL = "http://login.example.com" },
		"issuer twice":        func(r *Rules) { r.Issuers = append(r.Issuers, r.Issuers[0]) },
		"issuer, no audience": func(r *Rules) { r.Issuers[0].Audience = "" },
		"algorithm none":      func(r *Rules) { r.Issuers[0].Algorithms = []string{"none"} },
		"algorithm HS256":     func(r *Rules) { r.Issuers[0].Algorithms = []string{"HS256"} },
		"all and some":        func(r *Rules) { r.Identities[0].Grants.ReadAll = true },
		"old hashes alone":    func(r *Rules) { r.Identities[0].Grants.OldHashes = true },
		"star in the middle":  func(r *Rules) { r.Identities[0].Grants.Read = Agents{"a*b"} },
		"two stars":           func(r *Rules) { r.Identities[0].Grants.Read = Agents{"a**"} },
		"empty agent":         func(r *Rules) { r.Identities[0].Grants.Publish = Agents{""} },
		"agent twice":         func(r *Rules) { r.Identities[0].Grants.Publish = Agents{"a", "a"} },
		"agent of two lines":  func(r *Rules) { r.Identities[0].Grants.Publish = Agents{"a\nb"} },
		"long agent":          func(r *Rules) { r.Identities[0].Grants.Publish = Agents{strings.Repeat("a", 257)} },
		"spiffe with a query": func(r *Rules) { r.Identities[3].MTLS[0] += "?x" },
		"spiffe with a port":  func(r *Rules) { r.Identities[3].MTLS[0] = "spiffe://a:1/x" },
		"bare dns name":       func(r *Rules) { r.Identities[3].MTLS[0] = "billing.example.org" },
		"dns wildcard":        func(r *Rules) { r.Identities[3].MTLS[0] = "dns:*.example.org" },
		"dns in capitals":     func(r *Rules) { r.Identities[3].MTLS[0] = "dns:Billing" },
	} {
		r := rulesForTest()
		change(&r)
		if _, err := Compile(r); !errors.Is(err, ErrRules) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDecide: the explanation agrees with what the methods of a Caller do.
func TestDecide(t *testing.T) {
	v := compile(t, rulesForTest())
	for _, d := range v.Rules().Identities {
		caller := Caller{&judged{version: v, identity: &d}}
		for _, s := range Scopes() {
			for _, agent := range []string{"", reader, stranger, "did:web:team-7"} {
				want := caller.Has(s)
				switch {
				case s == Read && agent != "":
					want = caller.Sees(agent)
				case s == Publish && agent != "":
					want = caller.MayPublish(agent)
				}
				if got := v.Decide(d.ID, s, agent); got.Allowed != want || !strings.Contains(got.Reason, d.ID) {
					t.Errorf("%s %s %s: %+v, want %v", d.ID, s, agent, got, want)
				}
			}
		}
	}
	if got := v.Decide("nobody", Read, ""); got.Allowed {
		t.Errorf("%+v", got)
	}
}

// TestToken: a token is told from everything else, and from a mistyped one.
func TestToken(t *testing.T) {
	token := NewToken()
	if !IsToken(token) || NewToken() == token {
		t.Fatalf("%q", token)
	}
	for i := range token {
		for _, c := range []byte{'a', 'b', 'Z', '_', ' '} {
			if other := token[:i] + string(c) + token[i+1:]; other != token && IsToken(other) {
				t.Errorf("%q is a token as well as %q", other, token)
			}
		}
	}
	for _, s := range []string{"", "sst_", token + "a", token[1:], " " + token, strings.ToUpper(token)} {
		if IsToken(s) {
			t.Errorf("%q is a token", s)
		}
	}
}
