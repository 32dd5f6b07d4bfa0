// Package segment indexes a range of entries, and keeps byte strings of them. It reads no log. What
// a row is, and whether it is correct, is up to the caller.
//
// An index holds, for each value of each field, the rows that have it, columns of numbers, and a
// table of ids. A Builder collects rows and can be searched while it grows. When it is full, it is
// encoded as one immutable byte string. A Segment reads that in memory, or in blocks from a file.
//
//	Builder ─Encode─▶ bytes ─Open (checksum, form)─▶ Segment ─Match─▶ Bits
//	                                                 Segment ─ReadFrom─▶ the same, from a file
//	RowsWriter ─▶ file of rows ─OpenRows─▶ Rows ─Cursor─▶ byte string of a row
//
// # Files
//
// Query writes both kinds of file (internal/query/folder.go), and the archiver keeps indexes for it
// (internal/archive/index.go). They are derived from the log and can
// be made again at any time, and nobody who verifies the log relies on them. They are therefore no
// part of SPEC. Files of testdata hold the formats in place: a change of a format needs another
// first line, so that older files are made again and not misread.
//
// Numbers are little-endian. A uvarint is that of encoding/binary.
//
// # Index
//
//	"sealstream index segment 1\n" | JSON header "\n" | sections | SHA-256 of all before
//
// The header is an object with `rows` (1 to 65,536), `key` (hex, of 32 bytes), `owner` (any JSON of
// the caller) and `sections`: an array of `{"name", "size"}` in the order of the sections, which
// follow each other without gaps. Equal rows make equal bytes. A row takes about 30 bytes, if one
// in eight begins a new trace. The sections are
//
//   - `field-0` to `field-8`: a dictionary of the values of each field. Of fields 7 and 8 the values
//     are the first six bytes of their hash: HighwayHash-64 under the key, at least 1, big-endian.
//   - `numbers`: a column with the position of each row's value in the dictionary of field 4, or −1.
//   - `column-0` to `column-2`: columns of numbers.
//   - `ids`: the table of ids.
//   - the caller's, in the order of their names.
//
// A dictionary is
//
//	u32 number of blocks | u32 offset of each block behind the offsets | blocks
//
// A block has 16 values, the last one fewer. Values ascend as bytes. A value is
//
//	uvarint bytes shared with the value before (0 for a block's first) | uvarint bytes of the rest | the rest | rows
//
// and its rows are
//
//	uvarint bytes·2 + kind | bytes
//
// Kind 0 has for each row, ascending, a uvarint: the row less the one before, less 1 (the row
// before the first is −1). Kind 1, for 256 rows and more, is a portable Roaring bitmap.
//
// A column packs 128 numbers together, in as few bits as they take. It is
//
//	for each block: i64 least | i64 greatest | u32 offset of its bits | u8 width | u8 power | u16 0
//	bits of all blocks | eight bytes of 0
//
// Number i of a block is least + n·10^power, where n is the width bits from bit i·width on. The
// least significant bit of the first byte is bit 0. A block's bits begin at a byte.
//
// The table of ids finds rows by the upper 38 bits of the hash of their id: 14 select a bucket, and
// 24 stand in it. It is
//
//	u32 first item of each of 16,384 buckets, and the number of items | items: 24 bits of the hash | u16 row
//
// Items ascend in each bucket.
//
// # Rows
//
// A file of rows keeps a byte string for each row that has one, so that a few of them can be read
// without the others:
//
//	"sealstream rows 1\n" | frames | side | table | trailer
//
// A frame is compressed with Zstandard (RFC 8878) and has consecutive rows: `u32 row | u32 bytes |
// bytes` each. Side is what the caller keeps beside the rows, uncompressed; it may be empty. The
// table has for each frame `u32 first row | u32 bytes before compression | u64 offset in the file`.
// The trailer is `u64 bytes of side | u64 frames | SHA-256 of first line, table and the two
// numbers`.
//
// The checksum covers what is needed to find a row. Side and frames are not covered: whoever reads
// them has the hashes of what they hold.
package segment
