package filesink

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// place names the files of a sink.
type place struct {
	active string // path of the active file, which grows
	stem   string // start of the paths of all other files
}

const extension = ".jsonl"

func newPlace(path string) place { return place{path, strings.TrimSuffix(path, extension)} }

func (p place) manifest() string { return p.stem + ".manifest" }
func (p place) head() string     { return p.stem + ".head" }
func (p place) lock() string     { return p.stem + ".lock" }

// closed returns the path of a closed file with the indexes first to next-1. An index is used once,
// so the path is, too.
func (p place) closed(first, next uint64) string {
	return fmt.Sprintf("%s.%012d-%012d%s", p.stem, first, next-1, extension)
}

// closedFile is a file that was closed and renamed.
type closedFile struct {
	path  string // without .gz
	first uint64 // index of its first entry
	next  uint64 // index after its last entry
}

// list returns the closed files, compressed or not, in the order of the log.
func (p place) list() ([]closedFile, error) {
	entries, err := os.ReadDir(filepath.Dir(p.stem))
	if err != nil {
		return nil, err
	}
	var list []closedFile
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), filepath.Base(p.stem)+".")
		name := strings.TrimSuffix(e.Name(), zipped)
		span, jsonl := strings.CutSuffix(strings.TrimSuffix(rest, zipped), extension)
		a, b, ok := strings.Cut(span, "-")
		first, err1 := strconv.ParseUint(a, 10, 63)
		last, err2 := strconv.ParseUint(b, 10, 63)
		c := closedFile{filepath.Join(filepath.Dir(p.stem), name), first, last + 1}
		if ours && jsonl && ok && err1 == nil && err2 == nil && c.path == p.closed(first, last+1) &&
			!slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b closedFile) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	return list, nil
}

// stemOf returns the stem in the name of a closed file. ok is false for any other file.
func stemOf(name string) (stem string, ok bool) {
	name, ok = strings.CutSuffix(strings.TrimSuffix(name, zipped), extension)
	dot := strings.LastIndexByte(name, '.')
	if !ok || dot <= 0 {
		return "", false
	}
	var first, last uint64
	if n, err := fmt.Sscanf(name[dot:], ".%d-%d", &first, &last); n < 2 || err != nil ||
		(place{stem: name[:dot]}).closed(first, last+1) != name+extension {
		return "", false
	}
	return name[:dot], true
}

// syncDir syncs the folder of a file, which makes its name durable.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// replace writes a small file. A crash leaves the whole new file, or the old one.
func replace(path string, text []byte) error {
	f, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		os.Remove(path + ".tmp")
		return err
	}
	return syncDir(path)
}
