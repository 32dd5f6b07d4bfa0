package conformance_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

type archiveVectors struct {
	Log      string           `json:"log"`
	VKey     string           `json:"vkey"`
	Segments int              `json:"segments"`
	Size     uint64           `json:"size"`
	Root     string           `json:"root"`
	Messages []archiveMessage `json:"messages"`
	Payloads []archivePayload `json:"payloads"`
	Contents []archiveObject  `json:"contents"`
	Objects  []archiveObject  `json:"objects"`
	Damaged  []archiveDamage  `json:"damaged"`
}

type archiveMessage struct {
	Seq     uint64 `json:"seq"`
	Time    string `json:"time"`
	Headers header `json:"headers"`
	Body    blob   `json:"body"`
	Void    bool   `json:"void"`
}

type archivePayload struct {
	Seq  uint64 `json:"seq"`
	Body blob   `json:"body"`
}

type archiveObject struct {
	Name string `json:"name"`
	Body blob   `json:"body"`
}

type archiveDamage struct {
	Name   string `json:"name"`
	Object string `json:"object"`
	Body   *blob  `json:"body,omitempty"` // absent: the object is not there
	Index  uint64 `json:"first_bad_index"`
}

// archiving writes an archive by hand: its JSON, its messages and its zstd frames.
type archiving struct {
	*forger
	v       archiveVectors
	content []byte   // of the segment that is being written
	frames  []string // [seq, index, at]
	object  []byte
	records map[uint64][]string // payload records by PAYLOADS sequence
}

// rawFrame is a zstd frame of one block that is not compressed (RFC 8878, 3.1.1): the same bytes
// from whichever library.
func rawFrame(content []byte) []byte {
	b := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0} // magic; a single segment, four bytes of size, no checksum
	b = binary.LittleEndian.AppendUint32(b, uint32(len(content)))
	block := uint32(len(content))<<3 | 1 // the last one, raw
	return append(append(b, byte(block), byte(block>>8), byte(block>>16)), content...)
}

// frame puts messages, as they stand in a segment, into a frame of their own.
func (a *archiving) frame(seq, index uint64, messages string) {
	a.frames = append(a.frames, fmt.Sprintf("[%d,%d,%d]", seq, index, len(a.object)))
	a.content = append(a.content, messages...)
	a.object = append(a.object, rawFrame([]byte(messages))...)
}

// message writes one of SEALED.
func (a *archiving) message(m archiveMessage) string {
	m.Seq = uint64(len(a.v.Messages) + 1)
	m.Time = canonical.FormatReceived(forgedTime(100 + m.Seq))
	a.v.Messages = append(a.v.Messages, m)
	s := fmt.Sprintf("%d %s %d %d\n", m.Seq, m.Time, len(m.Headers), len(m.Body))
	for _, h := range m.Headers {
		s += fmt.Sprintf("%d %d\n%s%s\n", len(h[0]), len(h[1]), h[0], h[1])
	}
	return s + string(m.Body) + "\n"
}

func (a *archiving) good(b sealedlog.Batch) string {
	h, body := b.Format()
	m := archiveMessage{Body: body}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		m.Headers = append(m.Headers, [2]string{name, h[name][0]})
	}
	return a.message(m)
}

// data adds an entry and keeps the record of its data under the PAYLOADS message that its batch will name.
func (a *archiving) data(d draft.Draft) {
	var previous entry.Hash
	if n := len(a.entries); n > 0 {
		previous = a.entries[n-1].EntryHash
	}
	_, p := d.Seal(uint64(len(a.entries)), previous)
	a.add(d)
	if p != nil {
		a.records[a.payloads] = append(a.records[a.payloads], string(p.AppendRecord(nil))+"\n")
	}
}

func (a *archiving) digest(b []byte) string {
	h := sha256.Sum256(b)
	return fmt.Sprintf(`{"bytes":%d,"sha256":"%s"}`, len(b), hex.EncodeToString(h[:]))
}

// part ends an object.
func (a *archiving) part(name string) (members string) {
	list := ""
	for i, f := range a.frames {
		if i > 0 {
			list += ","
		}
		list += f
	}
	a.v.Contents = append(a.v.Contents, archiveObject{name, a.content})
	a.v.Objects = append(a.v.Objects, archiveObject{name, a.object})
	members = fmt.Sprintf(`"content":%s,"object":%s,"frames":[%s]}`, a.digest(a.content), a.digest(a.object), list) +
		"\n"
	a.content, a.frames, a.object = nil, nil, nil
	return members
}

