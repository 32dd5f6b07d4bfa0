package api

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
)

// maxValues limits the values in one filter, since a server looks for each of them in every part of
// its index.
const maxValues = 256

// Normal returns the normal form of the filter: values sorted and without repeats, times in UTC as
// RFC 3339. Filters that select the same in different order have the same normal form. The error is
// a *ParamError.
func (f Filter) Normal() (Filter, error) {
	count := 0
	for i, values := range f.Fields() {
		list := slices.Clone(*values)
		slices.Sort(list)
		if list = slices.Compact(list); len(list) > 0 && list[0] == "" {
			return f, &ParamError{FilterNames[i], "empty"}
		}
		*values = list
		count += len(list)
	}
	if count > maxValues {
		return f, &ParamError{"", fmt.Sprintf("%d values in one filter, more than %d", count, maxValues)}
	}
	if err := canonicalTime("from", &f.From); err != nil {
		return f, err
	}
	if err := canonicalTime("to", &f.To); err != nil {
		return f, err
	}
	if f.From != "" && f.To != "" && CompareTimes(f.From, f.To) > 0 {
		return f, &ParamError{"from", "lies after to"}
	}
	if f.Time != "" && f.Time != Timestamp && f.Time != Received {
		return f, &ParamError{"time", fmt.Sprintf("%.40q is neither %s nor %s", string(f.Time), Timestamp, Received)}
	}
	if f.Time == Timestamp || f.From == "" && f.To == "" {
		f.Time = ""
	}
	return f, nil
}

func canonicalTime(name string, value *string) error {
	if *value == "" {
		return nil
	}
	c, err := canonical.Time(*value)
	if err != nil {
		return &ParamError{name, fmt.Sprintf("%.60q is %v (the + of an offset is written %%2B in a URL)", *value, err)}
	}
	*value = c
	return nil
}

// CompareTimes compares two times in the form that Normal gives them: -1 if a is earlier, 1 if it
// is later, else 0.
func CompareTimes(a, b string) int {
	const seconds = len("2006-01-02T15:04:05")
	if len(a) < seconds || len(b) < seconds { // not canonical
		return strings.Compare(a, b)
	}
	if c := strings.Compare(a[:seconds], b[:seconds]); c != 0 {
		return c
	}
	return strings.Compare(fraction(a[seconds:]), fraction(b[seconds:]))
}

func fraction(s string) string { return strings.TrimRight(strings.Trim(s, ".Z"), "0") }
