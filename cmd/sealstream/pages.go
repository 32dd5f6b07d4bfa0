package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/sealstream/sealstream/pkg/api"
)

// pages reads and prints the pages of a query.
type pages struct {
	*app
	query  url.Values
	left   int  // how many entries are still wanted; -1: as many as there are
	once   bool // one page is enough
	newest bool // of a page, the newest entry is printed first

	printed uint64
	screen  *table            // on a terminal
	pipe    *tabwriter.Writer // elsewhere
}

func (c *queryCmd) pages(a *app, q url.Values) *pages {
	q.Set("order", c.Order)
	if c.Cursor != "" {
		q.Set("cursor", c.Cursor)
	}
	p := &pages{app: a, query: q, left: -1, once: !c.All && c.Number == 0}
	q.Set("limit", strconv.Itoa(c.Limit))
	if c.Number > 0 {
		p.left = c.Number
	}
	switch {
	case a.json:
	case isTerminal(a.out):
		p.screen, p.newest = a.entryTable(), c.Order == "desc"
	default:
		p.pipe = tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(p.pipe, "INDEX\tTIME\tTYPE\tAGENT\tACTION\tOUTCOME\tRESOURCE")
	}
	return p
}

// next reads a page. more says whether another one is wanted and there.
func (p *pages) next() (page api.Page, more bool, err error) {
	if limit, err := strconv.Atoi(p.query.Get("limit")); p.left >= 0 && err == nil {
		p.query.Set("limit", strconv.Itoa(min(limit, p.left)))
	}
	if err := p.get("/v1/entries", p.query, &page); err != nil {
		return page, false, err
	}
	if p.left >= 0 {
		p.left -= len(page.Entries)
	}
	if page.NextCursor != nil {
		p.query.Set("cursor", *page.NextCursor)
	}
	return page, page.NextCursor != nil && !p.once && p.left != 0, nil
}

func (p *pages) show(page api.Page) error {
	p.printed += uint64(len(page.Entries))
	if p.json {
		return p.print(page)
	}
	if p.newest {
		slices.Reverse(page.Entries)
	}
	for _, raw := range page.Entries {
		var r row
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("an entry of the answer: %w", err)
		}
		if p.screen != nil {
			p.add(p.screen, r)
		} else {
			r.tabbed(p.pipe)
		}
	}
	if p.screen != nil && p.printed > 0 {
		return p.screen.write(p.out)
	}
	return nil
}

// end says what there is besides the entries that were printed.
func (p *pages) end(last api.Page) error {
	switch {
	case p.json:
		return nil
	case p.pipe != nil:
		if err := p.pipe.Flush(); err != nil {
			return err
		}
		if last.NextCursor != nil {
			fmt.Fprintf(p.err, "more: --cursor %s\n", *last.NextCursor)
		}
		return nil
	case p.printed == 0:
		fmt.Fprintln(p.err, "no entries match")
		return nil
	case last.NextCursor == nil:
		return nil
	}
	for _, paging := range []string{"limit", "order", "cursor"} {
		p.query.Del(paging)
	}
	var counts api.Counts
	if err := p.get("/v1/counts", p.query, &counts); err != nil {
		return err
	}
	hint := "--all for the rest"
	if p.left == 0 {
		hint = "--all instead of -n for the rest"
	}
	fmt.Fprintf(p.err, "%d of %d; %s\n", p.printed, counts.Matches, hint)
	return nil
}
