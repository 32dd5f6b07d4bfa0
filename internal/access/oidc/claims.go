package oidc

import (
	"encoding/json"
	"fmt"

	"github.com/sealstream/sealstream/internal/access"
)

// Limits of claims. A JWT of 8 KiB cannot have many more.
const (
	maxClaims = 512
	maxDepth  = 4
)

// claims returns the claims of a JWT by name: texts, numbers and booleans as texts, and the
// elements of lists. A claim inside an object has the names of both, as in realm_access.roles.
func claims(raw json.RawMessage) (map[string][]string, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("%w: malformed claims", access.ErrUnknown)
	}
	values := map[string][]string{}
	for name, value := range all {
		add(values, name, value)
	}
	for name, value := range all { // a name of its own counts before one that is put together
		addInner(values, name, value, maxDepth)
	}
	return values, nil
}

// add adds a claim that is a text, a number, a boolean or a list of these.
func add(values map[string][]string, name string, raw json.RawMessage) {
	if _, taken := values[name]; taken || len(values) >= maxClaims {
		return
	}
	if text, ok := text(raw); ok {
		values[name] = []string{text}
		return
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return
	}
	var texts []string
	for _, x := range list {
		if text, ok := text(x); ok {
			texts = append(texts, text)
		}
	}
	if len(texts) > 0 {
		values[name] = texts
	}
}

func addInner(values map[string][]string, outer string, raw json.RawMessage, depth int) {
	var inner map[string]json.RawMessage
	if depth == 0 || json.Unmarshal(raw, &inner) != nil {
		return
	}
	for name, value := range inner {
		name = outer + "." + name
		add(values, name, value)
		addInner(values, name, value, depth-1)
	}
}

// text returns a JSON value as rules of access compare it.
func text(raw json.RawMessage) (string, bool) {
	switch c := raw[0]; {
	case c == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err == nil
	case c == 't', c == 'f', c == '-', c >= '0' && c <= '9':
		return string(raw), true
	}
	return "", false
}
