package pgsink

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strconv"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
)

// Limits of numbers. The type numeric of Postgres can hold far more, but a number of a few bytes
// must not become 100 KiB of digits.
const (
	maxDigits   = 1000
	maxExponent = 1000
)

// fitsJSONB reports whether Postgres accepts the bytes as JSONB and keeps their meaning. Ingest
// refuses most of what does not fit, but the payload of a rejected entry holds what was refused.
func fitsJSONB(raw []byte) bool {
	return canonical.CheckJSON(raw, ruleset.MaxDepth) == nil && fitsStrings(raw) && fitsNumbers(raw)
}

// fitsStrings refuses \u0000 and halves of surrogate pairs. raw is valid JSON.
func fitsStrings(raw []byte) bool {
	if bytes.IndexByte(raw, '\\') < 0 {
		return true
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		if raw[i] != 'u' {
			continue
		}
		switch u := hex4(raw[i+1:]); {
		case u == 0 || u >= 0xdc00 && u < 0xe000:
			return false
		case u >= 0xd800 && u < 0xdc00:
			if next := raw[i+5:]; !bytes.HasPrefix(next, []byte(`\u`)) || hex4(next[2:])&0xfc00 != 0xdc00 {
				return false
			}
			i += 6
		}
		i += 4
	}
	return true
}

func hex4(b []byte) uint64 {
	n, _ := strconv.ParseUint(string(b[:4]), 16, 16)
	return n
}

// fitsNumbers refuses numbers that are out of bounds. raw is valid JSON.
func fitsNumbers(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			for i++; raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		case c == '-' || c >= '0' && c <= '9':
			end := i
			for end < len(raw) && bytes.IndexByte([]byte("+-.eE0123456789"), raw[end]) >= 0 {
				end++
			}
			if !fitsNumber(raw[i:end]) {
				return false
			}
			i = end - 1
		}
	}
	return true
}

func fitsNumber(n []byte) bool {
	mantissa, exponent := n, "0"
	if e := bytes.IndexAny(n, "eE"); e >= 0 {
		mantissa, exponent = n[:e], string(n[e+1:])
	}
	x, err := strconv.Atoi(exponent)
	return err == nil && len(mantissa) <= maxDigits && -maxExponent <= x && x <= maxExponent
}

// sameJSON reports whether two texts are equal as JSONB: members in any order, numbers by value.
func sameJSON(a, b []byte) bool {
	va, errA := decode(a)
	vb, errB := decode(b)
	return errA == nil && errB == nil && sameValue(va, vb)
}

func decode(raw []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

func sameValue(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name, v := range a {
			if w, ok := b[name]; !ok || !sameValue(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !sameValue(a[i], b[i]) {
				return false
			}
		}
		return true
	case json.Number:
		b, ok := b.(json.Number)
		return ok && (a == b || sameNumber(string(a), string(b)))
	}
	return a == b
}

func sameNumber(a, b string) bool {
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	return okX && okY && x.Cmp(y) == 0
}
