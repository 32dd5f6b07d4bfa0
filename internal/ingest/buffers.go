package ingest

import (
	"math/bits"
	"sync"
)

// Bodies are read into buffers that are used again. Their sizes are powers of two, so that the
// budget is charged for what a buffer takes, whoever had it before. Larger buffers are not kept.
const (
	leastBuffer  = 4 << 10
	largestReuse = 1 << 20
)

var buffers [9]sync.Pool // of leastBuffer, twice that, and so on up to largestReuse

// bufferSize returns the size of the buffer in which n bytes are read.
func bufferSize(n int64) int64 {
	return max(leastBuffer, int64(1)<<bits.Len64(uint64(n-1)))
}

func poolOf(size int64) *sync.Pool { return &buffers[bits.Len64(uint64(size/leastBuffer))-1] }

// newBuffer returns a buffer of a size that bufferSize has returned. Its bytes may be those of
// another request.
func newBuffer(size int64) []byte {
	if size <= largestReuse {
		if b, ok := poolOf(size).Get().(*[]byte); ok {
			return *b
		}
	}
	return make([]byte, size)
}

// freeBuffer gives a buffer back. Nothing may refer to it any more.
func freeBuffer(b []byte) {
	if b = b[:cap(b)]; len(b) > 0 && len(b) <= largestReuse && int64(len(b)) == bufferSize(int64(len(b))) {
		poolOf(int64(len(b))).Put(&b)
	}
}
