package proof

import (
	"encoding/json"
	"fmt"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// PageLine is one entry of a page, or of a stream, that comes with a BatchProof (SPEC 8.1).
type PageLine struct {
	Entry   entry.Entry
	Payload *entry.Payload // opens the entry's data_hash; nil if it is not shown, see DataError

	// DataError is the reason why the server could not read the data. If Payload is nil and DataError
	// is empty, the server says that the data was erased. Neither is proven.
	DataError string

	// RepeatOf is the index of an earlier entry of the same event. Nil means that the server names
	// none. It is not proven.
	RepeatOf *uint64
}

// AppendPageLine appends an entry to dst in the form that ParsePageLine reads, without a line feed.
func AppendPageLine(dst []byte, l PageLine) ([]byte, error) {
	dst, err := ExportLine{Leaf: l.Entry.Leaf, Payload: l.Payload, DataError: l.DataError}.Append(dst)
	if err == nil && l.RepeatOf != nil {
		dst = fmt.Appendf(dst[:len(dst)-1], `,"repeat_of":%d}`, *l.RepeatOf)
	}
	return dst, err
}

// ParsePageLine reads an entry and checks what can be checked without its proof: the form of the
// leaf, and that the data opens the leaf's commitment. Every error wraps ErrProof.
func ParsePageLine(raw []byte) (PageLine, error) {
	if l, ok := readPageLine(raw); ok {
		return l, nil
	}
	line, e, more, err := parseLine(raw)
	if err == nil {
		err = checkMembers(more, []string{"repeat_of"}, "repeat_of")
	}
	l := PageLine{Entry: e, Payload: line.Payload, DataError: line.DataError}
	if repeat, ok := more["repeat_of"]; ok && err == nil {
		l.RepeatOf = new(uint64)
		err = json.Unmarshal(repeat, l.RepeatOf)
	}
	switch {
	case err != nil:
		return PageLine{}, fmt.Errorf("%w: %w: %w", ErrProof, ErrForm, err)
	case l.Payload != nil && !l.Payload.Opens(e):
		return PageLine{}, fmt.Errorf("%w: index %d: the payload does not open what the leaf commits to", ErrProof, e.Index)
	case l.DataError != "" && !e.HasPayload():
		return PageLine{}, fmt.Errorf("%w: index %d: data_error of an entry without data", ErrProof, e.Index)
	}
	return l, nil
}

// readPageLine reads a line of text in one pass, as AppendPageLine writes it; false says nothing
// but that ParsePageLine must look.
func readPageLine(raw []byte) (PageLine, bool) {
	var l ExportLine
	var e entry.Entry
	ok := l.read(raw, &e, (*entry.Entry).Parse)
	return PageLine{Entry: e, Payload: l.Payload}, ok && (l.Payload == nil || l.Payload.Opens(e))
}

// HasJSON reports whether the data is JSON text, which can be inserted into other JSON. It is false
// for a rejected entry, whose data is arbitrary bytes, and for data_base64 that holds no valid
// JSON.
func (l PageLine) HasJSON() bool {
	return l.Payload != nil && l.Entry.EventType != entry.TypeRejected &&
		ruleset.IsJSON(l.Entry.Extensions["datacontenttype"]) && canonical.CheckJSON(l.Payload.Data, ruleset.MaxDepth) == nil
}
