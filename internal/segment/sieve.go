package segment

import "math/bits"

// sieve is a Bloom filter of all values and ids of a segment. Nearly all questions about what a
// segment does not have are answered by it without a read: a rare filter asks every segment of a
// log. It is made when the segment is opened, and in memory alone.
//
// A value sets sieveBits bits in one block of 512, so that a question touches one cache line. About
// one in a hundred values that the segment lacks passes.
type sieve [][8]uint64

const (
	sieveBits  = 6
	bitsAValue = 10
	maxSieve   = 128 << 10 / 64 // blocks. With more values, more of those that it lacks pass.
)

// newSieve makes a sieve of values of sieved.
func newSieve(values []uint64) sieve {
	s := make(sieve, min(len(values)*bitsAValue/512+1, maxSieve))
	for _, v := range values {
		b := s.block(v)
		for range sieveBits {
			b[v>>6&7] |= 1 << (v & 63)
			v >>= 9
		}
	}
	return s
}

func (s sieve) block(v uint64) *[8]uint64 {
	n, _ := bits.Mul64(v*0x9e3779b97f4a7c15, uint64(len(s)))
	return &s[n]
}

// passes reports whether a value may be there. Without a sieve every value may.
func (s sieve) passes(v uint64) bool {
	if s == nil {
		return true
	}
	b := s.block(v)
	for range sieveBits {
		if b[v>>6&7]>>(v&63)&1 == 0 {
			return false
		}
		v >>= 9
	}
	return true
}

// idField stands for ids among the fields of sieved.
const idField = Fields

// sieved mixes the hash of a value with its field, so that every bit depends on all of both.
func sieved(field int, hash uint64) uint64 {
	v := hash + uint64(field+1)*0x9e3779b97f4a7c15
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return v ^ v>>31
}
