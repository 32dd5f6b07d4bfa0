package sealer

import (
	"encoding/binary"
	"math/rand/v2"
)

// windowKey is a SHA-256; the window keeps its first half, 128 bits, against which nobody finds a second preimage.
type windowKey [32]byte

type half [16]byte

// window holds, for the last size indexes, under which (source, id) and with which fingerprint an event was sealed there
// (SPEC 5.8). It is a ring by index, and two hash tables into it whose chains run from newer to older, so that nothing is
// ever unlinked: a chain simply ends at the first index that has left the window. 48 bytes an entry and 16 of tables.
type window struct {
	limit uint64 // indexes that count
	slack uint64 // indexes that the ring holds beyond them, so that truncate can bring them back
	low   uint64 // no index below was added: where the ring begins
	next  uint64 // the index that is added next
	peak  uint64 // the highest that next ever was: what the ring has overwritten follows from it
	ring  []record
	keys  []uint64 // newest index + 1 by key, 0 none
	exact []uint64 // newest index + 1 by key and fingerprint
	seed  uint64   // keeps anyone from choosing ids that share a chain
}

type record struct {
	key, print          half
	olderKey, olderBoth uint64 // index + 1
	event               bool
}

// windowSlack is how many indexes can be taken back: more than the batches in flight and two messages hold.
const windowSlack = 4096

func (w *window) most() uint64 { return w.limit + w.slack }

func newWindow(limit, slack, from uint64) *window {
	w := &window{limit: limit, slack: slack, low: from, next: from, peak: from, seed: rand.Uint64() | 1}
	w.resize(min(w.most(), 1024))
	return w
}

// add takes index w.next into the window; event says whether an event stands there.
func (w *window) add(event bool, key, print windowKey) {
	if w.next-w.low == uint64(len(w.ring)) && uint64(len(w.ring)) < w.most() {
		w.resize(w.larger())
	}
	w.link(w.next, record{key: half(key[:16]), print: half(print[:16]), event: event})
	w.next++
	w.peak = max(w.peak, w.next)
}

// larger is the next length of the ring. From longDoubling on it is the last one: to link records anew takes some 50 ns each, and
// sealing waits for it. What is not used yet of a large ring is no memory yet.
func (w *window) larger() uint64 {
	const longDoubling = 1 << 16
	if n := uint64(len(w.ring)); n < longDoubling {
		return min(w.most(), 2*n)
	}
	return w.most()
}

func (w *window) link(index uint64, r record) {
	if r.event {
		k, b := w.bucket(r.key, half{}), w.bucket(r.key, r.print)
		r.olderKey, w.keys[k] = w.keys[k], index+1
		r.olderBoth, w.exact[b] = w.exact[b], index+1
	}
	w.ring[index%uint64(len(w.ring))] = r
}

// resize moves the records into a ring of n, in order, so that the chains come out the same.
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

// oldest is the first index that a ring of n still holds.
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

// newest is the newest index in the window with that key, and whether there is one.
func (w *window) newest(key windowKey) (uint64, bool) {
	k := half(key[:16])
	for i := w.keys[w.bucket(k, half{})]; w.holds(i); i = w.at(i).olderKey {
		if w.at(i).key == k {
			return i - 1, true
		}
	}
	return 0, false
}

// repeat is the newest index in the window with that key and fingerprint, and whether there is one.
func (w *window) repeat(key, print windowKey) (uint64, bool) {
	k, p := half(key[:16]), half(print[:16])
	for i := w.exact[w.bucket(k, p)]; w.holds(i); i = w.at(i).olderBoth {
		if r := w.at(i); r.key == k && r.print == p {
			return i - 1, true
		}
	}
	return 0, false
}

// holds says whether index i−1 is in the window of the index about to be given.
func (w *window) holds(i uint64) bool {
	return i > w.oldest(w.limit) && i > 0
}

func (w *window) at(i uint64) *record { return &w.ring[(i-1)%uint64(len(w.ring))] }

// covers says whether the window of an index is known in full.
func (w *window) covers(size uint64) bool {
	return size >= w.low && (w.low == 0 || size-w.low >= w.limit)
}

// truncate takes back the indexes from size on, newest first. It says false, and does nothing, if the ring has already
// lost indexes that would come back into the window.
func (w *window) truncate(size uint64) bool {
	if size > w.next || !w.covers(size) || w.peak-size > w.slack {
		return false
	}
	for w.next > size {
		w.next--
		r := &w.ring[w.next%uint64(len(w.ring))]
		if r.event {
			w.keys[w.bucket(r.key, half{})] = r.olderKey
			w.exact[w.bucket(r.key, r.print)] = r.olderBoth
		}
		*r = record{}
	}
	return true
}