// segment ends one with its last batch.
func (a *archiving) segment(n, first, firstSeq uint64, last sealedlog.Batch, checkpoint string) {
	dir := fmt.Sprintf("default/%08d/", n)
	head := fmt.Sprintf(`{"sealstream_segment":1,"log":"default","segment":%d,"first":%d,"size":%d,"first_seq":%d,`+
		`"last_seq":%d,`+
		`"input":{"epoch":1,"seq":%d,"place":%d},"payloads":%d,"checkpoint":%s,`, n, first, last.Size, firstSeq,
		len(a.v.Messages), last.Input.Seq, last.Input.Place, last.Payloads, checkpoint)
	a.v.Objects = append(a.v.Objects, archiveObject{dir + "segment.json", blob(head + a.part(dir+"sealed.zst"))})
	a.v.Segments, a.v.Size, a.v.Root = a.v.Segments+1, last.Size, last.Root.String()
}

// payload writes one PAYLOADS message of a segment; left says which of its records are not erased.
func (a *archiving) payload(seq, index uint64, left func(i int) bool) {
	body := ""
	for i, r := range a.records[seq] {
		if left(i) {
			body += r
		}
	}
	a.v.Payloads = append(a.v.Payloads, archivePayload{seq, blob(body)})
	a.frame(seq, index, fmt.Sprintf("%d - 0 %d\n%s\n", seq, len(body), body))
}

func (a *archiving) manifest(n, revision uint64, erased string) {
	dir := fmt.Sprintf("default/%08d/", n)
	head := fmt.Sprintf(`{"sealstream_payloads":1,"log":"default","segment":%d,"revision":%d,"erased":%s,`, n, revision,
		erased)
	a.v.Objects = append(a.v.Objects, archiveObject{
		dir + "payloads.json", blob(head + a.part(fmt.Sprintf("%spayloads-%d.zst", dir, revision))),
	})
}

func makeArchive(t *testing.T) *archiveVectors {
	a := &archiving{forger: newForger(t), records: map[uint64][]string{}}
	a.v.Log, a.v.VKey = "default", a.signer.VerifierKey()
	quoted := func(b sealedlog.Batch) string {
		q, err := marshal(string(b.Checkpoint))
		if err != nil {
			t.Fatal(err)
		}
		return string(q)
	}
	all := func(int) bool { return true }
	// Segment 0: the config; and three events with data, of which the second is erased later.
	a.own(1, 0, entry.TypeConfig, a.configDetail(false))
	a.frame(1, 0, a.good(a.batch(1, sealedlog.PlaceEnd)))
	for i, data := range []string{`{"a":1}`, `"secret: 4711"`, `{"<&>":"é"}`} {
		a.data(a.draft(2, uint64(i), fmt.Sprint(i+1), data))
	}
	b := a.batch(2, 3)
	a.frame(2, 1, a.good(b))
	a.segment(0, 0, 1, b, quoted(b))
	a.payload(1, 1, func(i int) bool { return i != 1 })
	a.manifest(0, 1, "[2]")
	// Segment 1: a void message, whose headers and body are what they are; a batch without data;
	// the erasure; and more data.
	void := a.message(archiveMessage{
		Headers: header{{"B", "2"}, {"B", "1"}, {"a", ""}}, Body: blob("no\r\n\x00line"), Void: true,
	})
	a.add(a.draft(2, 3, "4", ""))
	a.frame(3, 4, void+a.good(a.batch(2, sealedlog.PlaceEnd)))
	a.own(3, 0, entry.TypeErasure, &entry.Erasure{Indexes: []uint64{2}, Reason: "GDPR art. 17", Authority: "DPO"})
	a.data(a.draft(4, 0, "5", `[]`))
	b = a.batch(4, sealedlog.PlaceEnd)
	a.frame(5, 5, a.good(b))
	a.segment(1, 4, 3, b, quoted(b))
	a.payload(2, 5, all)
	a.manifest(1, 0, "[]")
	slices.SortFunc(a.v.Objects, func(x, y archiveObject) int { return bytes.Compare([]byte(x.Name), []byte(y.Name)) })
	a.damage(t)
	return &a.v
}

