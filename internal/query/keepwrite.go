package query

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/internal/store"
)

// keepChunk is how many leaves are read at a time to write a part's files.
const keepChunk = 1024

// keepTimeout is how long the log may take to give one piece of a part.
const keepTimeout = 5 * time.Second

// write writes the files of the part from the log, and opens them.
func (k *keeper) write(ctx context.Context) error {
	f := k.part
	f.writeAfter = time.Now().Add(min(keepRetry<<min(f.writes, 10), maxKeepRetry))
	f.writes++
	files := &partFiles{erasedRows: len(k.erased)}
	k.spare = k.cfg.Spare // which an erasure does not mind
	var err error
	if g := k.keeping.gathered[f.about.First]; g != nil {
		files.leaves, err = k.writeFile(leavesEnd, g.file.writeTo)
	} else {
		files.leaves, err = k.writeRows(leavesEnd, func(to *segment.RowsWriter) ([]byte, error) {
			return k.copyLeaves(ctx, to)
		})
	}
	if err == nil {
		files.data, err = k.writeRows(dataEnd, func(to *segment.RowsWriter) ([]byte, error) {
			return k.dataName(), k.copyData(ctx, to)
		})
	}
	if err != nil {
		files.close()
		return err
	}
	f.distrusted.Store(false)
	f.files.Store(files)
	return nil
}

// writeRows writes a file of rows in place of the one that is there, and opens it.
func (k *keeper) writeRows(end string, fill func(*segment.RowsWriter) (side []byte, err error)) (*rowFile, error) {
	return k.writeFile(end, func(w io.Writer) error {
		rows, err := segment.NewRowsWriter(w)
		if err != nil {
			return err
		}
		side, err := fill(rows)
		if err != nil {
			return err
		}
		return rows.Close(side)
	})
}

// writeFile writes a file of rows as its bytes are.
func (k *keeper) writeFile(end string, fill func(w io.Writer) error) (*rowFile, error) {
	first := k.part.about.First
	err := k.folder.write(first, end, func(w io.Writer) error { return fill(&sparing{w: w, spare: k.spare}) })
	if err != nil {
		return nil, err
	}
	rows, err := k.folder.openRows(first, end)
	if err == nil && rows == nil {
		err = errors.New("a file that was just written is gone")
	}
	return rows, err
}

// copyLeaves copies the part's leaves from the log, and returns their hashes, all compared with the
// tree.
func (k *keeper) copyLeaves(ctx context.Context, to *segment.RowsWriter) (side []byte, err error) {
	first, size := k.part.about.First, k.part.about.Size
	for x := first; x < size; {
		k.readAhead(ctx, x, min(x+keepChunk, size))
		read, cancel := context.WithTimeout(ctx, keepTimeout)
		leaves, hashes, err := k.leafRange(read, x, min(x+keepChunk, size))
		cancel()
		if err != nil {
			return nil, err
		}
		for i, leaf := range leaves {
			if err := to.Add(int(x-first)+i, leaf); err != nil {
				return nil, err
			}
			side = append(side, hashes[i][:]...)
		}
		x += uint64(len(leaves))
		k.rest(ctx)
	}
	return side, nil
}

// readAhead reads the messages of leaves in order, and puts them where leafRange looks first.
func (k *keeper) readAhead(ctx context.Context, first, end uint64) {
	for x := first; x < end; {
		ref, over := k.batchOf(x)
		key := cacheKey{seq: ref.seq}
		if _, there := k.cache.get(key); !there {
			body, ok := k.keeping.sealed.get(ctx, ref.seq)
			if !ok {
				return
			}
			k.cache.put(key, body)
		}
		x = over
	}
}

// copyData copies the records of the part's data that were not erased. A message that is missing,
// or bad, leaves its records out: whoever asks for them is told what the log says.
func (k *keeper) copyData(ctx context.Context, to *segment.RowsWriter) error {
	first, size, last := k.part.about.First, k.part.about.Size, uint64(0)
	for x := first; x < size; {
		ref, over := k.batchOf(x)
		from, end := x, min(over, size)
		x = over
		if ref.payloads == last { // a batch without data names the message of an earlier one
			continue
		}
		last = ref.payloads
		body, err := k.records(ctx, ref.payloads)
		_, damaged := errors.AsType[*audit.MismatchError](err)
		if errors.Is(err, store.ErrNotFound) || damaged {
			continue
		} else if err != nil {
			return err
		}
		if err := k.copyRecords(to, body, from, end); err != nil {
			return err
		}
		k.rest(ctx)
	}
	return nil
}

