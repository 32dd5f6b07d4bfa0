package query

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"sort"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Leaf hashes are not kept. Instead the index keeps the hashes of groups of eight leaves, which
// takes eight bytes an entry with the whole tree above. A leaf is verified together with the seven
// others of its group, which are in the same message. For a group whose leaves are in several
// messages, each leaf hash is kept.
const (
	groupLevel = 3
	groupSize  = 1 << groupLevel
)

// part is a range of the log. Its size is a power of two; the newest part may be shorter. A part is
// live while it grows, and then frozen.
type part struct {
	first   uint64
	live    *live
	frozen  *frozen
	repeats *segment.Bits // rows whose id may occur earlier in the log
}

// live is a part that still grows. It is read under the lock of the index.
type live struct {
	rows   *segment.Builder
	tree   merkle.Tree // tree of its leaves alone
	long   longTimes
	erased []uint64 // indexes that erasure entries in this part name
}

// frozen is a full part. It does not change. Nearly all of it is in its file, so that memory does
// not grow with the log: an error of reading that is for Query.damaged.
type frozen struct {
	seg    *segment.Segment
	file   *os.File       // that seg reads from; nil: it is in memory
	about  about          // without its batches
	levels [][]entry.Hash // hashes from level kept up to the root
	kept   int
	long   longTimes
	ranges [2][2]int64               // lowest and highest value of each time column
	files  atomic.Pointer[partFiles] // nil: its entries are read from the log

	distrusted atomic.Bool // files were found wrong, and may not be opened again
	writes     int         // how often files were written; this and the next are the keeper's
	writeAfter time.Time   // when they may be written again
}

// about describes a segment. It is stored in it.
type about struct {
	Log    string     `json:"log"`
	Origin string     `json:"origin"`
	First  uint64     `json:"first"`
	Size   uint64     `json:"size"` // tree size at the end of the segment
	Root   string     `json:"root"` // root of the tree of that size
	Keys   []string   `json:"keys,omitempty"`
	Erased []uint64   `json:"erased,omitempty"`
	Long   []longTime `json:"long,omitempty"`
	batch  []batchRef // batches that start in the segment
}

// Sections that the index adds to a segment.
const (
	batchSection = "batches"
	groupSection = "groups"
	leafSection  = "leaves"
)

// encode encodes a full live part as a segment. The result depends only on the log and the key.
func (l *live) encode(key segment.Key, a about) ([]byte, error) {
	rows := l.rows.Rows()
	var groups, leaves []byte
	for g := range uint64(rows / groupSize) {
		h, err := l.tree.Node(groupLevel, g)
		if err != nil {
			return nil, err
		}
		groups = append(groups, h[:]...)
	}
	for _, g := range splitGroups(a) {
		leaves = binary.LittleEndian.AppendUint32(leaves, g)
		for i := range uint64(groupSize) {
			h, err := l.tree.Leaf(uint64(g)*groupSize + i)
			if err != nil {
				return nil, err
			}
			leaves = append(leaves, h[:]...)
		}
	}
	a.Erased, a.Long = l.erased, l.long.list()
	owner, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	return l.rows.Encode(key, owner,
		map[string][]byte{batchSection: encodeBatches(a.batch), groupSection: groups, leafSection: leaves})
}

// splitGroups returns the groups in whose middle a batch starts.
func splitGroups(a about) (list []uint32) {
	for _, b := range a.batch {
		at := b.first - a.First
		if g := uint32(at / groupSize); at%groupSize != 0 && (len(list) == 0 || list[len(list)-1] != g) {
			list = append(list, g)
		}
	}
	return list
}

func encodeBatches(list []batchRef) (b []byte) {
	last := batchRef{}
	for _, r := range list {
		b = binary.AppendUvarint(b, r.first-last.first)
		b = binary.AppendUvarint(b, r.seq-last.seq)
		b = binary.AppendUvarint(b, r.payloads-last.payloads)
		last = r
	}
	return b
}

var errPart = errors.New("not a part of this log's index")

func decodeBatches(b []byte) (list []batchRef, err error) {
	last := batchRef{}
	for len(b) > 0 {
		for _, field := range []*uint64{&last.first, &last.seq, &last.payloads} {
			d, n := binary.Uvarint(b)
			if n <= 0 || *field+d < *field {
				return nil, fmt.Errorf("%w: batches", errPart)
			}
			*field, b = *field+d, b[n:]
		}
		if n := len(list); n > 0 && (list[n-1].first >= last.first || list[n-1].seq >= last.seq) {
			return nil, fmt.Errorf("%w: batches do not rise", errPart)
		}
		list = append(list, last)
	}
	return list, nil
}

// openPart opens a segment with that many rows and builds its tree.
func openPart(data []byte, rows int) (*frozen, error) {
	seg, err := segment.Open(data)
	if err != nil {
		return nil, err
	}
	f := &frozen{seg: seg}
	if err := json.Unmarshal(seg.Owner, &f.about); err != nil {
		return nil, fmt.Errorf("%w: %w", errPart, err)
	}
	if seg.Rows != rows || f.about.First%uint64(rows) != 0 || f.about.Size != f.about.First+uint64(rows) {
		return nil, fmt.Errorf("%w: another range", errPart)
	}
	if f.about.batch, err = f.batches(); err != nil {
		return nil, err
	}
	for _, b := range f.about.batch {
		if b.first < f.about.First || b.first >= f.about.Size {
			return nil, fmt.Errorf("%w: batches of another range", errPart)
		}
	}
	if f.long, err = newLongTimes(f.about.Long, rows); err != nil {
		return nil, err
	}
	for c := range f.ranges {
		f.ranges[c][0], f.ranges[c][1] = seg.Range(c)
	}
	return f, f.openTree(rows)
}

