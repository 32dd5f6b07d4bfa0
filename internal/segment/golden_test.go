package segment

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the files of testdata again")

// goldenRows are rows of every kind that the format of an index knows.
func goldenRows() []Row {
	rows := make([]Row, 300)
	for i := range rows {
		w := &rows[i]
		w.Text[0] = fmt.Sprintf("did:web:agent-%d.example.com", i%40)
		w.Text[1] = "tool_invoked" // a bitmap
		if i%3 > 0 {
			w.Text[PrefixField] = fmt.Sprintf("/crm/%d", i/4)
		}
		w.Hashed[0], w.ID = testKey.Hash(fmt.Sprint("trace-", i/8)), testKey.Hash(fmt.Sprint("id-", i%290))
		w.Values = [Columns]int64{1700000000_000000000 + int64(i)*1e9, int64(i*i) - 70, -1 << 60}
	}
	return rows
}

// golden compares bytes with a file of testdata.
func golden(t *testing.T, name string, made []byte) (data []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestGoldenIndex: the format of an index has not changed.
func TestGoldenIndex(t *testing.T) {
	rows := goldenRows()
	_, s, made := built(t, rows)
	data := golden(t, "index-1", made)
	if !bytes.Equal(data, made) {
		t.Fatal("the bytes of an index have changed: give the format another first line, or old files are misread")
	}
	if s.Rows != len(rows) {
		t.Fatalf("%d rows", s.Rows)
	}
}

// TestGoldenRows: a file of rows that was written by an earlier release is read. Compressors differ,
// so its bytes need not be those of today.
func TestGoldenRows(t *testing.T) {
	want := map[int][]byte{}
	var b bytes.Buffer
	w, err := NewRowsWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for row := 1; row < 90; row += 1 + row%3 {
		want[row] = bytes.Repeat(fmt.Appendf(nil, "row %d, ", row), row*7%300)
		if err := w.Add(row, want[row]); err != nil {
			t.Fatal(err)
		}
	}
	side := []byte("beside the rows")
	if err := w.Close(side); err != nil {
		t.Fatal(err)
	}
	gotSide, got, err := read(golden(t, "rows-1", b.Bytes()), len(side), 100)
	if err != nil || !bytes.Equal(gotSide, side) || !maps.EqualFunc(got, want, bytes.Equal) {
		t.Fatalf("%d rows of %d, side %q: %v", len(got), len(want), gotSide, err)
	}
}
