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
	buckets []byte
	items   []byte
}

const (
	idBuckets = 1 << 14
	idItem    = 5
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

func openIDs(b []byte, rows int) (idTable, error) {
	const head = 4 * (idBuckets + 1)
	if len(b) != head+idItem*rows {
		return idTable{}, errIDs
	}
	t := idTable{b[:head], b[head:]}
	for i := range idBuckets {
		if t.first(i) > t.first(i+1) || t.first(i+1) > rows {
			return idTable{}, errIDs
		}
	}
	if t.first(0) != 0 || t.first(idBuckets) != rows {
		return idTable{}, errIDs
	}
	for b := range idBuckets {
		last := uint32(0)
		for i := t.first(b); i < t.first(b+1); i++ {
			rest, row := t.item(i)
			if row >= rows || rest < last {
				return idTable{}, errIDs
			}
			last = rest
		}
	}
	return t, nil
}

func (t idTable) first(bucket int) int { return int(binary.LittleEndian.Uint32(t.buckets[4*bucket:])) }

func (t idTable) item(i int) (rest uint32, row int) {
	b := t.items[idItem*i : idItem*i+idItem]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16, int(b[3]) | int(b[4])<<8
}

func (t idTable) rows(hash uint64, yield func(row int) bool) bool {
	b, want := idBucket(hash), idRest(hash)
	for i, end := t.first(b), t.first(b+1); i < end; i++ {
		rest, row := t.item(i)
		if rest > want {
			break
		}
		if rest == want && !yield(row) {
			return false
		}
	}
	return true
}

// each yields the stored bits of each hash with the row, ascending. Rows of one id follow each
// other.
func (t idTable) each(yield func(hash uint64, row int)) {
	for b := range idBuckets {
		for i, end := t.first(b), t.first(b+1); i < end; i++ {
			rest, row := t.item(i)
			yield(uint64(b)<<50|uint64(rest)<<26, row)
		}
	}
}

// ShortID returns the bits of an id's hash that a segment keeps.
func ShortID(hash uint64) uint64 { return hash &^ (1<<26 - 1) }
