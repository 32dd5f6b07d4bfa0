package httpapi

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/sealstream/sealstream/pkg/api"
)

// Params reads a request's query string strictly and keeps the first error: a misspelt parameter
// must not widen an answer. Take every parameter that a path has, then call End. Errors are always
// *api.ParamError.
type Params struct {
	values url.Values // parameters that were not taken yet
	err    error
}

// ParseParams reads the query string of a request.
func ParseParams(r *http.Request) *Params { return ParseQuery(r.URL.RawQuery) }

// ParseQuery reads a query string.
func ParseQuery(query string) *Params {
	values, err := url.ParseQuery(query)
	if err != nil {
		err = &api.ParamError{Reason: "the query string is malformed"}
	}
	return &Params{values, err}
}

// Fail records an error of a parameter, unless there is an earlier error.
func (p *Params) Fail(name, format string, args ...any) {
	if p.err == nil {
		p.err = &api.ParamError{Param: name, Reason: fmt.Sprintf(format, args...)}
	}
}

// Has reports whether a parameter is given and was not taken yet.
func (p *Params) Has(name string) bool { return p.values.Has(name) }

// All takes all values of a parameter.
func (p *Params) All(name string) []string {
	list := p.values[name]
	delete(p.values, name)
	return list
}

// One takes a parameter that may be given only once.
func (p *Params) One(name string) (value string, given bool) {
	list := p.All(name)
	if len(list) == 0 {
		return "", false
	}
	if len(list) > 1 {
		p.Fail(name, "given more than once")
	}
	if list[0] == "" {
		p.Fail(name, "empty")
	}
	return list[0], true
}

// Flag takes a parameter that must be 0 or 1. A missing one is 0.
func (p *Params) Flag(name string) bool {
	v, given := p.One(name)
	if given && v != "0" && v != "1" {
		p.Fail(name, "must be 0 or 1")
	}
	return v == "1"
}

// Number takes an optional decimal number, or returns nil.
func (p *Params) Number(name string) *uint64 {
	v, given := p.One(name)
	if !given {
		return nil
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != v {
		p.Fail(name, "%.40q is not a decimal number", v)
	}
	return &n
}

// Limit takes an optional number from 1 to most. A missing one is usual.
func (p *Params) Limit(name string, usual, most int) int {
	n := p.Number(name)
	if n == nil {
		return usual
	}
	if *n < 1 || *n > uint64(most) {
		p.Fail(name, "must be from 1 to %d", most)
		return usual
	}
	return int(*n)
}

// Err returns the first error so far.
func (p *Params) Err() error { return p.err }

// End returns the first error. A parameter that was not taken is an error, too.
func (p *Params) End() error {
	if p.err == nil && len(p.values) > 0 {
		name := slices.Min(slices.Collect(maps.Keys(p.values)))
		p.Fail(name, "unknown parameter %.80q", name)
	}
	return p.err
}
