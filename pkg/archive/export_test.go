package archive

import (
	"bytes"
	"io"
)

// Unpack decodes a whole object.
func Unpack(b []byte) ([]byte, error) {
	z, err := newStreamDecoder(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	return io.ReadAll(z)
}
