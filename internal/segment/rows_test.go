package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// written is a file of random rows, and what stands in it.
func written(t testing.TB, r *rand.Rand, n int) (file, side []byte, rows map[int][]byte) {
	t.Helper()
	side, rows = make([]byte, r.IntN(300)), map[int][]byte{}
	for i := range side {
		side[i] = byte(r.Uint32())
	}
	var b bytes.Buffer
	w, err := NewRowsWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for row := range n {
		if r.IntN(3) == 0 {
			continue
		}
		text := bytes.Repeat([]byte{byte('a' + r.IntN(26))}, r.IntN(1500))
		if r.IntN(100) == 0 {
			text = make([]byte, 3*frameBytes)
		}
		if rows[row] = text; w.Add(row, text) != nil {
			t.Fatal(row)
		}
	}
	if err := w.Close(side); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), side, rows
}

// read reads a file of rows by all ways.
func read(file []byte, sideBytes, n int) (side []byte, rows map[int][]byte, err error) {
	f, err := OpenRows(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, nil, err
	}
	side, rows = make([]byte, sideBytes), map[int][]byte{}
	if err := f.Side(side, 0); err != nil {
		return nil, nil, err
	}
	c := f.Cursor()
	for row := range n {
		b, err := c.Row(row)
		if err != nil {
			return nil, nil, err
		}
		if b != nil {
			rows[row] = b
		}
	}
	each := map[int][]byte{}
	if err := f.Each(func(row int, b []byte) error { each[row] = b; return nil }); err != nil {
		return nil, nil, err
	}
	if !maps.EqualFunc(rows, each, bytes.Equal) {
		return nil, nil, errors.New("Row and Each differ")
	}
	return side, rows, nil
}

// TestRows writes rows and reads them in order, all at once and at random.
func TestRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 16))
	for _, n := range []int{0, 1, 2, 1000} {
		file, side, rows := written(t, r, n)
		gotSide, got, err := read(file, len(side), n+1)
		if err != nil || !bytes.Equal(gotSide, side) || !maps.EqualFunc(got, rows, bytes.Equal) {
			t.Fatalf("%d rows: read %d of %d: %v", n, len(got), len(rows), err)
		}
		f, _ := OpenRows(bytes.NewReader(file), int64(len(file)))
		c := f.Cursor()
		for range min(n, 300) {
			row := r.IntN(n)
			if b, err := c.Row(row); err != nil || !bytes.Equal(b, rows[row]) || (b != nil) != (rows[row] != nil) {
				t.Fatalf("row %d: %d bytes, %v", row, len(b), err)
			}
		}
		if err := f.Side(make([]byte, 2), len(side)-1); !errors.Is(err, ErrDamaged) {
			t.Errorf("beyond the side: %v", err)
		}
	}
}

// TestRowsRefused: rows that do not ascend, or are beyond a segment, are not written.
func TestRowsRefused(t *testing.T) {
	w, err := NewRowsWriter(&bytes.Buffer{})
	if err != nil || w.Add(5, nil) != nil {
		t.Fatal(err)
	}
	for _, row := range []int{5, 4, -1, MaxRows} {
		if w.Add(row, nil) == nil {
			t.Errorf("row %d after row 5", row)
		}
	}
	if w.Add(6, make([]byte, maxFrame)) == nil {
		t.Error("a row of 64 MiB")
	}
}

// TestRowsDamaged cuts a file at each length and flips each byte: an error that wraps ErrDamaged, or
// side and rows that the caller's hashes can refuse, but no panic and no row in another place.
func TestRowsDamaged(t *testing.T) {
	file, side, rows := written(t, rand.New(rand.NewPCG(2, 16)), 60)
	for n := range len(file) {
		if _, _, err := read(file[:n], len(side), 60); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut at %d of %d: %v", n, len(file), err)
		}
	}
	inSide := 0
	for at := range file {
		flipped := slices.Clone(file)
		flipped[at] ^= 0x10
		gotSide, got, err := read(flipped, len(side), 60)
		switch {
		case errors.Is(err, ErrDamaged):
		case err == nil && maps.EqualFunc(got, rows, bytes.Equal): // zstd has bits without a meaning
			if !bytes.Equal(gotSide, side) {
				inSide++
			}
		default:
			t.Fatalf("byte %d of %d: %v", at, len(file), err)
		}
	}
	if inSide != len(side) {
		t.Errorf("%d bytes of the side, %d flips seen there", len(side), inSide)
	}
}

func FuzzRows(f *testing.F) {
	for seed := range uint64(4) {
		file, _, _ := written(f, rand.New(rand.NewPCG(seed, 17)), int(seed)*20)
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, _, err := read(file, 0, 100); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
	})
}

// TestHugeFrame: a table that claims more than a frame can take is refused, before anything is
// allocated for it.
func TestHugeFrame(t *testing.T) {
	const size = int64(1) << 40
	table := binary.LittleEndian.AppendUint32(nil, 0)
	table = binary.LittleEndian.AppendUint32(table, 100)
	table = binary.LittleEndian.AppendUint64(table, uint64(len(rowsMagic)))
	numbers := binary.LittleEndian.AppendUint64(make([]byte, 8), 1)
	sum := tableSum(table, numbers)
	tail := bytes.Join([][]byte{table, numbers, sum[:]}, nil)
	f, err := os.Create(filepath.Join(t.TempDir(), "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err = f.Write([]byte(rowsMagic)); err == nil {
		_, err = f.WriteAt(tail, size-int64(len(tail)))
	}
	if err != nil {
		t.Skip("no sparse files here: ", err)
	}
	if _, err := OpenRows(f, size); !errors.Is(err, ErrDamaged) {
		t.Errorf("a frame of a terabyte: %v", err)
	}
}
