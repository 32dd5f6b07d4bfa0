package agt

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Kind is what a Value is.
type Kind byte

const (
	Null Kind = iota
	Bool
	Int    // of any size, as Python has it
	Float  // a double; also NaN and the infinities, which Python writes and reads although they are no JSON
	String // WTF-8: as UTF-8, but a lone surrogate stands as its three bytes
	Array
	Object
)

// Value is one value as Python's json.loads makes it.
type Value struct {
	Kind    Kind
	Text    string   // of a String; the digits of an Int
	Number  float64  // of a Float
	True    bool     // of a Bool
	Items   []Value  // of an Array
	Members []Member // of an Object, in the order given

	raw string // the text that it was parsed from
}

// Member is one name with its value. No name occurs twice.
type Member struct {
	Name  string
	Value Value
}

// Get is an object's member, or nil.
func (v Value) Get(name string) *Value {
	for i := range v.Members {
		if v.Members[i].Name == name {
			return &v.Members[i].Value
		}
	}
	return nil
}

// Raw is the text that the value was parsed from; "" if it was made in Go.
func (v Value) Raw() string { return v.raw }

// str and null make values.
func str(s string) Value { return Value{Kind: String, Text: s} }

// optional is null for what is absent.
func optional(s *string) Value {
	if s == nil {
		return Value{}
	}
	return str(*s)
}

// finite says whether the value holds neither NaN nor an infinity, so that its canonical form is
// JSON.
func (v Value) finite() bool {
	for _, x := range v.Items {
		if !x.finite() {
			return false
		}
	}
	for _, m := range v.Members {
		if !m.Value.finite() {
			return false
		}
	}
	return v.Kind != Float || !math.IsNaN(v.Number) && !math.IsInf(v.Number, 0)
}

// errInteger: Python refuses to read longer integers, too.
var errInteger = errors.New("an integer of more than 4300 digits")

const maxDigits = 4300

// number reads what JSON's grammar calls a number: an Int without fraction and exponent, else a
// Float.
func number(text string) (Value, error) {
	if !strings.ContainsAny(text, ".eE") {
		if len(strings.TrimPrefix(text, "-")) > maxDigits {
			return Value{}, errInteger
		}
		if text == "-0" {
			text = "0"
		}
		return Value{Kind: Int, Text: text}, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // what is too large is an infinity, as in Python
		return Value{}, err
	}
	return Value{Kind: Float, Number: f}, nil
}
