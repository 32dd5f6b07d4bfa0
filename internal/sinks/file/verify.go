package filesink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/pkg/sink"
)

// Report is the result of Verify.
type Report struct {
	Valid   bool         `json:"valid"`
	Files   []FileReport `json:"files"`
	Lines   uint64       `json:"lines"`              // of all files
	Entries uint64       `json:"entries"`            // of all files
	Signed  bool         `json:"signatures_checked"` // false if no key was given: anyone may have written the files
	Problem *Problem     `json:"problem,omitempty"`  // the first fault
	Notes   []string     `json:"notes,omitempty"`    // remarks that are not faults, and limits of the check
}

// FileReport is the result of one file.
type FileReport struct {
	File    string `json:"file"`
	Kind    string `json:"kind"` // sealstream, agt (of the toolkit) or empty
	Lines   uint64 `json:"lines"`
	Entries uint64 `json:"entries"`
	First   uint64 `json:"first_index,omitempty"` // index of the first entry, if the kind is sealstream
	Next    uint64 `json:"next_index,omitempty"`  // index after the last entry
	Closed  bool   `json:"closed,omitempty"`      // it ends with a closing record
}

// Problem is the first fault and its place.
type Problem struct {
	File string `json:"file"`
	Line uint64 `json:"line,omitempty"` // from 1; 0 if the fault is of no line
	Why  string `json:"why"`
}

func (p *Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Why
	}
	return fmt.Sprintf("%s: line %d: %s", p.File, p.Line, p.Why)
}

// Verify checks files of this sink and of the toolkit, and folders of them. In a folder it also
// checks that no file of a sink is missing or cut. Without keys it checks no signatures. The report
// contains the first fault. An error means that the check could not be completed.
func Verify(ctx context.Context, paths []string, ring Ring) (Report, error) {
	v := &verifier{ctx: ctx, ring: ring, out: Report{Signed: len(ring) > 0, Files: []FileReport{}}}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			err = v.folder(path)
		} else if err == nil {
			err = v.single(path)
		}
		if p, ok := errors.AsType[*Problem](err); ok {
			v.out.Problem = p
			return v.out, nil
		} else if err != nil {
			return v.out, err
		}
	}
	v.out.Valid = true
	return v.out, nil
}

type verifier struct {
	ctx  context.Context
	ring Ring
	out  Report
}

func (v *verifier) note(format string, args ...any) {
	v.out.Notes = append(v.out.Notes, fmt.Sprintf(format, args...))
}

func (v *verifier) add(f FileReport) {
	v.out.Files = append(v.out.Files, f)
	v.out.Lines += f.Lines
	v.out.Entries += f.Entries
}

