package natsstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/store"
)

// objects is a store.Objects on a JetStream object store. The client library writes it, so that its
// tools can read it. It is read here chunk by chunk, because the library's reader stops for good at
// a missing chunk.
type objects struct {
	bucket jetstream.ObjectStore
	name   string
	stream *stream // of the bucket
}

var (
	_ store.Objects = (*objects)(nil)
	_ store.Sized   = (*objects)(nil)
)

// Size implements store.Sized.
func (o *objects) Size(ctx context.Context) (store.Size, error) { return o.stream.Size(ctx) }

const (
	objectChunk   = 512 << 10
	objectTimeout = 10 * time.Minute // of writing one, if the caller has set no bound
)

func (o *objects) chunks(nuid string) string { return "$O." + o.name + ".C." + nuid }

func (o *objects) wrap(verb, name string, err error) error {
	return fmt.Errorf("%s object %s of bucket %s: %w", verb, name, o.name, err)
}

func (o *objects) info(ctx context.Context, name string) (*jetstream.ObjectInfo, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	info, err := o.bucket.GetInfo(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrObjectNotFound):
		return nil, store.ErrNotFound
	case errors.Is(err, jetstream.ErrBadObjectMeta):
		return nil, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return info, err
}

// Open implements store.Objects.
func (o *objects) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	info, err := o.info(ctx, name)
	if err != nil {
		return nil, o.wrap("open", name, err)
	}
	want, err := jetstream.DecodeObjectDigest(info.Digest)
	if err != nil {
		return nil, o.wrap("open", name, fmt.Errorf("%w: %w", store.ErrDamaged, err))
	}
	return &objectReader{ctx: ctx, o: o, info: info, name: name, want: want, sum: sha256.New()}, nil
}

// objectReader reads one object.
type objectReader struct {
	ctx   context.Context
	o     *objects
	info  *jetstream.ObjectInfo
	name  string
	want  []byte // digest
	sum   hash.Hash
	seq   uint64 // of the chunk before
	taken uint32 // chunks
	rest  []byte // of the chunk
	err   error
}

func (r *objectReader) Close() error { return nil }

func (r *objectReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.err == nil {
			r.err = r.next()
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// next reads the next chunk. A chunk that cannot be read counts as missing, whatever the reason: it
// was counted when it was written.
func (r *objectReader) next() error {
	damaged := func(format string, args ...any) error {
		return r.o.wrap("read", r.name, fmt.Errorf("%w: "+format, append([]any{store.ErrDamaged}, args...)...))
	}
	if r.taken == r.info.Chunks {
		if !bytes.Equal(r.sum.Sum(nil), r.want) {
			return damaged("its digest is another")
		}
		return io.EOF
	}
	m, err := r.o.chunk(r.ctx, r.seq+1, r.o.chunks(r.info.NUID))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return damaged("chunk %d of %d is missing", r.taken+1, r.info.Chunks)
	case err != nil:
		return r.o.wrap("read", r.name, err)
	}
	if r.seq, err = strconv.ParseUint(m.Header.Get(nats.JSSequence), 10, 63); err != nil {
		return r.o.wrap("read", r.name, err)
	}
	r.rest = m.Data
	r.sum.Write(m.Data)
	r.taken++
	return nil
}

// chunk reads the first message on a subject from a sequence on.
func (o *objects) chunk(ctx context.Context, seq uint64, subject string) (*nats.Msg, error) {
	question := map[string]any{"seq": seq, "next_by_subj": subject}
	m, err := o.stream.request(ctx, "$JS.API.DIRECT.GET."+o.stream.name, question)
	if err != nil {
		return nil, err
	}
	if len(m.Header[nats.JSStream]) > 0 {
		return m, nil
	}
	switch status := m.Header.Get("Status"); status {
	case "404":
		return nil, store.ErrNotFound
	case "503":
		return nil, nats.ErrNoResponders
	default:
		return nil, fmt.Errorf("direct get: status %s %s", status, m.Header.Get("Description"))
	}
}

// Put implements store.Objects. The library writes the chunks first and then, in one message that
// replaces its predecessor, the list of them. A crash in between leaves unlisted chunks and the old
// object.
func (o *objects) Put(ctx context.Context, name string, r io.Reader) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, objectTimeout)
		defer cancel()
	}
	meta := jetstream.ObjectMeta{Name: name, Opts: &jetstream.ObjectMetaOptions{ChunkSize: objectChunk}}
	if _, err := o.bucket.Put(ctx, meta, fullReader{r}); err != nil {
		return o.wrap("write", name, err)
	}
	return nil
}

// fullReader fills each chunk, because the library makes a chunk of whatever one Read returns.
type fullReader struct{ r io.Reader }

func (f fullReader) Read(p []byte) (int, error) {
	n, err := io.ReadFull(f.r, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// Delete implements store.Objects. It overwrites each chunk and then removes the name. After a
// crash in between the object is damaged, and the next Delete removes it.
func (o *objects) Delete(ctx context.Context, name string) error {
	info, err := o.info(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return o.wrap("delete", name, err)
	}
	for seq := uint64(1); ; {
		m, err := o.chunk(ctx, seq, o.chunks(info.NUID))
		if errors.Is(err, store.ErrNotFound) {
			break
		} else if err != nil {
			return o.wrap("delete", name, err)
		}
		if seq, err = strconv.ParseUint(m.Header.Get(nats.JSSequence), 10, 63); err != nil {
			return o.wrap("delete", name, err)
		}
		if err := o.stream.SecureDelete(ctx, seq); err != nil && !errors.Is(err, store.ErrNotFound) {
			return o.wrap("delete", name, err)
		}
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := o.bucket.Delete(ctx, name); err != nil {
		return o.wrap("delete", name, err)
	}
	return nil
}

// openObjects opens the object store. It returns nil if there is none, as in a log that was created
// before archives.
func openObjects(
	ctx context.Context,
	js jetstream.JetStream,
	nc *nats.Conn,
	name string,
	replies *replies,
) (store.Objects, error) {
	b, err := js.ObjectStore(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	return &objects{bucket: b, name: name, stream: &stream{nc: nc, name: "OBJ_" + name, replies: replies}}, nil
}
