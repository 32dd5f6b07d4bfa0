package inbox

import (
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
)

// ErrTooMany is returned for a batch of more than ruleset.MaxMessageEvents events.
var ErrTooMany = fmt.Errorf("more than %d events", ruleset.MaxMessageEvents)

// Split splits a JSON array into the raw text of its elements, parts of body. An empty array
// is an error.
func Split(body []byte) ([][]byte, error) {
	if events, ok := splitFast(body); ok {
		return events, nil
	}
	return splitStrict(body)
}

func splitStrict(body []byte) ([][]byte, error) {
	var events [][]byte
	err := canonical.WalkArray(body, func(v []byte) error {
		if len(events) == ruleset.MaxMessageEvents {
			return ErrTooMany
		}
		events = append(events, v)
		return nil
	})
	if err == nil && len(events) == 0 {
		err = errors.New("an empty batch")
	}
	if err != nil {
		return nil, err
	}
	return events, nil
}

// splitFast is Split in one pass. If it returns false, splitStrict must read the body.
func splitFast(body []byte) ([][]byte, bool) {
	s := canonical.NewScanner(body)
	defer s.Free()
	if !s.Byte('[') {
		return nil, false
	}
	list := make([][]byte, 0, 16)
	for {
		s.Space()
		start := s.Offset()
		if !s.Value(canonical.ScanLimit) || len(list) == ruleset.MaxMessageEvents {
			return nil, false
		}
		list = append(list, s.Since(start))
		if !s.Byte(',') {
			break
		}
	}
	return list, s.Byte(']') && s.AtEnd()
}
