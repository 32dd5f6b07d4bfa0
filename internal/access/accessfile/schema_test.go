package accessfile

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// TestSchema: the schema accepts what Parse accepts, and refuses what is misspelt.
func TestSchema(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("access.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("access.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		text string
		good bool
	}{
		{goodFile, true},
		{"# nothing", true},
		{"identities: [{id: a, may: {proof: all, read: []}}]", true},
		{"identites: []", false},
		{"identities: [{id: a/b}]", false},
		{"identities: [{id: 'subject:a'}]", false},
		{"identities: [{id: a, may: {read: al}}]", false},
		{"identities: [{id: a, may: {publish: all}}]", false},
		{"identities: [{id: a, may: {publish: ['a*b']}}]", false},
		{"identities: [{id: a, may: {raed: all}}]", false},
		{"identities: [{id: a, may: {proof: some}}]", false},
		{"identities: [{id: a, tokens: [{name: x}]}]", false},
		{"identities: [{id: a, tokens: [{name: x, sha256: y}]}]", false},
		{"issuers: [{url: 'http://x', audience: y}]", false},
		{"issuers: [{url: 'https://x', audience: y, algorithms: [none]}]", false},
	} {
		if got := schema.Validate(jsonOf(t, x.text)) == nil; got != x.good {
			t.Errorf("schema: %v, want %v: %s", got, x.good, x.text)
		}
		if _, err := Parse("f", []byte(x.text)); (err == nil) != x.good {
			t.Errorf("Parse: %v: %s", err, x.text)
		}
	}
	if shipped, err := os.ReadFile("../../../docs/access.schema.json"); err != nil || !bytes.Equal(shipped, Schema) {
		t.Errorf("docs/access.schema.json is another one: %v", err)
	}
}

// jsonOf returns a YAML file as a value for the schema. Times stay texts.
func jsonOf(t *testing.T, text string) any {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		t.Fatal(err)
	}
	plainTimes(&n)
	var v any
	if err := n.Decode(&v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func plainTimes(n *yaml.Node) {
	if n.Tag == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, child := range n.Content {
		plainTimes(child)
	}
}