// records reads a message of PAYLOADS.
func (k *keeper) records(ctx context.Context, seq uint64) ([]byte, error) {
	if body, ok := k.keeping.payloads.get(ctx, seq); ok {
		return body, nil
	}
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	return store.PayloadMessage(ctx, k.cfg.Log, seq)
}

// copyRecords copies the records of a message whose indexes lie from one on to before end.
func (k *keeper) copyRecords(to *segment.RowsWriter, body []byte, from, end uint64) error {
	for _, r := range recordsOf(body, from, end) {
		if _, erased := slices.BinarySearch(k.erased, r.index); erased {
			continue
		}
		if err := to.Add(int(r.index-k.part.about.First), r.record); err != nil {
			return err
		}
	}
	return nil
}

// record is a record of a PAYLOADS message and its index.
type record struct {
	index  uint64
	record []byte
}

// recordsOf returns the records that recordOf finds for the indexes from one on to before end. In a
// message as the sealer writes it they ascend, and are found in one go.
func recordsOf(body []byte, from, end uint64) (list []record) {
	next, rest := uint64(0), body
	for len(rest) > 0 {
		var line []byte
		line, rest = cut(rest)
		index, ok := indexOfRecord(line)
		if !ok || index < next {
			list = nil
			for index := from; index < end; index++ {
				if line := recordOf(body, index); line != nil {
					list = append(list, record{index, line})
				}
			}
			return list
		}
		if next = index + 1; index >= from && index < end {
			list = append(list, record{index, line})
		}
	}
	return list
}

// rest halves the speed while the log grows, unless the keeper falls behind: whoever seals or asks
// comes first.
func (k *keeper) rest(ctx context.Context) {
	if !k.hurry && time.Since(time.Unix(0, k.grown.Load())) < time.Second {
		k.pace.wait(ctx)
	}
}

// eraseFrom removes the records of erased entries from the part's data. When it returns nil, no
// file of the part holds them, and nobody reads the file that did. A file that cannot be read is
// removed, and written again from the log.
func (k *keeper) eraseFrom(files *partFiles) error {
	if files.erasedRows == len(k.erased) {
		return nil
	}
	found, err := k.holdsErased(files.data)
	if err == nil && !found {
		files.erasedRows = len(k.erased)
		return nil
	}
	unreadable, unwritten := err, error(nil)
	var data *rowFile
	if err == nil {
		data, err = k.writeRows(dataEnd, func(to *segment.RowsWriter) ([]byte, error) {
			unreadable = files.data.Each(func(row int, record []byte) error {
				if _, erased := slices.BinarySearch(k.erased, k.part.about.First+uint64(row)); erased {
					return nil
				}
				unwritten = to.Add(row, record)
				return unwritten
			})
			return k.dataName(), unreadable
		})
	}
	switch {
	case unwritten != nil:
		return unwritten
	case errors.Is(unreadable, os.ErrClosed): // the index is made again, or the service ends
		return nil
	case unreadable != nil:
		k.distrust(k.part, files, unreadable)
		return k.discard()
	case err != nil:
		return err
	}
	files.replace(data)
	files.erasedRows = len(k.erased)
	return nil
}

// holdsErased reports whether a data file has a record of an erased entry.
func (k *keeper) holdsErased(data *rowFile) (bool, error) {
	cursor := data.Cursor()
	for _, index := range k.erased {
		if record, err := cursor.Row(int(index - k.part.about.First)); err != nil || record != nil {
			return record != nil, err
		}
	}
	return false, nil
}

// sparing is a writer that fails rather than touch the reserve of a disk, which sealing and
// indexing need.
type sparing struct {
	w     io.Writer
	spare func() uint64 // nil: there is always room
	ahead int           // bytes that there is room for
}

var errReserve = errors.New("the disk has no room beyond its reserve")

const spareStep = 4 << 20 // bytes after which the disk is looked at again

// Write implements io.Writer.
func (s *sparing) Write(b []byte) (int, error) {
	if s.spare != nil && s.ahead < len(b) {
		step := max(spareStep, len(b))
		if s.spare() < uint64(2*step) { // others write too
			return 0, errReserve
		}
		s.ahead = step
	}
	s.ahead -= len(b)
	return s.w.Write(b)
}
