package query

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Order is the direction in which pages follow each other. A page itself is always in the order of the log.
type Order string

const (
	Descending Order = "desc" // the newest page first
	Ascending  Order = "asc"  // the oldest page first
)

// cursor is the place between two pages: the index at which the next one begins (ascending), or before which it ends. Indexes do not
// change, so that it holds while the log grows. Check binds it to log, filter and order; it keeps no secret.
type cursor struct {
	Index uint64 `json:"i"`
	Check string `json:"c"`
}

func (c cursor) check(origin string, f Filter, o Order) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%q %d %q %s", origin, c.Index, o, f.text()))
	return hex.EncodeToString(h[:12])
}

func formatCursor(index uint64, origin string, f Filter, o Order) string {
	c := cursor{Index: index}
	c.Check = c.check(origin, f, o)
	raw, _ := json.Marshal(c) // a number and a string
	return base64.RawURLEncoding.EncodeToString(raw)
}

func parseCursor(s, origin string, f Filter, o Order) (uint64, error) {
	var c cursor
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return 0, &RequestError{"cursor", "not a cursor of this service"}
	}
	if formatCursor(c.Index, origin, f, o) != s {
		return 0, &RequestError{"cursor", "belongs to another log, other filters or another order"}
	}
	return c.Index, nil
}
