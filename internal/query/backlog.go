package query

import (
	"context"
	"time"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// backlog reads the messages of a stream in order, many at a time. To ask the store for each one
// costs several times as much. One goroutine may use it at a time.
type backlog struct {
	stream store.Stream
	reader store.Reader    // nil: none is open
	next   uint64          // lowest sequence that the reader may still give
	list   []entry.Message // read from the reader, and not yet passed
}

const (
	backlogTimeout = 2 * time.Second // how long one message may take
	backlogSkip    = 512             // how many messages are read past rather than opened behind
	backlogMany    = 64              // how many messages are read at a time
)

// get returns the body of a message. It returns false if the stream no longer has it at this place,
// or does not give it in time. The caller then asks for the message itself. Sequences should not
// fall; the last one may be asked for again.
func (b *backlog) get(ctx context.Context, seq uint64) (body []byte, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, backlogTimeout)
	defer cancel()
	if b.reader == nil || seq < b.next || seq > b.next+backlogSkip {
		b.close()
		r, err := b.stream.Read(ctx, seq)
		if err != nil {
			return nil, false
		}
		b.reader = r
	}
	b.next = seq
	for {
		for len(b.list) > 0 && b.list[0].Seq < seq {
			b.list = b.list[1:]
		}
		if len(b.list) > 0 {
			return b.list[0].Data, b.list[0].Seq == seq
		}
		list, err := b.reader.Next(ctx, backlogMany)
		if err != nil {
			b.close()
			return nil, false
		}
		b.list = list
	}
}

// close closes the reader and forgets what was read ahead.
func (b *backlog) close() {
	if b.reader != nil {
		b.reader.Close()
	}
	b.reader, b.list = nil, nil
}
