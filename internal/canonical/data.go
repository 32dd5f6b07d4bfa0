package canonical

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Data writes data as the member data_raw if it is text, and as data_base64 if not (SPEC 7).
func (o *Object) Data(data []byte) {
	if IsText(data) {
		o.Name("data_raw")
		o.Dst = AppendString(o.Dst, data)
		return
	}
	o.Name("data_base64")
	o.Dst = append(o.Dst, '"')
	o.Dst = base64.StdEncoding.AppendEncode(o.Dst, data)
	o.Dst = append(o.Dst, '"')
}

// ParseData reads the value of a member data_raw or data_base64, and refuses the one where
// the other belongs.
func ParseData(name string, value []byte) ([]byte, error) {
	s, err := Unquote(value)
	if err != nil {
		return nil, err
	}
	data := []byte(s)
	if name == "data_base64" {
		if strings.ContainsAny(s, "\r\n") {
			return nil, errors.New("line break in base64")
		}
		if data, err = base64.StdEncoding.Strict().DecodeString(s); err != nil {
			return nil, err
		}
	}
	if IsText(data) != (name == "data_raw") {
		return nil, fmt.Errorf("%s where the other form belongs", name)
	}
	return data, nil
}

// DataSize is about how long the text of Data is with the brace before it. Rare escapes are not
// counted.
func DataSize(data []byte) int {
	size := len(data) + 2 + 16
	for _, c := range []byte{'"', '\\', '\n'} {
		size += bytes.Count(data, []byte{c})
	}
	return size
}
