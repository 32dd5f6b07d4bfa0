// Package yamlfile reads settings from YAML files strictly. It finds all problems of a file at
// once, each with line, column and the path of the setting. It refuses unknown settings, settings
// that are given twice, anchors, and more than one document: what a person reads is what there is.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Read parses a file and calls root with its one value, unless the file is empty. name stands in
// the problems, most limits the size in bytes. Each problem is a line: FILE:LINE:COLUMN: PATH:
// reason. Read returns at most 20, and none if the file is correct.
func Read(name string, text []byte, most int, root func(r *Reader, n *yaml.Node)) (problems []string) {
	if len(text) > most {
		return []string{fmt.Sprintf("%s: %d bytes, more than %d", name, len(text), most)}
	}
	r := &Reader{name: name}
	var doc yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	err := d.Decode(&doc)
	if err == nil {
		var second yaml.Node
		if err = d.Decode(&second); err == nil && !(len(second.Content) == 1 && IsNull(second.Content[0])) {
			r.Fail(&second, "file", "a second document, which would not be looked at; one file is one document")
		}
	}
	if !errors.Is(err, io.EOF) && err != nil {
		return []string{fmt.Sprintf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))}
	}
	if len(doc.Content) == 1 && !IsNull(doc.Content[0]) {
		root(r, doc.Content[0])
	}
	return r.problems
}