// batches reads the batches that start in the part.
func (f *frozen) batches() ([]batchRef, error) {
	b, err := f.seg.Section(batchSection)
	if err != nil {
		return nil, err
	}
	return decodeBatches(b)
}

// readFrom reads the part from its file from now on, which holds what it was opened with.
func (f *frozen) readFrom(file *os.File, blocks *segment.Blocks) {
	f.seg.ReadFrom(file, blocks)
	f.file = file
}

// keptLevel is the lowest level of the tree whose hashes are in memory: 64 bytes for each 128
// leaves. Those below are computed from the groups, which takes a read of at most 512 bytes.
const keptLevel = groupLevel + 4

// openTree computes the tree, and checks that the groups in several messages have their hashes.
func (f *frozen) openTree(rows int) error {
	b, err := f.seg.Section(groupSection)
	if err != nil {
		return err
	}
	row := hashesOf(b)
	if len(row) != rows/groupSize {
		return fmt.Errorf("%w: hashes", errPart)
	}
	groups := row
	f.kept = min(keptLevel, rowsLevel(uint64(rows)))
	for level := groupLevel; ; level++ {
		if level >= f.kept {
			f.levels = append(f.levels, row)
		}
		if len(row) == 1 {
			break
		}
		next := make([]entry.Hash, len(row)/2)
		for i := range next {
			next[i] = merkle.NodeHash(row[2*i], row[2*i+1])
		}
		row = next
	}
	if b, err = f.seg.Section(leafSection); err != nil {
		return err
	}
	want := splitGroups(f.about)
	if len(b) != len(want)*splitItem {
		return fmt.Errorf("%w: leaves", errPart)
	}
	for i, g := range want {
		item := b[i*splitItem : (i+1)*splitItem]
		if binary.LittleEndian.Uint32(item) != g || merkle.PerfectRoot(hashesOf(item[4:])) != groups[g] {
			return fmt.Errorf("%w: leaves of group %d", errPart, g)
		}
	}
	return nil
}

// splitItem is the size of a group with its leaf hashes in leafSection. Groups ascend there.
const splitItem = 4 + groupSize*len(entry.Hash{})

// split returns the leaf hashes of a group that is in several messages, or nil if it is in one.
func (f *frozen) split(group int) (hashes []entry.Hash, err error) {
	at := sort.Search(f.seg.SectionSize(leafSection)/splitItem, func(i int) bool {
		b, e := f.seg.SectionAt(leafSection, i*splitItem, 4)
		if e != nil {
			err = e
			return true
		}
		return int(binary.LittleEndian.Uint32(b)) >= group
	})
	if err != nil || at*splitItem == f.seg.SectionSize(leafSection) {
		return nil, err
	}
	b, err := f.seg.SectionAt(leafSection, at*splitItem, splitItem)
	if err != nil || int(binary.LittleEndian.Uint32(b)) != group {
		return nil, err
	}
	return hashesOf(b[4:]), nil
}

// node returns a node of the part's tree, from groupLevel on.
func (f *frozen) node(level int, n uint64) (entry.Hash, error) {
	if level >= f.kept {
		return f.levels[level-f.kept][n], nil
	}
	const size = len(entry.Hash{})
	groups := 1 << (level - groupLevel)
	b, err := f.seg.SectionAt(groupSection, int(n)*groups*size, groups*size)
	if err != nil {
		return entry.Hash{}, err
	}
	return merkle.PerfectRoot(hashesOf(b)), nil
}

func hashesOf(b []byte) []entry.Hash {
	list := make([]entry.Hash, len(b)/32)
	for i := range list {
		list[i] = entry.Hash(b[32*i:])
	}
	return list
}

// root returns the root of the part's own leaves.
func (f *frozen) root() entry.Hash { return f.levels[len(f.levels)-1][0] }

// match finds the rows of a filter and reports whether there are any.
func (f *frozen) match(by *compiled, found, spare *segment.Bits) (bool, error) {
	s := &by.span
	if !s.open() {
		if r := f.ranges[s.column]; r[0] > s.hi || r[1] < s.lo {
			return false, nil
		}
	}
	any, err := f.seg.Match(&by.wanted, found, spare)
	if !any || err != nil || s.open() {
		return any, err
	}
	has := func(row int, n int64) bool { return s.has(n, f.long.text(s.column, row, n)) }
	err = f.seg.Keep(s.column, found, s.lo, s.hi, has)
	return err == nil && found.Next(0) >= 0, err
}

// match finds the rows of a filter from one on, and reports whether there are any.
func (l *live) match(key segment.Key, by *compiled, from int, found, spare *segment.Bits) bool {
	s := &by.span
	if any := l.rows.Match(key, &by.wanted, from, found, spare); !any || s.open() {
		return any
	}
	column := l.rows.Column(s.column)
	for row := found.Next(0); row >= 0; row = found.Next(row + 1) {
		if n := column[row]; n < s.lo || n > s.hi || (n == s.lo || n == s.hi) && !s.has(n, l.long.text(s.column, row, n)) {
			found.Clear(row)
		}
	}
	return found.Next(0) >= 0
}

func (l *live) add(e *entry.Entry, r *segment.Row, h entry.Hash) {
	l.rows.Add(r)
	l.tree.Append(h)
	if d, ok := e.Detail.(*entry.Erasure); ok {
		l.erased = append(l.erased, d.Indexes...)
	}
}

// rowsLevel returns the level of a part's root in the tree.
func rowsLevel(rows uint64) int { return bits.TrailingZeros64(rows) }
