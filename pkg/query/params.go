package query

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// params reads a request's query string strictly, and keeps the first error: what is misspelt must not widen an answer.
type params struct {
	values url.Values // those that were not asked for yet
	err    error
}

func parseParams(r *http.Request) *params {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		err = &RequestError{"", "the query string is malformed"}
	}
	return &params{values, err}
}

func (p *params) fail(name, format string, args ...any) {
	if p.err == nil {
		p.err = &RequestError{name, fmt.Sprintf(format, args...)}
	}
}

// all takes every value of a parameter.
func (p *params) all(name string) []string {
	list := p.values[name]
	delete(p.values, name)
	return list
}

// one takes a parameter that may be given once.
func (p *params) one(name string) (value string, given bool) {
	list := p.all(name)
	if len(list) == 0 {
		return "", false
	}
	if len(list) > 1 {
		p.fail(name, "given more than once")
	}
	if list[0] == "" {
		p.fail(name, "empty")
	}
	return list[0], true
}

func (p *params) flag(name string) bool {
	v, given := p.one(name)
	if given && v != "0" && v != "1" {
		p.fail(name, "must be 0 or 1")
	}
	return v == "1"
}

// number takes a decimal number.
func (p *params) number(name string, required bool) (n uint64) {
	v, given := p.one(name)
	if !given {
		if required {
			p.fail(name, "required")
		}
		return 0
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != v {
		p.fail(name, "%.40q is not a decimal number", v)
	}
	return n
}

// index takes the index of an entry; nil: none is given.
func (p *params) index(name string) *uint64 {
	if _, given := p.values[name]; !given {
		return nil
	}
	n := p.number(name, true)
	if n >= 1<<53 {
		p.fail(name, "no log is that long")
	}
	return &n
}

func (p *params) filter() (f Filter) {
	for i, values := range f.values() {
		*values = p.all(fieldNames[i])
	}
	f.From, _ = p.one("from")
	f.To, _ = p.one("to")
	of, _ := p.one("time")
	f.Time = Time(of)
	return f
}

func (p *params) page() (page Page) {
	if _, given := p.values["limit"]; given {
		n := p.number("limit", true)
		if n < 1 || n > MaxLimit {
			p.fail("limit", "must be from 1 to %d", MaxLimit)
		}
		page.Limit = int(n)
	}
	page.Cursor, _ = p.one("cursor")
	order, _ := p.one("order")
	page.Order = Order(order)
	if from := p.index("from_index"); from != nil {
		page.From = *from
		if page.Order != Ascending || page.Cursor != "" {
			p.fail("from_index", "goes with order=asc, and without a cursor")
		}
	}
	if before := p.index("before_index"); before != nil {
		page.Before = *before
		if page.Order == Ascending || page.Cursor != "" || page.Before == 0 {
			p.fail("before_index", "is above 0, and goes with order=desc, and without a cursor")
		}
	}
	return page
}

// end says what is wrong with the parameters, those among them that nobody asked for.
func (p *params) end() error {
	if p.err == nil && len(p.values) > 0 {
		name := slices.Min(slices.Collect(maps.Keys(p.values)))
		p.fail(name, "unknown parameter %.80q", name)
	}
	return p.err
}

// prefersText says whether an Accept header asks for text/plain rather than JSON.
func prefersText(accept string) bool {
	text, json, any := 0.0, 0.0, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		media, rest, _ := strings.Cut(part, ";")
		q := 1.0
		for option := range strings.SplitSeq(rest, ";") {
			if v, ok := strings.CutPrefix(strings.TrimSpace(option), "q="); ok {
				q, _ = strconv.ParseFloat(v, 64)
			}
		}
		switch strings.ToLower(strings.TrimSpace(media)) {
		case "text/plain":
			text = max(text, q)
		case "application/json":
			json = max(json, q)
		case "*/*", "application/*":
			any = max(any, q)
		}
	}
	if json > 0 {
		return text > json
	}
	return text > 0 && text >= any
}
