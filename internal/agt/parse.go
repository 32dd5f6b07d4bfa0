package agt

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrJSON reports a text that Python's json.loads refuses, or an object with a repeated name.
// Python silently keeps the last of these, so that two readers of one line could see two entries.
var ErrJSON = errors.New("not the JSON of a trail")

// MaxDepth is the deepest nesting of arrays and objects. The log's own limit for data is lower.
const MaxDepth = 200

// MaxValues is the largest number of values in one text. Each takes about a hundred bytes of
// memory, even if its text is short.
const MaxValues = 1 << 20

// Parse parses one value as Python's json.loads does: JSON, and also NaN, Infinity and -Infinity.
func Parse(raw []byte) (Value, error) {
	if !utf8.Valid(raw) {
		return Value{}, fmt.Errorf("%w: bad UTF-8", ErrJSON)
	}
	p := parser{text: string(raw)}
	v, err := p.value(0)
	if err == nil {
		p.space()
		if p.at < len(p.text) {
			err = errors.New("something follows the value")
		}
	}
	if err != nil {
		return Value{}, fmt.Errorf("%w: %w, at byte %d", ErrJSON, err, p.at)
	}
	return v, nil
}

type parser struct {
	text   string
	at     int
	values int
}

var (
	errSyntax = errors.New("syntax error")
	errEnd    = errors.New("it breaks off")
	errValues = fmt.Errorf("more than %d values", MaxValues)
	errDepth  = fmt.Errorf("more than %d arrays and objects deep", MaxDepth)
)

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// peek is the next byte behind white space, or 0 at the end.
func (p *parser) peek() byte {
	p.space()
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

// expect takes one byte behind white space.
func (p *parser) expect(c byte) error {
	switch p.peek() {
	case c:
		p.at++
		return nil
	case 0:
		if p.at == len(p.text) {
			return errEnd
		}
	}
	return errSyntax
}

func (p *parser) value(depth int) (v Value, err error) {
	c := p.peek()
	begin := p.at
	if p.values++; p.values > MaxValues {
		return Value{}, errValues
	}
	switch {
	case c == '{' || c == '[':
		if depth == MaxDepth {
			return Value{}, errDepth
		}
		if c == '{' {
			v, err = p.object(depth + 1)
		} else {
			v, err = p.array(depth + 1)
		}
	case c == '"':
		v.Kind = String
		v.Text, err = p.str()
	case c == 0 && p.at == len(p.text):
		err = errEnd
	default:
		v, err = p.scalar()
	}
	v.raw = p.text[begin:p.at]
	return v, err
}

// words are the values that are written as such.
var words = []struct {
	text  string
	value Value
}{
	{"null", Value{}}, {"true", Value{Kind: Bool, True: true}}, {"false", Value{Kind: Bool}},
	{"NaN", Value{Kind: Float, Number: math.NaN()}}, {"Infinity", Value{Kind: Float, Number: math.Inf(1)}},
	{"-Infinity", Value{Kind: Float, Number: math.Inf(-1)}},
}

func (p *parser) scalar() (Value, error) {
	rest := p.text[p.at:]
	for _, w := range words {
		if strings.HasPrefix(rest, w.text) {
			p.at += len(w.text)
			return w.value, nil
		}
	}
	n := numberLength(rest)
	if n == 0 {
		return Value{}, errSyntax
	}
	v, err := number(rest[:n])
	if err == nil {
		p.at += n
	}
	return v, err
}

// numberLength is how much of s is a number by JSON's grammar; 0: it begins with none.
func numberLength(s string) int {
	digits := func(i int) int {
		for i < len(s) && '0' <= s[i] && s[i] <= '9' {
			i++
		}
		return i
	}
	i := 0
	if strings.HasPrefix(s, "-") {
		i = 1
	}
	end := digits(i)
	if end == i {
		return 0
	}
	if s[i] == '0' {
		end = i + 1
	}
	if end < len(s) && s[end] == '.' {
		if n := digits(end + 1); n > end+1 {
			end = n
		}
	}
	if end < len(s) && (s[end] == 'e' || s[end] == 'E') {
		from := end + 1
		if from < len(s) && (s[from] == '+' || s[from] == '-') {
			from++
		}
		if n := digits(from); n > from {
			end = n
		}
	}
	return end
}

func (p *parser) array(depth int) (Value, error) {
	v := Value{Kind: Array}
	p.at++
	if p.peek() == ']' {
		p.at++
		return v, nil
	}
	for {
		item, err := p.value(depth)
		if err != nil {
			return v, err
		}
		v.Items = append(v.Items, item)
		if p.peek() == ',' {
			p.at++
			continue
		}
		return v, p.expect(']')
	}
}

func (p *parser) object(depth int) (Value, error) {
	v := Value{Kind: Object}
	p.at++
	if p.peek() == '}' {
		p.at++
		return v, nil
	}
	var seen map[string]bool // once there are many; a few are looked through faster
	for {
		if c := p.peek(); c != '"' {
			return v, p.expect('"')
		}
		name, err := p.str()
		if err != nil {
			return v, err
		}
		if seen == nil && len(v.Members) == 24 {
			seen = make(map[string]bool, 64)
			for i := range v.Members {
				seen[v.Members[i].Name] = true
			}
		}
		if seen[name] || seen == nil && v.Get(name) != nil {
			return v, fmt.Errorf("the name %.80q occurs twice", name)
		}
		if seen != nil {
			seen[name] = true
		}
		if err := p.expect(':'); err != nil {
			return v, err
		}
		value, err := p.value(depth)
		if err != nil {
			return v, err
		}
		v.Members = append(v.Members, Member{name, value})
		if p.peek() == ',' {
			p.at++
			continue
		}
		return v, p.expect('}')
	}
}

// str reads a string into WTF-8; the quote is the next byte.
func (p *parser) str() (string, error) {
	p.at++
	var b []byte
	for from := p.at; ; {
		if p.at == len(p.text) {
			return "", errEnd
		}
		switch c := p.text[p.at]; {
		case c == '"':
			s := p.text[from:p.at]
			p.at++
			if b == nil {
				return s, nil
			}
			return string(append(b, s...)), nil
		case c < 0x20:
			return "", errors.New("a control character in a string")
		case c == '\\':
			b = append(b, p.text[from:p.at]...)
			var err error
			if b, err = p.escape(b); err != nil {
				return "", err
			}
			from = p.at
		default:
			p.at++
		}
	}
}

const escapes = `"\/bfnrt`
const escaped = "\"\\/\b\f\n\r\t"

// escape reads one escape sequence, or two that make a pair of surrogates.
func (p *parser) escape(b []byte) ([]byte, error) {
	if p.at+1 == len(p.text) {
		return nil, errEnd
	}
	c := p.text[p.at+1]
	if i := strings.IndexByte(escapes, c); i >= 0 {
		p.at += 2
		return append(b, escaped[i]), nil
	}
	high, err := hex4(p.text[p.at:])
	if err != nil {
		return nil, err
	}
	p.at += 6
	if 0xd800 <= high && high < 0xdc00 {
		if low, err := hex4(p.text[p.at:]); err == nil && 0xdc00 <= low && low < 0xe000 {
			p.at += 6
			return utf8.AppendRune(b, (high-0xd800)<<10+(low-0xdc00)+0x10000), nil
		}
	}
	if isSurrogate(high) { // WTF-8: utf8 would put U+FFFD in its place
		return append(b, 0xe0|byte(high>>12), 0x80|byte(high>>6)&0x3f, 0x80|byte(high)&0x3f), nil
	}
	return utf8.AppendRune(b, high), nil
}

func isSurrogate(r rune) bool { return 0xd800 <= r && r < 0xe000 }

func hex4(s string) (rune, error) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' || strings.ContainsAny(s[2:6], "+-_") {
		return 0, errors.New("an escape that there is not")
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	if err != nil {
		return 0, errors.New("an escape that there is not")
	}
	return rune(n), nil
}
