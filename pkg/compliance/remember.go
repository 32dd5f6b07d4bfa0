package compliance

import (
	"context"
	"fmt"

	"github.com/sealstream/sealstream/pkg/api"
)

// remembering is a Source that asks for the same entries once. Controls, and the report, look for
// much the same evidence. It is for one evaluation, and for one goroutine.
type remembering struct {
	Source
	found map[string][]Found
}

// remember returns a Source for one evaluation.
func remember(s Source) Source {
	if r, ok := s.(remembering); ok {
		return r
	}
	return remembering{s, map[string][]Found{}}
}

// Find implements Source.
func (r remembering) Find(
	ctx context.Context,
	f api.Filter,
	w Window,
	size uint64,
	from *uint64,
	limit int,
) ([]Found, error) {
	question := fmt.Sprint(w.Of(f).Values().Encode(), " ", size, " ", limit)
	if from != nil {
		question += fmt.Sprint(" from ", *from)
	}
	if list, ok := r.found[question]; ok {
		return list, nil
	}
	list, err := r.Source.Find(ctx, f, w, size, from, limit)
	if err == nil {
		r.found[question] = list
	}
	return list, err
}
