package filesink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/pkg/agt"
	"github.com/sealstream/sealstream/pkg/sink"
)

// Report is what Verify found.
type Report struct {
	Valid   bool         `json:"valid"`
	Files   []FileReport `json:"files"`
	Lines   uint64       `json:"lines"`
	Entries uint64       `json:"entries"`
	Signed  bool         `json:"signatures_checked"` // false: no key was given, and whoever wrote the files may be anyone
	Problem *Problem     `json:"problem,omitempty"`  // the first error
	Notes   []string     `json:"notes,omitempty"`    // what was found, or cannot be seen, and is no error
}

// FileReport is what was found of one file.
type FileReport struct {
	File    string `json:"file"`
	Kind    string `json:"kind"` // sealstream, agt (the toolkit's), empty
	Lines   uint64 `json:"lines"`
	Entries uint64 `json:"entries"`
	First   uint64 `json:"first_index,omitempty"` // of sealstream's
	Next    uint64 `json:"next_index,omitempty"`
	Closed  bool   `json:"closed,omitempty"` // it ends in its closing record
}

// Problem is the first error, and where it is.
type Problem struct {
	File string `json:"file"`
	Line uint64 `json:"line,omitempty"` // from 1; 0: it is of no line
	Why  string `json:"why"`
}

func (p *Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Why
	}
	return fmt.Sprintf("%s: line %d: %s", p.File, p.Line, p.Why)
}

// Verify checks files, of this sink and of the toolkit, and folders of them: of a sink in a folder also that no file is missing and that none was cut.
// Without keys signatures are not checked. An error says that it could not be found out; what is wrong stands in the report.
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

// folder checks every sink that has files in a folder, and then the files that are of none.
func (v *verifier) folder(dir string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var places []place
	for _, e := range names {
		stem := strings.TrimSuffix(strings.TrimSuffix(e.Name(), ".manifest"), ".head")
		if stem == e.Name() { // a closed file stands for its sink, too, were all beside it taken away
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
		if !strings.HasSuffix(strings.TrimSuffix(e.Name(), zipped), extension) || slices.ContainsFunc(places, func(p place) bool { return p.owns(path) }) {
			continue
		}
		found = true
		if err := v.single(path); err != nil {
			return err
		}
	}
	if !found {
		return &Problem{File: dir, Why: "there is no *.jsonl file in it"}
	}
	return nil
}

// owns says whether a file belongs to the sink of a place.
func (p place) owns(path string) bool {
	if path == p.active {
		return true
	}
	list, _ := p.list()
	return slices.ContainsFunc(list, func(c closedFile) bool { return c.path == strings.TrimSuffix(path, zipped) })
}

// maxTurns is how often a sink is looked at again that began another file meanwhile.
const maxTurns = 100

// place checks all that one sink has written. What was read while it began another file may be of two states of it, and is read again.
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

// state is other when another file was begun.
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
			return &Problem{File: path, Line: w.at.Lines, Why: fmt.Sprintf("it ends behind index %d, and the manifest says %d: its end was cut off or altered",
				int64(w.at.Cursor.Next)-1, int64(row.End.Cursor.Next)-1)}
		}
		list = slices.DeleteFunc(list, func(c closedFile) bool { return c.path == path })
	}
	for i, c := range list { // renamed, and not yet in the manifest: at most one, of a crash
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

// active checks the file that grows.
func (v *verifier) active(p place, w *walk, h head, known bool) error {
	if !known && w.at.Cursor.Next > 0 {
		return &Problem{File: p.head(), Why: "the file is missing, which would say how far the newest file has come"}
	}
	if _, err := os.Lstat(p.active); errors.Is(err, fs.ErrNotExist) {
		if known && h.First == w.at.Cursor && h.At.Size > 0 {
			return &Problem{File: p.active, Why: "the file is missing"}
		}
		v.note("%s: there is none, as a crash in the midst of a rotation leaves it; that there was one only the log itself can tell", p.active)
		return nil
	}
	if known && h.First != w.at.Cursor {
		return &Problem{File: p.active, Why: fmt.Sprintf("it begins at index %d, and the head is of one that begins at %d: files are missing, or the head is an old one", w.at.Cursor.Next, h.First.Next)}
	}
	seen := false
	err := v.walkUntil(w, p.active, func() { seen = seen || w.at == h.At })
	if err != nil {
		return err
	}
	if known && h.At.Size > 0 && !seen {
		return &Problem{File: p.active, Line: w.at.Lines, Why: fmt.Sprintf("it ends behind index %d, and had come to %d: its end was cut off or altered",
			int64(w.at.Cursor.Next)-1, int64(h.At.Cursor.Next)-1)}
	}
	v.note("%s: it grows; that nothing was cut off behind index %d only the log itself can tell", p.active, int64(w.at.Cursor.Next)-1)
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

// walkUntil checks the lines of one file of this sink.
func (v *verifier) walkUntil(w *walk, path string, behind func()) error {
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
		if behind != nil {
			behind()
		}
		return nil
	})
	if r.Lines == 0 && err == nil {
		r.Kind = "empty"
	}
	r.Next, r.Closed = w.at.Cursor.Next, w.at.Closed
	v.add(r)
	return v.ended(path, r.Lines, torn, err, behind != nil)
}

// ended says what the end of a file means.
func (v *verifier) ended(path string, lines uint64, torn bool, err error, grows bool) error {
	if _, ok := errors.AsType[*Problem](err); ok || v.ctx.Err() != nil {
		return err
	}
	switch {
	case err != nil:
		return &Problem{path, lines + 1, err.Error()}
	case torn && grows:
		v.note("%s: line %d does not end: it is being written, or a crash has left it", path, lines+1)
	case torn:
		return &Problem{path, lines + 1, errTorn.Error()}
	}
	return nil
}

// single checks one file for itself: whether it is of this sink or of the toolkit, its first line says.
func (v *verifier) single(path string) error {
	p := newPlace(path)
	for _, name := range []string{p.manifest(), p.head()} { // the file that grows stands for all of its sink
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
		v.note("%s: it has no closing record, and nothing beside it says where it ends", path)
	}
	return nil
}

// isFileOurs looks at a file's first line.
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

// toolkit checks a file of the toolkit's file sink as its own verifier does, and ends at the first error.
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
		v.note("%s: the member %.40q is under no signature", path, name)
	}
	if r.Lines > 0 {
		v.note("%s: the toolkit's files do not say where they end; that lines or files are missing behind it cannot be seen", path)
	}
	slices.Sort(v.out.Notes)
	return v.ended(path, r.Lines, torn, err, false)
}

// signed checks content hash and signature; any of the keys will do, as the toolkit's lines name none.
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

var _ sink.Sink = (*File)(nil)
