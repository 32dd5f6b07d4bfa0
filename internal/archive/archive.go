package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// Archive reads the archive of one log. It is safe for concurrent use.
type Archive struct {
	log     *store.Log
	name    string
	objects store.Objects
	decoder *zstd.Decoder
	files   files
	decoded decoded
	keepFor time.Duration // how long data stays in memory; keepData except in tests

	loading  sync.Mutex // held while looking for new segments
	mu       sync.Mutex // guards the fields below
	segments []Segment  // from number 0 on, without gaps
	payloads map[uint64]Payloads
}

// cacheBytes limits the objects cached in the folder for temporary files.
const cacheBytes = 512 << 20

// keepData is how long data may stay in any cache of this process. After that, data that an
// archiver has erased from the archive is gone from here, too.
const keepData = time.Minute

// New makes an Archive for a log that has one. It reads nothing.
func New(log *store.Log) *Archive {
	return &Archive{
		log: log, name: log.Name, objects: log.Archive, decoder: newDecoder(), files: files{limit: cacheBytes},
		payloads: map[uint64]Payloads{},
		keepFor:  keepData,
	}
}

// Segments returns all segments of the archive. It looks for new ones at each call.
func (a *Archive) Segments(ctx context.Context) ([]Segment, error) {
	a.loading.Lock()
	defer a.loading.Unlock()
	for {
		known := a.known()
		s, err := a.load(ctx, uint64(len(known)), known)
		if errors.Is(err, store.ErrNotFound) {
			return known, nil
		} else if err != nil {
			return known, err
		}
		a.mu.Lock()
		a.segments = append(a.segments, s)
		a.mu.Unlock()
	}
}

// known returns the segments found so far.
func (a *Archive) known() []Segment {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clip(a.segments)
}

// load reads segment.json of a segment, and checks that it continues the segments before.
func (a *Archive) load(ctx context.Context, n uint64, before []Segment) (Segment, error) {
	object, index, seq := objectName(a.name, n, manifestName), uint64(0), uint64(0)
	if n > 0 {
		index, seq = before[n-1].Size, before[n-1].LastSeq
	}
	raw, err := a.readSmall(ctx, object, index)
	if err != nil {
		return Segment{}, err
	}
	s, err := ParseSegment(raw)
	switch {
	case err != nil:
		return Segment{}, damaged(object, index, "%w", err)
	case s.Log != a.name || s.Segment != n || s.First != index || s.FirstSeq != seq+1:
		return Segment{}, damaged(object, min(index, s.First),
			"it is segment %d of log %q, from index %d and sequence %d", s.Segment, s.Log, s.First, s.FirstSeq)
	}
	return s, nil
}

// maxManifest exceeds the size of any segment.json, in bytes.
const maxManifest = 64 << 20

// readSmall reads a whole object of at most maxManifest bytes.
func (a *Archive) readSmall(ctx context.Context, object string, index uint64) ([]byte, error) {
	r, err := a.objects.Open(ctx, object)
	if err != nil {
		return nil, a.wrapDamage(object, index, err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxManifest))
	return b, a.wrapDamage(object, index, err)
}

// wrapDamage turns the error of a damaged object into a DamagedError, and returns temporary errors
// as they are.
func (a *Archive) wrapDamage(object string, index uint64, err error) error {
	if errors.Is(err, store.ErrDamaged) {
		return &DamagedError{object, index, err}
	}
	return err
}

// segmentOf finds the segment that holds a SEALED sequence. It returns false if the archive has
// none.
func (a *Archive) segmentOf(ctx context.Context, seq uint64) (Segment, bool, error) {
	list := a.known()
	if n := len(list); n == 0 || list[n-1].LastSeq < seq {
		var err error
		if list, err = a.Segments(ctx); err != nil {
			return Segment{}, false, err
		}
	}
	i := sort.Search(len(list), func(i int) bool { return list[i].LastSeq >= seq })
	if i == len(list) || seq < list[i].FirstSeq {
		return Segment{}, false, nil
	}
	return list[i], true, nil
}

