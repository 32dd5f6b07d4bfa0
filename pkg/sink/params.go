package sink

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/size"
)

// Params are the parameters of a sink's URL. Each method that reads a parameter removes it. Err
// reports the parameters that are left.
type Params struct {
	values url.Values // parameters that were not read yet
	err    error      // first invalid value
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

// Err returns the first invalid value, or else an error that names the parameters that were not
// read.
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

// Text returns a parameter, or the default absent if the URL does not have it.
func (p *Params) Text(name, absent string) string {
	list, ok := p.values[name]
	delete(p.values, name)
	if !ok {
		return absent
	}
	return list[0]
}

// Rest returns all parameters that were not read, for a library that has its own.
func (p *Params) Rest() url.Values {
	rest := p.values
	p.values = nil
	return rest
}

// OneOf returns a parameter that must have one of some values. The first value is the default.
func (p *Params) OneOf(name string, values ...string) string {
	v := p.Text(name, values[0])
	if !slices.Contains(values, v) {
		p.bad(name, "%.40q is not one of %s", v, strings.Join(values, ", "))
	}
	return v
}

// Duration returns a duration, which must not be negative. The default is absent.
func (p *Params) Duration(name string, absent time.Duration) time.Duration {
	text := p.Text(name, "")
	if text == "" {
		return absent
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		p.bad(name, "%.40q is not a duration such as 100ms or 24h", text)
	}
	return d
}

// Count returns a whole number, which must be at least 1. The default is absent.
func (p *Params) Count(name string, absent int) int {
	text := p.Text(name, "")
	if text == "" {
		return absent
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		p.bad(name, "%.40q is not a whole number of at least 1", text)
	}
	return n
}

// Size returns a size in bytes, which the URL may write as 50MiB or 1.5GB. The default is absent.
func (p *Params) Size(name string, absent int64) int64 {
	text := p.Text(name, "")
	if text == "" {
		return absent
	}
	n, err := size.Parse(text)
	if err != nil {
		p.bad(name, "%w", err)
	}
	return n
}
