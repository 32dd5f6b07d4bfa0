package query

import (
	"context"
	"fmt"
	"net/http"
)

// withhold takes the indexes that the caller does not see out of the page. The error wraps
// ErrWithheld if the caller may not have their hashes.
func (p *plan) withhold(ctx context.Context) error {
	h, err := p.hidden(ctx)
	if err != nil || p.sight == nil {
		return err
	}
	visible := p.indexes[:0]
	for _, x := range p.indexes {
		seen, err := p.sees(p.Query, x)
		switch {
		case err != nil:
			return err
		case seen:
			visible = append(visible, x)
		case h.node(0, x) || !p.sight.caller.SeesHash(true):
			return errGuess
		default:
			p.withheld = append(p.withheld, x)
		}
	}
	p.indexes = visible
	return nil
}

// answerWithheld writes a page in which an entry that the caller does not see is an object with
// index and entry_hash alone.
func (p plan) answerWithheld(w http.ResponseWriter, r *http.Request, form form) error {
	rest, any, nodes := p.withheld, false, p.nodes(r.Context())
	next := func(dst []byte) ([]byte, error) {
		h, err := nodes(0, rest[0])
		dst = fmt.Appendf(dst, `{"index":%d,"entry_hash":"%s"}`, rest[0], h)
		rest = rest[1:]
		return dst, p.remember(err)
	}
	mixed := func(f Found, dst []byte) (_ []byte, err error) {
		for len(rest) > 0 && rest[0] < f.Entry.Index {
			if dst, err = next(dst); err != nil {
				return nil, err
			}
			dst = append(dst, ',')
		}
		any = true
		return form(f, dst)
	}
	return p.answerWith(w, r, mixed, func([]Found) {}, func(dst []byte) (_ []byte, err error) {
		for len(rest) > 0 {
			if any {
				dst = append(dst, ',')
			}
			if dst, err = next(dst); err != nil {
				return nil, err
			}
			any = true
		}
		return appendEnd(dst, p.next, p.size, p.unchecked, nil), nil
	})
}