// sealedFrom returns messages of SEALED from a sequence on: at least that one, and the rest of its
// frame. It returns none if the archive does not hold the sequence.
func (a *Archive) sealedFrom(ctx context.Context, seq uint64) ([]entry.Message, error) {
	s, ok, err := a.segmentOf(ctx, seq)
	if err != nil || !ok {
		return nil, err
	}
	object := objectName(a.name, s.Segment, sealedName)
	list, err := a.frame(ctx, object, s.First, s.Part, seq)
	if err != nil {
		return nil, err
	}
	i, found := slices.BinarySearchFunc(list, seq, bySeq)
	if !found {
		return nil, damaged(object, s.First, "sequence %d is not in it", seq)
	}
	list = slices.Clone(list[i:])
	for i := range list {
		list[i].Subject = subject.Sealed(a.name)
	}
	return list, nil
}

// trimmedFrom is sealedFrom for a sequence that SEALED no longer has. If the archive has segments
// but not that one, a segment is lost. If it has none, nothing was archived, and it is SEALED that
// lacks messages.
func (a *Archive) trimmedFrom(ctx context.Context, seq uint64) ([]entry.Message, error) {
	list, err := a.sealedFrom(ctx, seq)
	if known := a.known(); err == nil && len(list) == 0 && len(known) > 0 {
		return nil, a.lostSegment(known, seq)
	}
	return list, err
}

// lostSegment returns the error for a segment that must exist, since SEALED no longer has a
// sequence after the last one.
func (a *Archive) lostSegment(known []Segment, seq uint64) error {
	n, index := uint64(len(known)), uint64(0)
	if n > 0 {
		index = known[n-1].Size
	}
	return damaged(objectName(a.name, n, manifestName), index,
		"it is missing, and SEALED no longer has sequence %d", seq)
}

func bySeq(m entry.Message, seq uint64) int {
	switch {
	case m.Seq < seq:
		return -1
	case m.Seq > seq:
		return 1
	}
	return 0
}

// payload reads the body of a PAYLOADS message. The error wraps store.ErrNotFound if the archive
// has none.
func (a *Archive) payload(ctx context.Context, seq uint64) ([]byte, error) {
	s, ok, err := a.segmentOfPayload(ctx, seq)
	if err != nil {
		return nil, err
	}
	for again := false; ok; again = true {
		body, err := a.payloadIn(ctx, s, seq)
		if !isDamage(err) || again {
			return body, err
		}
		a.forget(s.Segment) // an erasure may have replaced the object
	}
	return nil, fmt.Errorf("PAYLOADS sequence %d: %w", seq, store.ErrNotFound)
}

func (a *Archive) segmentOfPayload(ctx context.Context, seq uint64) (Segment, bool, error) {
	list := a.known()
	if n := len(list); n == 0 || list[n-1].Payloads < seq {
		var err error
		if list, err = a.Segments(ctx); err != nil {
			return Segment{}, false, err
		}
	}
	i := sort.Search(len(list), func(i int) bool { return list[i].Payloads >= seq })
	if i == len(list) || seq == 0 {
		return Segment{}, false, nil
	}
	return list[i], true, nil
}

func (a *Archive) payloadIn(ctx context.Context, s Segment, seq uint64) ([]byte, error) {
	p, err := a.payloadsOf(ctx, s)
	if err != nil {
		return nil, err
	}
	if len(p.Frames) == 0 || seq < p.Frames[0].Seq {
		return nil, fmt.Errorf("PAYLOADS sequence %d: %w", seq, store.ErrNotFound)
	}
	list, err := a.frame(ctx, objectName(a.name, s.Segment, dataName(p.Revision)), s.First, p.Part, seq)
	if !a.isCached(s.Segment) { // the segment was dropped from the cache while its frame was read
		a.drop(s.Segment, p)
	}
	if err != nil {
		return nil, err
	}
	i, found := slices.BinarySearchFunc(list, seq, bySeq)
	if !found {
		return nil, fmt.Errorf("PAYLOADS sequence %d: %w", seq, store.ErrNotFound)
	}
	return bytes.Clone(list[i].Data), nil // a slice of the frame would keep all of it in memory
}

