package sealer

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
)

// windowKey is a SHA-256. The window keeps only its first 128 bits, which still resist second
// preimages.
type windowKey [32]byte

type half [16]byte

// window remembers the (source, id) and the fingerprint of the events at the last `limit` indexes
// (SPEC 5.8). It is a ring by index with two hash tables that point into it. Chains in the tables
// run from newer to older records, so nothing is ever unlinked: a chain ends at the first index
// that has left the window. It takes 48 bytes an entry and 16 of tables.
//
// One goroutine at a time changes and asks the window. Another may copy settled records meanwhile:
// mu is for that one.
type window struct {
	mu      sync.Mutex
	settled uint64 // the records of all indexes before this one are those of committed entries

	limit uint64 // size of the window in indexes
	slack uint64 // older indexes that the ring keeps, so that truncate can bring them back
	low   uint64 // no lower index was added
	next  uint64 // the next index to add
	peak  uint64 // the highest next ever: tells what the ring has overwritten
	ring  []record
	keys  []uint64 // newest index + 1 by key; 0 if there is none
	exact []uint64 // newest index + 1 by key and fingerprint
	seed  uint64   // prevents senders from choosing ids that share a chain
}

type record struct {
	key, fingerprint    half
	olderKey, olderBoth uint64 // next in the chains of keys and exact, as index + 1
	event               bool   // an event was sealed at this index
}

// windowSlack is how many indexes can be taken back. It exceeds what the batches in flight and two
// messages hold.
const windowSlack = 4096

func (w *window) capacity() uint64 { return w.limit + w.slack }

func newWindow(limit, slack, from uint64) *window {
	w := &window{limit: limit, slack: slack, low: from, next: from, peak: from, seed: rand.Uint64() | 1}
	w.resize(min(w.capacity(), 1024))
	return w
}

// add adds index w.next to the window. event reports whether an event was sealed there.
func (w *window) add(event bool, key, print windowKey) {
	w.addRecord(record{key: half(key[:16]), fingerprint: half(print[:16]), event: event})
}

func (w *window) addRecord(r record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next-w.low == uint64(len(w.ring)) && uint64(len(w.ring)) < w.capacity() {
		w.resize(w.larger())
	}
	w.link(w.next, r)
	w.next++
	w.peak = max(w.peak, w.next)
}

// larger returns the next length of the ring. From longDoubling on that is the full capacity:
// linking a record again takes some 50 ns, and sealing waits for it. The unused part of a large
// ring takes no memory yet.
func (w *window) larger() uint64 {
	const longDoubling = 1 << 16
	if n := uint64(len(w.ring)); n < longDoubling {
		return min(w.capacity(), 2*n)
	}
	return w.capacity()
}

func (w *window) link(index uint64, r record) {
	if r.event {
		k, b := w.bucket(r.key, half{}), w.bucket(r.key, r.fingerprint)
		r.olderKey, w.keys[k] = w.keys[k], index+1
		r.olderBoth, w.exact[b] = w.exact[b], index+1
	}
	w.ring[index%uint64(len(w.ring))] = r
}

// resize moves the records to a ring of length n, in order, so that the chains stay the same.
func (w *window) resize(n uint64) {
	old, oldLen := w.ring, uint64(len(w.ring))
	w.ring = make([]record, n)
	w.keys, w.exact = make([]uint64, tableSize(min(n, w.limit))), make([]uint64, tableSize(min(n, w.limit)))
	for i := w.oldest(oldLen); i < w.next; i++ {
		w.link(i, old[i%oldLen])
	}
}

func tableSize(n uint64) uint64 {
	size := uint64(1)
	for size < n {
		size *= 2
	}
	return size
}

// oldest returns the first index that a ring of length n still holds.
func (w *window) oldest(n uint64) uint64 {
	if w.next-w.low > n {
		return w.next - n
	}
	return w.low
}

func (w *window) bucket(a, b half) uint64 {
	x := (binary.LittleEndian.Uint64(a[:]) ^ binary.LittleEndian.Uint64(b[8:])*0x9e3779b97f4a7c15) * w.seed
	return (x ^ x>>32) & uint64(len(w.keys)-1)
}

// newest returns the newest index in the window, before end, with that key.
func (w *window) newest(key windowKey, end uint64) (uint64, bool) {
	k := half(key[:16])
	for i := w.keys[w.bucket(k, half{})]; w.holds(i); i = w.at(i).olderKey {
		if w.at(i).key == k && i <= end {
			return i - 1, true
		}
	}
	return 0, false
}

// repeat returns the newest index in the window, from first to before end, with that key and
// fingerprint.
func (w *window) repeat(key, print windowKey, first, end uint64) (uint64, bool) {
	k, p := half(key[:16]), half(print[:16])
	for i := w.exact[w.bucket(k, p)]; w.holds(i) && i > first; i = w.at(i).olderBoth {
		if r := w.at(i); r.key == k && r.fingerprint == p && i <= end {
			return i - 1, true
		}
	}
	return 0, false
}

// holds reports whether index i−1 is in the window of the next index.
func (w *window) holds(i uint64) bool {
	return i > w.oldest(w.limit) && i > 0
}

func (w *window) at(i uint64) *record { return &w.ring[(i-1)%uint64(len(w.ring))] }

// covers reports whether the whole window before index size is known.
func (w *window) covers(size uint64) bool {
	return size >= w.low && (w.low == 0 || size-w.low >= w.limit)
}

// truncate removes the indexes from size on, newest first. It returns false and changes nothing if
// the ring has already lost indexes that would come back into the window.
func (w *window) truncate(size uint64) bool {
	if size > w.next || !w.covers(size) || w.peak-size > w.slack {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settled = min(w.settled, size)
	for w.next > size {
		w.next--
		r := &w.ring[w.next%uint64(len(w.ring))]
		if r.event {
			w.keys[w.bucket(r.key, half{})] = r.olderKey
			w.exact[w.bucket(r.key, r.fingerprint)] = r.olderBoth
		}
		*r = record{}
	}
	return true
}
