package query

// seen is a Bloom filter of ids, with two bytes for each id. It tells cheaply, for nearly every
// entry, that its id is new. All bits of an id are in one word. It grows by a part twice as large
// as the last one.
type seen struct {
	parts []seenPart
	room  int // ids that still fit into the last part
}

type seenPart struct {
	words []uint64
	shift int
}

const (
	seenFirst   = 1 << 16 // ids that the first part holds
	seenPerWord = 4       // ids a word, 16 bits each
)

// add adds an id and reports whether it may have been added before. About one in a hundred new ids
// is reported, too.
func (s *seen) add(hash uint64) bool {
	// Segments do not keep the lower bits of an id's hash. The upper ones choose the word, so that a
	// start, which reads the ids of a segment in the order of their hashes, goes through memory in
	// order. All of them choose the bits.
	bits := (hash ^ hash>>32) * 0x9e3779b97f4a7c15
	bits ^= bits >> 29
	mask := uint64(1)<<(bits&63) | 1<<(bits>>6&63) | 1<<(bits>>12&63) | 1<<(bits>>18&63) | 1<<(bits>>24&63)
	for _, p := range s.parts {
		if p.words[hash>>p.shift]&mask == mask {
			return true
		}
	}
	if s.room == 0 {
		s.grow()
	}
	s.room--
	p := s.parts[len(s.parts)-1]
	p.words[hash>>p.shift] |= mask
	return false
}

func (s *seen) grow() {
	n, shift := seenFirst/seenPerWord, 64-14
	if len(s.parts) > 0 {
		last := s.parts[len(s.parts)-1]
		n, shift = 2*len(last.words), last.shift-1
	}
	s.parts = append(s.parts, seenPart{make([]uint64, n), shift})
	s.room = n * seenPerWord
}
