package filesink

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/sealstream/sealstream/internal/agt"
)

// single checks one file alone. Its first line shows whether it is of this sink or of the toolkit.
func (v *verifier) single(path string) error {
	p := newPlace(path)
	for _, name := range []string{p.manifest(), p.head()} { // the active file stands for its whole sink
		if _, err := os.Lstat(name); err == nil {
			return v.place(p)
		}
	}
	ours, err := isFileOurs(path)
	if err != nil {
		return err
	}
	if !ours {
		return v.toolkit(path)
	}
	w := walk{ring: v.ring, loose: true}
	if err := v.walkUntil(&w, path, func() {}); err != nil {
		return err
	}
	if !w.at.Closed {
		v.note("%s: it has no closing record, and no manifest or head beside it shows where it ends", path)
	}
	return nil
}

// isFileOurs reports whether a file's first line is of this sink.
func isFileOurs(path string) (ours bool, err error) {
	f, err := openPlain(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	_, err = eachLine(context.Background(), f, func(_ int, text []byte) error {
		v, err := agt.Parse(text)
		ours = err == nil && isOurs(v)
		return io.EOF
	})
	if err == io.EOF || err == errLong {
		err = nil
	}
	return ours, err
}

// toolkit checks a file of the toolkit's file sink as the toolkit's own verifier does, up to the
// first fault.
func (v *verifier) toolkit(path string) error {
	f, err := openPlain(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, previous, unsigned := FileReport{File: path, Kind: "agt"}, "", map[string]bool{}
	torn, err := eachLine(v.ctx, f, func(n int, text []byte) error {
		l, err := agt.ParseLine(text)
		if err == nil && l.PreviousHash != previous {
			err = fmt.Errorf("chain break: it names %.80q as the content hash before it, which is %q", l.PreviousHash, previous)
		}
		if err == nil {
			err = v.signed(l)
		}
		if err != nil {
			return &Problem{path, uint64(n), err.Error()}
		}
		previous = l.ContentHash
		r.Lines++
		r.Entries++
		for _, name := range l.Unsigned {
			unsigned[name] = true
		}
		return nil
	})
	if r.Lines == 0 && err == nil && !torn {
		r.Kind = "empty"
	}
	v.add(r)
	for name := range unsigned {
		v.note("%s: no signature covers the member %.40q", path, name)
	}
	if r.Lines > 0 {
		v.note("%s: a file of the toolkit does not show where it ends, so missing lines or files after it cannot be detected",
			path)
	}
	slices.Sort(v.out.Notes)
	return v.ended(path, r.Lines, torn, err, false)
}

// signed checks the content hash and the signature of a line. Any of the keys may have signed it,
// because the toolkit's lines do not name their key.
func (v *verifier) signed(l agt.Line) error {
	if len(v.ring) == 0 {
		return l.Check(nil)
	}
	var err error
	for _, k := range v.ring {
		if err = l.Check(k.Secret); err == nil {
			return nil
		}
	}
	return err
}
