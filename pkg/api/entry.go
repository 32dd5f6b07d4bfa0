package api

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// AppendEntry writes an entry as the API shows it: the members of the leaf byte for byte,
// entry_hash, and the data: JSON text as such, other text as a string in data, the rest in
// data_base64. With raw, it also writes what proves them: leaf, the bytes of the data, and the
// salt.
func AppendEntry(dst []byte, l proof.PageLine, raw bool) ([]byte, error) {
	bare, err := l.Entry.MarshalJSON()
	if err != nil {
		return nil, err
	}
	dst = appendRest(append(dst, bare[:len(bare)-1]...), l, raw)
	if raw {
		dst = canonical.AppendString(append(dst, `,"leaf":`...), string(l.Entry.Leaf))
	}
	return append(dst, '}'), nil
}

// AppendUnlinked writes an entry like AppendEntry, but without what ties it to the entries before
// it: entry_hash, previous_hash and the leaf.
func AppendUnlinked(dst []byte, l proof.PageLine, raw bool) ([]byte, error) {
	link := fmt.Appendf(nil, `,"previous_hash":"%s"`, l.Entry.PreviousHash)
	// members after it are no objects with such a member, and quotes within texts are escaped
	at := bytes.LastIndex(l.Entry.Leaf, link)
	if at < 0 {
		return nil, fmt.Errorf("%w: no previous_hash", entry.ErrLeaf)
	}
	dst = append(append(dst, l.Entry.Leaf[:at]...), l.Entry.Leaf[at+len(link):len(l.Entry.Leaf)-1]...)
	return append(appendRest(dst, l, raw), '}'), nil
}

// appendRest appends what is shown behind the members of the leaf.
func appendRest(dst []byte, l proof.PageLine, raw bool) []byte {
	if l.RepeatOf != nil {
		dst = fmt.Appendf(dst, `,"repeat_of":%d`, *l.RepeatOf)
	}
	dst = appendData(dst, l, raw)
	if l.DataError != "" {
		dst = canonical.AppendString(append(dst, `,"data_error":`...), l.DataError)
	}
	return dst
}

func appendData(dst []byte, l proof.PageLine, raw bool) []byte {
	if l.Payload == nil {
		return dst
	}
	data, text := l.Payload.Data, canonical.IsText(l.Payload.Data)
	switch {
	case !l.Payload.HasData():
	case l.HasJSON():
		dst = append(append(dst, `,"data":`...), data...)
	case text:
		dst = canonical.AppendString(append(dst, `,"data":`...), string(data))
	case !raw: // raw writes it below
		b, _ := json.Marshal(data) // base64 of bytes
		dst = append(append(dst, `,"data_base64":`...), b...)
	}
	if raw {
		dst = l.Payload.AppendMembers(append(dst, ','))
	}
	return dst
}