// folder checks every sink with files in a folder, and then the other files.
func (v *verifier) folder(dir string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var places []place
	for _, e := range names {
		stem := strings.TrimSuffix(strings.TrimSuffix(e.Name(), ".manifest"), ".head")
		if stem == e.Name() { // a closed file also names its sink, if everything else was removed
			stem, _ = stemOf(e.Name())
		}
		if p := newPlace(filepath.Join(dir, stem+extension)); stem != "" && !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	for _, p := range places {
		if err := v.place(p); err != nil {
			return err
		}
	}
	found := len(places) > 0
	for _, e := range names {
		path := filepath.Join(dir, e.Name())
		if strings.Contains(e.Name(), extension+lostInfix) {
			v.note("%s: it was set aside after somebody else had changed it, and is not checked; a new file replaces it", path)
		}
		if !strings.HasSuffix(strings.TrimSuffix(e.Name(), zipped), extension) ||
			slices.ContainsFunc(places, func(p place) bool { return p.owns(path) }) {
			continue
		}
		found = true
		if err := v.single(path); err != nil {
			return err
		}
	}
	if !found {
		return &Problem{File: dir, Why: "the folder has no *.jsonl file"}
	}
	return nil
}

// owns reports whether a file belongs to the sink of a place.
func (p place) owns(path string) bool {
	if path == p.active {
		return true
	}
	list, _ := p.list()
	return slices.ContainsFunc(list, func(c closedFile) bool { return c.path == strings.TrimSuffix(path, zipped) })
}

// maxTurns is how often a sink is checked again because it has created another file meanwhile.
const maxTurns = 100

// place checks all files of one sink. If the sink creates another file meanwhile, place checks it
// again, because it may have read parts of two states.
func (v *verifier) place(p place) error {
	for turn := 1; ; turn++ {
		out := v.out
		before := p.state()
		err := v.placeOnce(p)
		if err == nil || turn == maxTurns || v.ctx.Err() != nil {
			return err
		}
		if p.state() == before {
			return err
		}
		v.out = out
	}
}

// state returns a text that changes when another file is created.
func (p place) state() string {
	m, _ := os.ReadFile(p.manifest())
	h, _ := os.ReadFile(p.head())
	return string(m) + string(h)
}

func (v *verifier) placeOnce(p place) error {
	m, _, err := readManifest(p, v.ring)
	if err != nil {
		return &Problem{File: p.manifest(), Why: err.Error()}
	}
	h, known, err := readHead(p, v.ring)
	if err != nil {
		return &Problem{File: p.head(), Why: err.Error()}
	}
	w := walk{ring: v.ring}
	if len(m.Files) > 0 {
		if w.at.Cursor = m.Files[0].First; w.at.Cursor.Next > 0 {
			v.note("%s: the files before index %d are not kept", p.active, w.at.Cursor.Next)
		}
	}
	list, err := p.list()
	if err != nil {
		return err
	}
	for _, row := range m.Files {
		path := filepath.Join(filepath.Dir(p.active), row.Name)
		if row.First != w.at.Cursor {
			return &Problem{File: p.manifest(), Why: fmt.Sprintf("%s does not begin where the file before it ends", row.Name)}
		}
		if err := v.walk(&w, path); err != nil {
			return err
		}
		if w.at != row.End {
			return &Problem{
				File: path,
				Line: w.at.Lines,
				Why: fmt.Sprintf("it ends after index %d, but by the manifest after %d: its end was cut off or altered",
					int64(w.at.Cursor.Next)-1, int64(row.End.Cursor.Next)-1),
			}
		}
		list = slices.DeleteFunc(list, func(c closedFile) bool { return c.path == path })
	}
	for i, c := range list { // a crash leaves at most one renamed file that is not in the manifest yet
		if c.next <= m.end().Next || i > 0 || c.first != m.end().Next {
			return &Problem{File: c.path, Why: "the manifest does not name it"}
		}
		if err := v.walk(&w, c.path); err != nil {
			return err
		}
		v.note("%s: the manifest does not name it yet", c.path)
	}
	return v.active(p, &w, h, known)
}

// active checks the active file.
func (v *verifier) active(p place, w *walk, h head, known bool) error {
	if !known && w.at.Cursor.Next > 0 {
		return &Problem{File: p.head(), Why: "the file is missing, which holds the durable end of the newest file"}
	}
	if _, err := os.Lstat(p.active); errors.Is(err, fs.ErrNotExist) {
		if known && h.First == w.at.Cursor && h.At.Size > 0 {
			return &Problem{File: p.active, Why: "the file is missing"}
		}
		v.note("%s: the file does not exist, as after a crash during a rotation; only the log itself can show whether it did",
			p.active)
		return nil
	}
	if known && h.First != w.at.Cursor {
		return &Problem{
			File: p.active,
			Why: fmt.Sprintf("it begins at index %d, but the head is of a file that begins at %d: "+
				"files are missing, or the head is an old one", w.at.Cursor.Next, h.First.Next),
		}
	}
	seen := false
	err := v.walkUntil(w, p.active, func() { seen = seen || w.at == h.At })
	if err != nil {
		return err
	}
	if known && h.At.Size > 0 && !seen {
		return &Problem{
			File: p.active,
			Line: w.at.Lines,
			Why: fmt.Sprintf("it ends after index %d, but had reached %d: its end was cut off or altered",
				int64(w.at.Cursor.Next)-1, int64(h.At.Cursor.Next)-1),
		}
	}
	v.note("%s: the file still grows; only the log itself can show whether entries after index %d were cut off",
		p.active, int64(w.at.Cursor.Next)-1)
	return nil
}

func (v *verifier) walk(w *walk, path string) error {
	if err := v.walkUntil(w, path, nil); err != nil {
		return err
	}
	if !w.at.Closed {
		return &Problem{File: path, Line: w.at.Lines, Why: "it has no closing record: its end was cut off"}
	}
	return nil
}

// walkUntil checks the lines of one file of this sink, and calls after behind each of them. The
// file may end with half a line if after is not nil.
func (v *verifier) walkUntil(w *walk, path string, after func()) error {
	f, err := openPlain(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Problem{File: path, Why: "the file is missing"}
	} else if err != nil {
		return &Problem{File: path, Why: err.Error()}
	}
	defer f.Close()
	w.begin()
	r := FileReport{File: path, Kind: "sealstream", First: w.at.Cursor.Next}
	torn, err := eachLine(v.ctx, f, func(n int, text []byte) error {
		one, err := w.take(text)
		if err != nil {
			return &Problem{path, uint64(n), err.Error()}
		}
		if one != nil {
			if r.Entries == 0 {
				r.First = one.Entry.Index
			}
			r.Entries++
		}
		r.Lines++
		if after != nil {
			after()
		}
		return nil
	})
	if r.Lines == 0 && err == nil {
		r.Kind = "empty"
	}
	r.Next, r.Closed = w.at.Cursor.Next, w.at.Closed
	v.add(r)
	return v.ended(path, r.Lines, torn, err, after != nil)
}

// ended returns the fault that the end of a file is, or nil. grows means that the file is active.
func (v *verifier) ended(path string, lines uint64, torn bool, err error, grows bool) error {
	if _, ok := errors.AsType[*Problem](err); ok || v.ctx.Err() != nil {
		return err
	}
	switch {
	case err != nil:
		return &Problem{path, lines + 1, err.Error()}
	case torn && grows:
		v.note("%s: line %d is incomplete: it is being written, or a crash has left it", path, lines+1)
	case torn:
		return &Problem{path, lines + 1, errTorn.Error()}
	}
	return nil
}

var _ sink.Sink = (*File)(nil)
