package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Messages are collected into frames of at least frameBytes, so that one can be read without the
// whole object. A frame has at most maxFrame bytes, which exceeds the largest message of any
// stream.
const (
	frameBytes = 128 << 10
	maxFrame   = 8 << 20
)

// newEncoder and newDecoder return coders for whole frames that start no goroutines.
func newEncoder() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
	if err != nil {
		panic(err) // the options are constant
	}
	return e
}

func newDecoder() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxFrame))
	if err != nil {
		panic(err)
	}
	return d
}

// newStreamDecoder decodes an object whose frames are unknown. It starts no goroutine either.
func newStreamDecoder(r io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFrame))
}

// digester counts and hashes what is written to it.
type digester struct {
	sum hash.Hash
	n   uint64
}

func newDigester() *digester { return &digester{sum: sha256.New()} }

func (d *digester) Write(b []byte) (int, error) {
	d.n += uint64(len(b))
	return d.sum.Write(b)
}

func (d *digester) digest() Digest { return Digest{d.n, hex.EncodeToString(d.sum.Sum(nil))} }

// framer writes a part to a temporary file, in constant memory.
type framer struct {
	file            *os.File
	encoder         *zstd.Encoder
	content, object *digester
	frames          []Frame
	next            Frame // the frame of the messages in raw
	raw, packed     []byte
}

// tempFile creates a file without a name, so that it disappears with the process, however that
// ends.
func tempFile() (*os.File, error) {
	f, err := os.CreateTemp("", "sealstream-archive-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func newFramer(encoder *zstd.Encoder) (*framer, error) {
	f, err := tempFile()
	if err != nil {
		return nil, err
	}
	return &framer{file: f, encoder: encoder, content: newDigester(), object: newDigester(), frames: []Frame{}}, nil
}

func (f *framer) close() { f.file.Close() }

// add adds the next message. index is that of its first leaf.
func (f *framer) add(m entry.Message, index uint64) error {
	if len(f.raw) == 0 {
		f.next = Frame{m.Seq, index, f.object.n}
	}
	before := len(f.raw)
	f.raw = AppendMessage(f.raw, m)
	f.content.Write(f.raw[before:])
	if len(f.raw) > maxFrame {
		return fmt.Errorf("sequence %d has %d bytes, too many for a frame", m.Seq, len(f.raw)-before)
	}
	if len(f.raw) < frameBytes {
		return nil
	}
	return f.flush()
}

func (f *framer) flush() error {
	if len(f.raw) == 0 {
		return nil
	}
	f.packed = f.encoder.EncodeAll(f.raw, f.packed[:0])
	if _, err := io.MultiWriter(f.file, f.object).Write(f.packed); err != nil {
		return err
	}
	f.frames = append(f.frames, f.next)
	f.raw = f.raw[:0]
	return nil
}

// end finishes the part and rewinds the file.
func (f *framer) end() (Part, error) {
	if err := f.flush(); err != nil {
		return Part{}, err
	}
	_, err := f.file.Seek(0, io.SeekStart)
	return Part{Content: f.content.digest(), Object: f.object.digest(), Frames: f.frames}, err
}

// unpack decodes one frame of an object into its messages.
func unpack(d *zstd.Decoder, packed []byte) ([]entry.Message, []byte, error) {
	raw, err := d.DecodeAll(packed, nil)
	if err != nil {
		return nil, nil, err
	}
	var list []entry.Message
	for rest := raw; len(rest) > 0; {
		var m entry.Message
		if m, rest, err = ParseMessage(rest); err != nil {
			return nil, nil, err
		}
		if n := len(list); n > 0 && m.Seq <= list[n-1].Seq {
			return nil, nil, fmt.Errorf("sequence %d after %d", m.Seq, list[n-1].Seq)
		}
		list = append(list, m)
	}
	if len(list) == 0 {
		return nil, nil, fmt.Errorf("an empty frame")
	}
	return list, raw, nil
}

// frameRange returns offset and size of frame i in its object.
func (p Part) frameRange(i int) (at, n uint64) {
	end := p.Object.Bytes
	if i+1 < len(p.Frames) {
		end = p.Frames[i+1].At
	}
	return p.Frames[i].At, end - p.Frames[i].At
}

// readFrame reads and decodes frame i, and checks that it starts with the message that the part
// names.
func (p Part) readFrame(d *zstd.Decoder, file io.ReaderAt, i int) ([]entry.Message, []byte, error) {
	at, n := p.frameRange(i)
	packed := make([]byte, n)
	if _, err := file.ReadAt(packed, int64(at)); err != nil {
		return nil, nil, fmt.Errorf("frame %d: %w", i, err)
	}
	list, raw, err := unpack(d, packed)
	if err == nil && list[0].Seq != p.Frames[i].Seq {
		err = fmt.Errorf("it starts with sequence %d, not %d", list[0].Seq, p.Frames[i].Seq)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("frame %d: %w", i, err)
	}
	return list, raw, nil
}
