package query

import (
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/internal/httpapi"
)

// required returns a required decimal parameter.
func required(p *httpapi.Params, name string) uint64 {
	if !p.Has(name) {
		p.Fail(name, "required")
	}
	if n := p.Number(name); n != nil {
		return *n
	}
	return 0
}

// indexParam returns an optional index, or nil.
func indexParam(p *httpapi.Params, name string) *uint64 {
	n := p.Number(name)
	if n != nil && *n >= 1<<53 {
		p.Fail(name, "no log is that long")
	}
	return n
}

func pageParams(p *httpapi.Params) (page Page) {
	page.Limit = p.Limit("limit", DefaultLimit, MaxLimit)
	page.Cursor, _ = p.One("cursor")
	order, _ := p.One("order")
	page.Order = Order(order)
	if from := indexParam(p, "from_index"); from != nil {
		page.From = *from
		if page.Order != Ascending || page.Cursor != "" {
			p.Fail("from_index", "goes with order=asc, and without a cursor")
		}
	}
	if before := indexParam(p, "before_index"); before != nil {
		page.Before = *before
		if page.Order == Ascending || page.Cursor != "" || page.Before == 0 {
			p.Fail("before_index", "is above 0, and goes with order=desc, and without a cursor")
		}
	}
	if size := indexParam(p, "size"); size != nil {
		if page.Size = *size; *size == 0 {
			p.Fail("size", "is above 0")
		}
	}
	return page
}

// prefersText reports whether an Accept header prefers text/plain to JSON.
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
