package conformance_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

type redactionVectors struct {
	redactionSet
	Set2 redactionSet `json:"set2"`
}

type redactionSet struct {
	Set   uint64          `json:"set"`
	Hash  string          `json:"hash"`
	Cases []redactionCase `json:"cases"`
}

type redactionCase struct {
	Name       string            `json:"name"`
	JSON       bool              `json:"json"`
	In         []string          `json:"in"`
	Out        string            `json:"out"`
	Redactions []redactionVector `json:"redactions,omitempty"`
}

type redactionVector struct {
	Kind string `json:"kind"`
	Path string `json:"path"`
}

// setHash is that of built-in set 1. It stands in the config of every log that was made with it: it never changes.
const setHash = "0b62bafbb5490991241dd272f34ae590f0c6db007c06bee7347f837f2de954b0"

func makeRedaction() redactionVectors {
	return redactionVectors{makeSet1(), makeSet2()}
}

func makeSet1() redactionSet {
	v := redactionSet{Set: 1, Hash: setHash}
	add := func(name string, json bool, out string, found []redactionVector, in ...string) {
		v.Cases = append(v.Cases, redactionCase{name, json, in, out, found})
	}
	one := func(kind, path string) []redactionVector { return []redactionVector{{kind, path}} }
	add("nothing", true, `{"n" : 1e400, "t":"\u00e4\/ sk-learn"}`, nil, `{"n" : 1e400, "t":"\u00e4\/ sk-`, `learn"}`)
	add("the rest keeps its bytes", true, `{ "n":0.10 ,"t":"[REDACTED:github-token]","u":"\u00e4"}`,
		one("github-token", "/data/t"), `{ "n":0.10 ,"t":"ghp`, `_`+strings.Repeat("aB3d", 9), `","u":"\u00e4"}`)
	add("a string is written anew", true, `{"t":"ä/ [REDACTED:aws-access-key]\n"}`, one("aws-access-key", "/data/t"),
		`{"t":"\u00e4\/ \u0041KI`, `AIOSFODNN7`, `EXAMPLE\n"}`)
	add("names", true,
		`{"password":"[REDACTED:password]","cvv":"[REDACTED:cvv]","token":[true,"[REDACTED:token]",5,{"a":"b"}],`+
			`"max_tokens":7}`,
		[]redactionVector{{"password", "/data/password"}, {"cvv", "/data/cvv"}, {"token", "/data/token/1"}},
		`{"password":"x`, `","cvv":123,"token":[true,"x",5,{"a":"b"}],"max_tokens":7}`)
	add("a member's name", true, `{"a/b":{"x [REDACTED:stripe-key]":1}}`,
		one("stripe-key", "/data/a~1b/x [REDACTED:stripe-key]"), `{"a/b":{"x sk`, `_live_`+strings.Repeat("aB3d", 6),
		`":1}}`)
	add("names that become one", true, `"[REDACTED:members]"`, one("members", "/data"),
		`{"[REDACTED:stripe-key]":1,"sk`, `_live_`+strings.Repeat("aB3d", 6), `":1}`)
	add("a mark", true, `{"password":"[REDACTED:password]"}`, nil, `{"password":"[REDACTED:pass`, `word]"}`)
	add("text", false, "curl postgres://app:[REDACTED:url-password]@db/app", one("url-password", "/data"),
		"curl postgres://app:pw", "@db/app")
	add("a card", false, "card [REDACTED:card], ok", one("card", "/data"), "card 4242 4242 4242", " 4242, ok")
	add("no card", false, "card 4242 4242 4242 4243", nil, "card 4242 4242 4242", " 4243")
	add("JSON in text", false, `call({"api_key": "[REDACTED:api-key]", "n": 1})`, one("api-key", "/data"),
		`call({"api_key": "`, `abc", "n": 1})`)
	return v
}

// TestVectorsRedaction: a set is what it was when it was released.
func TestVectorsRedaction(t *testing.T) {
	v := vectors(t, "redaction.json", makeRedaction())
	for _, set := range []redactionSet{v.redactionSet, v.Set2} {
		t.Run(fmt.Sprint(set.Set), func(t *testing.T) { checkRedaction(t, set) })
	}
}

func checkRedaction(t *testing.T, v redactionSet) {
	if have := redact.Hash(v.Set); have != v.Hash {
		t.Fatalf("the hash of set %d is %s; logs that name %s could not be sealed any more", v.Set, have, v.Hash)
	}
	set, err := redact.Compile(&redact.Rules{Set: v.Set, Hash: v.Hash})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range v.Cases {
		names = append(names, c.Name)
		ev := entry.Event{
			ID: "1", Source: "did:a", Type: "t", Data: []byte(strings.Join(c.In, "")), HasData: true,
			Extensions: map[string]string{"datacontenttype": "text/plain"},
		}
		if c.JSON {
			delete(ev.Extensions, "datacontenttype")
			if err := ev.SetJSON(ev.Data); err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
		}
		if err := ev.Check(); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if err := ev.Redact(set, nil); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if string(ev.Data) != c.Out || len(ev.Redactions) != len(c.Redactions) {
			t.Errorf("%s: %s %v, want %s %v", c.Name, ev.Data, ev.Redactions, c.Out, c.Redactions)
			continue
		}
		for i, r := range ev.Redactions {
			if redactionVector(r) != c.Redactions[i] {
				t.Errorf("%s: %v, want %v", c.Name, r, c.Redactions[i])
			}
		}
	}
	unique(t, "redaction", names...)
}
