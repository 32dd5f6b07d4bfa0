package agt

import (
	"encoding/base64"
	"math"
	"unicode/utf8"
)

// shownData is an entry's data as the toolkit shows it, which knows objects alone. What is no JSON
// object stands in one: JSON as value, text as text, other bytes as base64. A number that JSON
// cannot write, a NaN for one, is the string that it was written as.
func shownData(data []byte) Value {
	object := func(name string, v Value) Value {
		return Value{Kind: Object, Members: []Member{{Name: name, Value: v}}}
	}
	if data == nil {
		return Value{Kind: Object}
	}
	v, err := Parse(data)
	switch {
	case err == nil && v.Kind == Object:
		return v.writable()
	case err == nil:
		return object("value", v.writable())
	case utf8.Valid(data):
		return object("text", str(string(data)))
	}
	return object("base64", str(base64.StdEncoding.EncodeToString(data)))
}

// writable puts strings in the place of NaN and the infinities; 1e400 is one of them, as in Python.
func (v Value) writable() Value {
	if v.finite() {
		return v
	}
	switch v.Kind {
	case Float:
		if v.raw != "" {
			return str(v.raw)
		}
		switch {
		case math.IsNaN(v.Number):
			return str("NaN")
		case v.Number < 0:
			return str("-Infinity")
		}
		return str("Infinity")
	case Array:
		items := make([]Value, len(v.Items))
		for i, x := range v.Items {
			items[i] = x.writable()
		}
		return Value{Kind: Array, Items: items}
	}
	members := make([]Member, len(v.Members))
	for i, m := range v.Members {
		members[i] = Member{m.Name, m.Value.writable()}
	}
	return Value{Kind: Object, Members: members}
}
