// Package rulesfile reads redaction rules from YAML, for operators of a log. The log itself does
// not know the file: its config entry contains the rules.
package rulesfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/sealstream/sealstream/pkg/redact"
)

// file is the YAML document. Unknown keys are errors.
type file struct {
	Default  *bool                         // false excludes the built-in set
	Names    []struct{ Kind, Name string } // additional names whose value is a secret
	Patterns []struct{ Kind, Match, Contains string }
	Private  []string `yaml:"private_fields"`
}

// Parse reads and checks rules. Errors wrap redact.ErrRules and name the line if YAML reports it.
func Parse(text []byte) (*redact.Rules, error) {
	var f file
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %w", redact.ErrRules, err)
	}
	r := &redact.Rules{Private: f.Private}
	if f.Default == nil || *f.Default {
		r.Set, r.Hash = redact.Newest, redact.Hash(redact.Newest)
	}
	for _, n := range f.Names {
		r.Names = append(r.Names, redact.Name(n))
	}
	for _, p := range f.Patterns {
		r.Rules = append(r.Rules, redact.Pattern(p))
	}
	if _, err := redact.Compile(r); err != nil {
		return nil, err
	}
	return r, nil
}
