package segment

import (
	"encoding/binary"
	"errors"
	"slices"
)

// idTable finds rows by 38 bits of the hash of an id. 14 of them select a bucket; the others are
// stored there with the row. It takes about six bytes a row.
//
//	u32 first item of each of 16,384 buckets, and the end |
//	items of: 24 bits of the hash, u16 row; ascending in each bucket
type idTable struct {
	r              *reading
	buckets, items span
}

func (r *reading) idTable() idTable {
	return idTable{r, r.ids.sub(0, idHead), r.ids.sub(idHead, r.ids.size-idHead)}
}

const (
	idBuckets = 1 << 14
	idItem    = 5
	idHead    = 4 * (idBuckets + 1)
)

func idBucket(hash uint64) int  { return int(hash >> 50) }
func idRest(hash uint64) uint32 { return uint32(hash>>26) & 0xffffff }

func encodeIDs(hashes []uint64) []byte {
	order := make([]uint64, 0, len(hashes)) // 38 bits of the hash, then 16 of the row
	for row, h := range hashes {
		order = append(order, h>>26<<16|uint64(row))
	}
	slices.Sort(order)
	buckets, items := make([]byte, 0, 4*(idBuckets+1)), make([]byte, 0, idItem*len(order))
	for i, b := 0, 0; b <= idBuckets; b++ {
		for i < len(order) && int(order[i]>>40) < b {
			rest := uint32(order[i]>>16) & 0xffffff
			items = append(items, byte(rest), byte(rest>>8), byte(rest>>16), byte(order[i]), byte(order[i]>>8))
			i++
		}
		buckets = binary.LittleEndian.AppendUint32(buckets, uint32(i))
	}
	return append(buckets, items...)
}

var errIDs = errors.New("table of ids")

// openIDs checks all of a table once, and yields the ShortID of every id.
func openIDs(b []byte, rows int, yield func(hash uint64)) error {
	if len(b) != idHead+idItem*rows {
		return errIDs
	}
	first := func(bucket int) int { return int(binary.LittleEndian.Uint32(b[4*bucket:])) }
	items := b[idHead:]
	if first(0) != 0 || first(idBuckets) != rows {
		return errIDs
	}
	for bucket := range idBuckets {
		from, end := first(bucket), first(bucket+1)
		if from > end || end > rows {
			return errIDs
		}
		last := uint32(0)
		for i := from; i < end; i++ {
			rest, row := readID(items[idItem*i:])
			if row >= rows || rest < last {
				return errIDs
			}
			last = rest
			yield(uint64(bucket)<<50 | uint64(rest)<<26)
		}
	}
	return nil
}

func readID(b []byte) (rest uint32, row int) {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16, int(b[3]) | int(b[4])<<8
}

func (t idTable) rows(hash uint64, yield func(row int) bool) {
	if !t.r.sieve.passes(sieved(idField, ShortID(hash))) {
		return
	}
	bucket, want := idBucket(hash), idRest(hash)
	b := t.r.bytes(t.buckets, 4*bucket, 8)
	first, end := int(binary.LittleEndian.Uint32(b)), int(binary.LittleEndian.Uint32(b[4:]))
	items := t.r.bytes(t.items, idItem*first, idItem*(end-first))
	for ; len(items) > 0 && t.r.err == nil; items = items[idItem:] {
		rest, row := readID(items)
		if rest > want || rest == want && !yield(row) {
			return
		}
	}
}

// each yields the stored bits of each hash with the row, ascending. Rows of one id follow each
// other.
func (t idTable) each(yield func(hash uint64, row int)) {
	buckets, items := t.r.bytes(t.buckets, 0, idHead), t.r.bytes(t.items, 0, t.items.size)
	if t.r.err != nil {
		return
	}
	for b := range idBuckets {
		first, end := binary.LittleEndian.Uint32(buckets[4*b:]), binary.LittleEndian.Uint32(buckets[4*b+4:])
		for i := int(first); i < int(end); i++ {
			rest, row := readID(items[idItem*i:])
			yield(uint64(b)<<50|uint64(rest)<<26, row)
		}
	}
}

// ShortID returns the bits of an id's hash that a segment keeps.
func ShortID(hash uint64) uint64 { return hash &^ (1<<26 - 1) }