func (a *Archive) isCached(segment uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.payloads[segment]
	return ok
}

// payloadsOf returns payloads.json of a segment, from the cache if possible.
func (a *Archive) payloadsOf(ctx context.Context, s Segment) (Payloads, error) {
	a.mu.Lock()
	p, ok := a.payloads[s.Segment]
	a.mu.Unlock()
	if ok {
		return p, nil
	}
	p, err := a.loadPayloads(ctx, s)
	if err != nil {
		return Payloads{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.payloads) == 0 {
		time.AfterFunc(a.keepFor, a.forgetAll)
	}
	a.payloads[s.Segment] = p
	return p, nil
}

func (a *Archive) loadPayloads(ctx context.Context, s Segment) (Payloads, error) {
	object := objectName(a.name, s.Segment, payloadsName)
	raw, err := a.readSmall(ctx, object, s.First)
	if errors.Is(err, store.ErrNotFound) {
		return Payloads{}, missing(object, s.First)
	} else if err != nil {
		return Payloads{}, err
	}
	p, err := ParsePayloads(raw)
	if err == nil && (p.Log != a.name || p.Segment != s.Segment) {
		err = fmt.Errorf("it belongs to segment %d of log %q", p.Segment, p.Log)
	}
	if err != nil {
		return Payloads{}, damaged(object, s.First, "%w", err)
	}
	return p, nil
}

// forgetAll drops the cached data of all segments.
func (a *Archive) forgetAll() {
	a.mu.Lock()
	all := a.payloads
	a.payloads = map[uint64]Payloads{}
	a.mu.Unlock()
	for n, p := range all {
		a.drop(n, p)
	}
}

// forget drops the cached data of a segment.
func (a *Archive) forget(segment uint64) {
	a.mu.Lock()
	p, ok := a.payloads[segment]
	delete(a.payloads, segment)
	a.mu.Unlock()
	if ok {
		a.drop(segment, p)
	}
}

func (a *Archive) drop(segment uint64, p Payloads) {
	key := fileKey(objectName(a.name, segment, dataName(p.Revision)), p.Part)
	a.files.drop(key)
	a.decoded.drop(key)
}

func fileKey(object string, p Part) string { return object + " " + p.Object.SHA256 }

// frame returns the messages of the frame that holds a sequence. index is the first index of the
// object, for errors.
func (a *Archive) frame(ctx context.Context, object string, index uint64, p Part, seq uint64) ([]entry.Message, error) {
	i := sort.Search(len(p.Frames), func(i int) bool { return p.Frames[i].Seq > seq }) - 1
	key := fileKey(object, p)
	if list := a.decoded.get(key, i); list != nil {
		return list, nil
	}
	f, err := a.files.get(ctx, key, int64(p.Object.Bytes),
		func() (*os.File, error) { return a.fetch(ctx, object, index, p.Object) })
	if err != nil {
		return nil, err
	}
	list, _, err := p.readFrame(a.decoder, f, i)
	if err != nil {
		return nil, damaged(object, p.Frames[i].Index, "%w", err)
	}
	a.decoded.put(key, i, list)
	return list, nil
}

// fetch reads an object into a temporary file and checks its digest.
func (a *Archive) fetch(ctx context.Context, object string, index uint64, want Digest) (*os.File, error) {
	r, err := a.objects.Open(ctx, object)
	if errors.Is(err, store.ErrNotFound) {
		return nil, missing(object, index)
	} else if err != nil {
		return nil, a.wrapDamage(object, index, err)
	}
	defer r.Close()
	f, err := tempFile()
	if err != nil {
		return nil, err
	}
	sum := newDigester()
	_, err = io.Copy(io.MultiWriter(f, sum), io.LimitReader(r, int64(want.Bytes)+1))
	if err == nil && sum.digest() != want {
		err = damaged(object, index, "%d bytes with digest %s, not %d with %s", sum.n, sum.digest().SHA256,
			want.Bytes, want.SHA256)
	}
	if err != nil {
		f.Close()
		return nil, a.wrapDamage(object, index, err)
	}
	return f, nil
}
