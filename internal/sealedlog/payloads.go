package sealedlog

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
)

// ParsePayloads reads the body of a PAYLOADS message (SPEC 7): a record per line, in ascending
// order of indexes. An empty body, whose data was all erased, has no records.
func ParsePayloads(body []byte) ([]entry.Payload, error) {
	if len(body) == 0 {
		return nil, nil // all of it was erased
	}
	if body[len(body)-1] != '\n' {
		return nil, errors.New("payload records: the last line does not end")
	}
	lines := bytes.Split(body[:len(body)-1], []byte{'\n'})
	list := make([]entry.Payload, len(lines))
	for i, line := range lines {
		p, err := entry.ParsePayload(line)
		if err != nil {
			return nil, err
		}
		if i > 0 && p.Index <= list[i-1].Index {
			return nil, fmt.Errorf("payload records: index %d after %d", p.Index, list[i-1].Index)
		}
		list[i] = p
	}
	return list, nil
}
