package sink

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Params are the parameters of a sink's URL. Each that is asked for is taken; what is left over is an error.
type Params struct {
	values url.Values
	err    error
}

func newParams(query string) (*Params, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("the parameters are malformed")
	}
	for name, list := range values {
		if len(list) > 1 {
			return nil, fmt.Errorf("parameter %s is given more than once", name)
		}
	}
	return &Params{values: values}, nil
}

// Err is the first thing that is wrong: a value, or a parameter that nobody asked for.
func (p *Params) Err() error {
	if p.err != nil || len(p.values) == 0 {
		return p.err
	}
	names := make([]string, 0, len(p.values))
	for name := range p.values {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Errorf("no such parameter: %s", strings.Join(names, ", "))
}

func (p *Params) bad(name, format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("parameter "+name+": "+format, args...)
	}
}

// Text takes a parameter; absent: a default.
func (p *Params) Text(name, absent string) string {
	list, ok := p.values[name]
	delete(p.values, name)
	if !ok {
		return absent
	}
	return list[0]
}

// Rest takes all parameters that are left, for a library that has its own.
func (p *Params) Rest() url.Values {
	rest := p.values
	p.values = nil
	return rest
}

// OneOf takes a parameter that has one of a few values, the first of which is the default.
func (p *Params) OneOf(name string, values ...string) string {
	v := p.Text(name, values[0])
	if !slices.Contains(values, v) {
		p.bad(name, "%.40q is none of %s", v, strings.Join(values, ", "))
	}
	return v
}

// Duration takes a duration, which is not negative.
func (p *Params) Duration(name string, absent time.Duration) time.Duration {
	text := p.Text(name, "")
	if text == "" {
		return absent
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		p.bad(name, "%.40q is no duration such as 100ms or 24h", text)
	}
	return d
}

// Count takes a whole number of at least 1.
func (p *Params) Count(name string, absent int) int {
	text := p.Text(name, "")
	if text == "" {
		return absent
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		p.bad(name, "%.40q is no number from 1 on", text)
	}
	return n
}

// units of sizes.
var units = []struct {
	name string
	size float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}

// Size takes a number of bytes, such as 50MiB.
func (p *Params) Size(name string, absent int64) int64 {
	text := p.Text(name, "")
	if text == "" {
		return absent
	}
	number := strings.TrimRight(text, "BKMGTik")
	for _, u := range units {
		if text[len(number):] != u.name {
			continue
		}
		if n, err := strconv.ParseFloat(number, 64); err == nil && n >= 0 && n*u.size < math.MaxInt64/2 {
			return int64(n * u.size)
		}
	}
	p.bad(name, "%.40q is no size such as 50MiB", text)
	return 0
}
