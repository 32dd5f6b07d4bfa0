package archive

import (
	"bytes"
	"io"
	"time"
)

// KeepFor sets how long data that was read is kept.
func (a *Archive) KeepFor(d time.Duration) *Archive { a.keepFor = d; return a }

// Unpack decodes a whole object.
func Unpack(b []byte) ([]byte, error) {
	z, err := newStreamDecoder(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	return io.ReadAll(z)
}

// Hurry makes an archiver look at a SEALED that ends too early more often.
func (x *Archiver) Hurry() { x.cutInterval = time.Millisecond }
