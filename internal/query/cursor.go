package query

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/sealstream/sealstream/pkg/api"
)

// Order is the direction in which pages follow each other. Each page itself is in log order.
type Order string

const (
	Descending Order = "desc" // the newest page first
	Ascending  Order = "asc"  // the oldest page first
)

// cursor is the place between two pages: the index at which the next page starts (ascending), or
// before which it ends (descending). Indexes do not change, so a cursor stays valid while the log
// grows. Check binds it to log, filter, order and what the caller sees. A cursor holds no secret,
// and shows nothing that the caller does not see without it.
type cursor struct {
	Index uint64 `json:"i"`
	Check string `json:"c"`
}

func (c cursor) check(origin string, who *sight, f api.Filter, o Order) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s%q %d %q %s", who.text(), origin, c.Index, o, filterText(f)))
	return hex.EncodeToString(h[:12])
}

// filterText returns a text that is the same for equal normal filters and different for others.
func filterText(f api.Filter) (text string) {
	q := f.Values()
	for _, name := range slices.Sorted(maps.Keys(q)) {
		text += fmt.Sprintf("%s%q", name, q[name])
	}
	return text
}

func formatCursor(index uint64, origin string, who *sight, f api.Filter, o Order) string {
	c := cursor{Index: index}
	c.Check = c.check(origin, who, f, o)
	raw, _ := json.Marshal(c) // cannot fail for a number and a string
	return base64.RawURLEncoding.EncodeToString(raw)
}

// indexOfCursor returns the index of an unchecked cursor, or 0 if it has none.
func indexOfCursor(s string) uint64 {
	var c cursor
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || json.Unmarshal(raw, &c) != nil {
		return 0
	}
	return c.Index
}

func parseCursor(s, origin string, who *sight, f api.Filter, o Order) (uint64, error) {
	var c cursor
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return 0, &api.ParamError{Param: "cursor", Reason: "not a cursor of this service"}
	}
	if formatCursor(c.Index, origin, who, f, o) != s {
		return 0, &api.ParamError{
			Param: "cursor", Reason: "belongs to another log, other filters, another order or other rights to read",
		}
	}
	return c.Index, nil
}
