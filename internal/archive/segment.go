package archive

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Segment is the object segment.json of a segment (SPEC 12.2). It is written last: a segment
// without it does not exist.
type Segment struct {
	Version  int    `json:"sealstream_segment"` // 1
	Log      string `json:"log"`
	Segment  uint64 `json:"segment"` // number of the segment, from 0
	First    uint64 `json:"first"`   // index of the first leaf
	Size     uint64 `json:"size"`    // tree size after the last leaf
	FirstSeq uint64 `json:"first_seq"`
	// last SEALED sequence; the range includes void messages, and the last is a batch
	LastSeq    uint64 `json:"last_seq"`
	Input      Input  `json:"input"`    // input position of the last batch
	Payloads   uint64 `json:"payloads"` // PAYLOADS sequence that the last batch names
	Checkpoint string `json:"checkpoint"`
	Part
}

// Input is the input position of a batch (SPEC 6); Place is −1 at the end of a message.
type Input struct {
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
	Place int    `json:"place"`
}

// Payloads is the object payloads.json of a segment. It names the object with its data. Only an
// erasure replaces it.
type Payloads struct {
	Version  int      `json:"sealstream_payloads"` // 1
	Log      string   `json:"log"`
	Segment  uint64   `json:"segment"`
	Revision uint64   `json:"revision"` // revision of the object with the data
	Erased   []uint64 `json:"erased"`   // indexes whose records were left out, ascending
	Part
}

// Part describes an object that holds messages.
type Part struct {
	Content Digest  `json:"content"` // digest of the messages
	Object  Digest  `json:"object"`  // digest of the object, which is the messages in zstd frames
	Frames  []Frame `json:"frames"`
}

// Digest is a length in bytes and a SHA-256 in hex.
type Digest struct {
	Bytes  uint64 `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Frame is one zstd frame, which holds whole messages: the sequence of the first, the index of its
// first leaf (for a void message, the index it would have had), and the frame's offset in the
// object.
type Frame struct{ Seq, Index, At uint64 }

// MarshalJSON writes [seq, index, at].
func (f Frame) MarshalJSON() ([]byte, error) { return json.Marshal([3]uint64{f.Seq, f.Index, f.At}) }

// UnmarshalJSON reads what MarshalJSON writes.
func (f *Frame) UnmarshalJSON(b []byte) error {
	var v []uint64
	if err := json.Unmarshal(b, &v); err != nil || len(v) != 3 {
		return fmt.Errorf("frame %.60q: not three numbers", b)
	}
	*f = Frame{v[0], v[1], v[2]}
	return nil
}

// Names of a segment's objects.
const (
	manifestName = "segment.json"
	sealedName   = "sealed.zst"
	payloadsName = "payloads.json"
)

func objectName(log string, segment uint64, name string) string {
	return fmt.Sprintf("%s/%08d/%s", log, segment, name)
}

func dataName(revision uint64) string { return fmt.Sprintf("payloads-%d.zst", revision) }

// Format writes the object.
func (s Segment) Format() []byte { return format(s) }

// Format writes the object.
func (p Payloads) Format() []byte { return format(p) }

func format(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // structs of strings and numbers always encode
	}
	return b.Bytes()
}

// ParseSegment reads segment.json. It accepts only what Format writes.
func ParseSegment(b []byte) (Segment, error) {
	var s Segment
	if err := parse(b, &s, func() []byte { return s.Format() }); err != nil {
		return Segment{}, err
	}
	switch {
	case s.Version != 1:
		return Segment{}, fmt.Errorf("segment of version %d", s.Version)
	case s.Size <= s.First || s.FirstSeq == 0 || s.LastSeq < s.FirstSeq:
		return Segment{}, fmt.Errorf("segment: empty")
	case len(s.Frames) == 0 || s.Frames[0].Seq != s.FirstSeq || s.Frames[0].Index != s.First:
		return Segment{}, fmt.Errorf("segment: its frames start elsewhere")
	}
	return s, s.Part.check(s.LastSeq, s.Size)
}

// ParsePayloads reads payloads.json. It accepts only what Format writes.
func ParsePayloads(b []byte) (Payloads, error) {
	var p Payloads
	if err := parse(b, &p, func() []byte { return p.Format() }); err != nil {
		return Payloads{}, err
	}
	if p.Version != 1 {
		return Payloads{}, fmt.Errorf("payloads of version %d", p.Version)
	}
	return p, p.Part.check(1<<53, 1<<53)
}

func parse(b []byte, v any, again func() []byte) error {
	if err := canonical.CheckJSON(bytes.TrimSuffix(b, []byte("\n")), 8); err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return err
	}
	if !bytes.Equal(again(), b) {
		return fmt.Errorf("not canonical")
	}
	return nil
}

// check checks that the frames ascend and lie in the object, and the form of the digests.
func (p Part) check(lastSeq, size uint64) error {
	for i, f := range p.Frames {
		switch {
		case i == 0 && f.At != 0 ||
			i > 0 && (f.At <= p.Frames[i-1].At || f.Seq <= p.Frames[i-1].Seq || f.Index < p.Frames[i-1].Index):
			return fmt.Errorf("frame %d does not ascend", i)
		case f.Seq > lastSeq || f.Index > size || f.At >= p.Object.Bytes:
			return fmt.Errorf("frame %d lies after the end", i)
		}
	}
	for _, d := range []Digest{p.Content, p.Object} {
		if _, err := entry.ParseHash(d.SHA256); err != nil || d.Bytes > 1<<53 {
			return fmt.Errorf("digest: %d bytes, %.80q", d.Bytes, d.SHA256)
		}
	}
	return nil
}

// sameContent reports whether two segments have the same content. Their compression may differ
// between releases.
func (s Segment) sameContent(o Segment) bool {
	s.Object, s.Frames, o.Object, o.Frames = Digest{}, nil, Digest{}, nil
	return string(s.Format()) == string(o.Format())
}

// last returns what is known of the last batch without reading it.
func (s Segment) last() sealedlog.Batch {
	return sealedlog.Batch{First: s.Size - 1, Size: s.Size, Payloads: s.Payloads, Checkpoint: []byte(s.Checkpoint),
		Input: sealedlog.Position{Epoch: s.Input.Epoch, Seq: s.Input.Seq, Place: s.Input.Place}}
}
