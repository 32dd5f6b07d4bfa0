package httpapi

import "github.com/sealstream/sealstream/pkg/api"

// Filter takes the parameters of an api.Filter. It does not check their values: api.Filter.Normal
// does.
func (p *Params) Filter() (f api.Filter) {
	for i, values := range f.Fields() {
		*values = p.All(api.FilterNames[i])
	}
	f.From, _ = p.One("from")
	f.To, _ = p.One("to")
	of, _ := p.One("time")
	f.Time = api.Time(of)
	return f
}