// damage lists what may happen to an object.
func (a *archiving) damage(t *testing.T) {
	first := map[string]uint64{"default/00000000/": 0, "default/00000001/": 4}
	for _, o := range a.v.Objects {
		dir := o.Name[:len("default/00000000/")]
		// nothing says that it was there
		if o.Name != "default/00000000/segment.json" && o.Name != "default/00000001/segment.json" {
			a.v.Damaged = append(a.v.Damaged, archiveDamage{o.Name + " is not there", o.Name, nil, first[dir]})
		}
		cut := o.Body[:len(o.Body)-1]
		a.v.Damaged = append(a.v.Damaged, archiveDamage{o.Name + " is cut off", o.Name, &cut, first[dir]})
	}
	other := func(name, object, from, to string, index uint64) {
		for _, o := range a.v.Objects {
			if o.Name == object {
				b := blob(bytes.Replace(o.Body, []byte(from), []byte(to), 1))
				if bytes.Equal(b, o.Body) {
					t.Fatalf("%s is not in %s", from, object)
				}
				a.v.Damaged = append(a.v.Damaged, archiveDamage{name, object, &b, index})
			}
		}
	}
	other("a leaf is altered", "default/00000001/sealed.zst", "sealstream.erasure", "sealstream.erasurf", 4)
	other("data is altered", "default/00000001/payloads-0.zst", "[]", "{}", 4)
	other("of another version", "default/00000001/segment.json", `"sealstream_segment":1`, `"sealstream_segment":2`, 4)
	other("of another size", "default/00000000/segment.json", `"size":4`, `"size":5`, 4)
	other("of another segment", "default/00000000/payloads.json", `"segment":0`, `"segment":1`, 0)
	other("white space", "default/00000000/payloads.json", `"segment":0`, `"segment": 0`, 0)
}

func (v *archiveVectors) open(t *testing.T) *store.Log {
	t.Helper()
	log := store.NewMemory(v.Log)
	for _, o := range v.Objects {
		if err := log.Archive.Put(t.Context(), o.Name, bytes.NewReader(o.Body)); err != nil {
			t.Fatal(err)
		}
	}
	return log
}

func (v *archiveVectors) verify(t *testing.T, log *store.Log) (archive.Report, error) {
	t.Helper()
	end := uint64(len(v.Messages))
	s := store.NewMemoryStreamOf(time.Time{}, []entry.Message{{Seq: end}})
	if err := s.PurgeBelow(t.Context(), end+1); err != nil {
		t.Fatal(err)
	}
	log.Sealed = s
	return archive.Verify(t.Context(), log, audit.Config{Keys: []string{v.VKey}})
}

func TestVectorsArchive(t *testing.T) {
	v := vectors(t, "archive.json", makeArchive(t))
	log := v.open(t)
	r, err := v.verify(t, log)
	if err != nil || r.Segments != uint64(v.Segments) || r.Audit.Size != v.Size || r.Audit.Root.String() != v.Root ||
		r.Audit.Erased != 1 || len(r.Audit.Void) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	v.checkMessages(t, log)
	for _, c := range v.Damaged {
		log := v.open(t)
		if c.Body == nil {
			err = log.Archive.Delete(t.Context(), c.Object)
		} else {
			err = log.Archive.Put(t.Context(), c.Object, bytes.NewReader(*c.Body))
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err := v.verify(t, log)
		m, ok := errors.AsType[*audit.MismatchError](err)
		if !ok || m.Index != c.Index || len(r.Damaged) == 0 {
			t.Errorf("%s: %v, want index %d", c.Name, err, c.Index)
		}
	}
}

// checkMessages reads the messages and the data back, and writes the contents anew.
func (v *archiveVectors) checkMessages(t *testing.T, log *store.Log) {
	t.Helper()
	alone, err := archive.New(log).Alone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var content []byte
	for _, want := range v.Messages {
		m, err := alone.Sealed.Get(t.Context(), want.Seq)
		n := 0
		for _, values := range m.Header {
			n += len(values)
		}
		if err != nil || canonical.FormatReceived(m.Time) != want.Time || !bytes.Equal(m.Data, want.Body) ||
			n != len(want.Headers) || m.Subject != "audit.default.sealed" {
			t.Errorf("sequence %d: %+v, %v", want.Seq, m, err)
		}
		content = archive.AppendMessage(content, m)
	}
	var written []byte
	for _, c := range v.Contents {
		if bytes.HasSuffix([]byte(c.Name), []byte("sealed.zst")) {
			written = append(written, c.Body...)
		}
	}
	if !bytes.Equal(content, written) {
		t.Errorf("the messages are written as %q, not %q", content, written)
	}
	for _, want := range v.Payloads {
		body, err := store.PayloadMessage(t.Context(), alone, want.Seq)
		if err != nil || !bytes.Equal(body, want.Body) {
			t.Errorf("PAYLOADS sequence %d: %q, %v", want.Seq, body, err)
		}
	}
}
