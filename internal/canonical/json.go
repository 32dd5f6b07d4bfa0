package canonical

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// All JSON that is hashed is read by this file, strictly: UTF-8, no duplicate names at any depth,
// no lone surrogates, nothing behind the value. encoding/json would take the last of two names and
// mend bad UTF-8: for hashed data that is an attack, since two readers of the same bytes would see
// two events. When encoding/json/jsontext is in the standard library without a switch (Go 1.27),
// the import changes and nothing else.

// errNotObject and errNotArray are syntax errors of the two walkers.
var (
	errNotObject = errors.New("not a JSON object")
	errNotArray  = errors.New("not a JSON array")
)

// decoder is jsontext's, pooled: making one costs more than reading a small event.
type decoder struct {
	buf bytes.Reader
	dec *jsontext.Decoder
	raw []byte
}

var decoders = sync.Pool{New: func() any {
	s := new(decoder)
	s.dec = jsontext.NewDecoder(&s.buf)
	return s
}}

func newDecoder(raw []byte) *decoder {
	s := decoders.Get().(*decoder)
	s.buf.Reset(raw)
	s.dec.Reset(&s.buf)
	s.raw = raw
	return s
}

func (s *decoder) free() {
	s.raw = nil
	s.buf.Reset(nil)
	decoders.Put(s)
}

// value reads the next value and returns its bytes as a part of the input, so that they outlive the
// decoder.
func (s *decoder) value() ([]byte, error) {
	v, err := s.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	end := s.dec.InputOffset()
	return s.raw[end-int64(len(v)) : end : end], nil
}

// end makes sure that nothing but white space follows.
func (s *decoder) end() error {
	if _, err := s.dec.ReadToken(); err != io.EOF {
		if err == nil {
			return errors.New("more than one JSON value")
		}
		return syntax(err)
	}
	return nil
}

// WalkObject calls member for every member of the one JSON object that raw must be. value is a part
// of raw.
func WalkObject(raw []byte, member func(name string, value []byte) error) error {
	s := newDecoder(raw)
	defer s.free()
	if s.dec.PeekKind() != '{' {
		return s.not(errNotObject)
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return syntax(err)
	}
	for s.dec.PeekKind() != '}' {
		t, err := s.dec.ReadToken()
		if err != nil {
			return inMember(err)
		}
		name := t.String()
		v, err := s.value()
		if err != nil {
			return inMember(err)
		}
		if err := member(name, v); err != nil {
			return err
		}
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return syntax(err)
	}
	return s.end()
}

// WalkArray calls element for every element of the one JSON array that raw must be.
func WalkArray(raw []byte, element func(value []byte) error) error {
	s := newDecoder(raw)
	defer s.free()
	if s.dec.PeekKind() != '[' {
		return s.not(errNotArray)
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return syntax(err)
	}
	for s.dec.PeekKind() != ']' {
		v, err := s.value()
		if err != nil {
			return syntax(err)
		}
		if err := element(v); err != nil {
			return err
		}
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return syntax(err)
	}
	return s.end()
}

// not prefers the decoder's own complaint (bad UTF-8, say) to want.
func (s *decoder) not(want error) error {
	if _, err := s.dec.ReadValue(); err != nil && err != io.EOF {
		return syntax(err)
	}
	return want
}

// Unquote reads a JSON string.
func Unquote(raw []byte) (string, error) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", errors.New("not a string")
	}
	if body := raw[1 : len(raw)-1]; bytes.IndexByte(body, '\\') < 0 {
		return string(body), nil // the walker has checked its UTF-8
	}
	b, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return "", syntax(err)
	}
	return string(b), nil
}

// Integer reads a JSON number that is an integer from 0 to 2^53−1, without sign, fraction or
// exponent.
func Integer(raw []byte) (uint64, error) {
	n, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil || n > MaxInteger || len(raw) > 1 && raw[0] == '0' {
		return 0, fmt.Errorf("%.40q is not an integer from 0 to 2^53-1", raw)
	}
	return n, nil
}

// TrimSpace returns raw without the white space of JSON around it.
func TrimSpace(raw []byte) []byte { return bytes.Trim(raw, " \t\r\n") }

// CheckJSON says whether raw is one strict JSON value (SPEC 3.2), white space around it allowed,
// with at most maxDepth arrays and objects inside each other.
func CheckJSON(raw []byte, maxDepth int) error {
	if checkFast(raw, maxDepth) {
		return nil
	}
	s := newDecoder(raw)
	defer s.free()
	if _, err := s.value(); err != nil {
		return syntax(err)
	}
	if err := s.end(); err != nil {
		return err
	}
	return CheckDepth(raw, maxDepth)
}

// CheckDepth counts brackets outside strings; raw is valid JSON already.
func CheckDepth(raw []byte, maxDepth int) error {
	depth, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("more than %d arrays and objects deep", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// Canonicalize returns the canonical form (RFC 8785) of JSON of the kind that leaves hold (SPEC 2):
// no null, and no number but integers from 0 to 2^53−1.
func Canonicalize(raw []byte) ([]byte, error) {
	if err := CheckJSON(raw, 10000); err != nil {
		return nil, err
	}
	if err := checkLeafGrade(raw); err != nil {
		return nil, err
	}
	v := jsontext.Value(bytes.Clone(raw))
	if err := v.Canonicalize(); err != nil {
		return nil, syntax(err)
	}
	return v, nil
}

func checkLeafGrade(raw []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	for {
		t, err := d.ReadToken()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return syntax(err)
		case t.Kind() == 'n':
			return errors.New("null")
		case t.Kind() == '0':
			if _, err := Integer([]byte(t.String())); err != nil {
				return err
			}
		}
	}
}

// MemberError says which member of an object is at fault, and why.
type MemberError struct {
	Name   string
	Reason string
}

func (e *MemberError) Error() string { return e.Name + ": " + e.Reason }

// inMember is syntax for a walked object: it names the member at fault, where the decoder knows it.
func inMember(err error) error {
	if se, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		for name := range se.JSONPointer.Tokens() {
			return &MemberError{Name: Clip(name, 80), Reason: syntax(err).Error()}
		}
	}
	return syntax(err)
}

// What is wrong with JSON, in words of our own: they stand in rejected entries, and another release
// of the decoder must not change what sealing makes of an event. Where in the text the decoder
// noticed is its own business, too.
var (
	errEnd       = errors.New("unexpected end of JSON")
	errDuplicate = errors.New("duplicate member name in JSON")
	errSyntax    = errors.New("invalid JSON")
)

func syntax(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errEnd
	case errors.Is(err, jsontext.ErrDuplicateName):
		return errDuplicate
	}
	return errSyntax
}
