// Package rulesfile reads redaction rules from YAML, for those who run a log. The log itself knows nothing of the file: what it says stands in a config entry.
package rulesfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/sealstream/sealstream/pkg/redact"
)

// file is the form of the YAML; unknown keys are errors.
type file struct {
	Default  *bool                         // false: without the built-in set
	Names    []struct{ Kind, Name string } // more names whose value is a secret
	Patterns []struct{ Kind, Match, Contains string }
	Private  []string `yaml:"private_fields"`
}

// Parse reads rules. Errors name the line where YAML can tell it.
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
