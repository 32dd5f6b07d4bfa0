package canonical

import (
	"encoding/binary"
	"io"
)

// AppendLP appends lp(x) of SPEC: four bytes of length, big-endian, then x.
func AppendLP[T string | []byte](dst []byte, x T) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(x)))
	return append(dst, x...)
}

// WriteLP writes lp(x) of SPEC: four bytes of length, big-endian, then x.
func WriteLP(w io.Writer, x []byte) {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(x)))
	w.Write(n[:])
	w.Write(x)
}
