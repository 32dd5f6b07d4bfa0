package query

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Format is a form of export.
type Format string

const (
	JSONL       Format = "jsonl"       // SPEC 9: a manifest, then a line for each entry; the form that verifiers read
	JSON        Format = "json"        // {metadata, entries}: the manifest, and entries as the API shows them with raw
	CloudEvents Format = "cloudevents" // an array of CloudEvents, with sealindex, sealhash and sealprevious; with filters, sealproof too

	CloudEventLines Format = "cloudevents-jsonl" // the same, one a line and no array
	CSV             Format = "csv"               // CSVColumns, for spreadsheets
)

// Formats are the forms that Export knows.
var Formats = []Format{JSONL, JSON, CloudEvents, CloudEventLines, CSV}

// writer is what a format makes of a manifest and entries. path is nil in a whole export.
type writer interface {
	begin(m proof.Manifest) ([]byte, error)
	entry(dst []byte, f Found, path proof.Path) ([]byte, error)
	end() []byte
}

func (f Format) writer() (writer, error) {
	switch f {
	case JSONL:
		return jsonlWriter{}, nil
	case JSON:
		return &jsonWriter{}, nil
	case CloudEvents:
		return &cloudEventsWriter{array: true}, nil
	case CloudEventLines:
		return &cloudEventsWriter{}, nil
	case CSV:
		return csvWriter{}, nil
	}
	return nil, &RequestError{"format", fmt.Sprintf("%.40q is none of %v", string(f), Formats)}
}

// ManifestTaker is what a writer that is given to Export may be: it is told the manifest before the first byte. Only JSONL and JSON
// hold it themselves.
type ManifestTaker interface {
	TakeManifest(m proof.Manifest) error
}

// Export writes all entries that a filter matches, in the order of the log, as they stand at the newest checkpoint: any number,
// in constant memory. With a filter, each carries its inclusion proof. The manifest comes first and says how many there are; an error after
// that leaves w with a part that no verifier takes for a whole. Errors before the first byte: *RequestError, ErrBusy, ErrBuilding.
func (q *Query) Export(ctx context.Context, w io.Writer, f Filter, format Format) error {
	out, err := format.writer()
	if err != nil {
		return err
	}
	if f, err = f.normal(); err != nil {
		return err
	}
	select {
	case q.exports <- struct{}{}:
		defer func() { <-q.exports }()
	default:
		return ErrBusy
	}
	snap, all, err := q.view(f)
	if err != nil {
		return err
	}
	if c := q.head.Newest(ctx, snap.checkpoint); c.Size == snap.size && q.isOurs(ctx, snap, c) {
		snap.checkpoint = c // with its cosignatures
	}
	const walk = 4 << 20 // two batches with their payloads, and more
	e := exporter{
		reader: reader{Query: q, snapshot: snap, cache: newCache[cacheKey](walk), by: &f}, filters: f.Map(), out: out, w: bufio.NewWriterSize(w, 64<<10),
	}
	e.taker, _ = w.(ManifestTaker)
	if err := e.write(ctx, all); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

type exporter struct {
	reader
	filters map[string][]string
	out     writer
	taker   ManifestTaker // nil: nobody
	w       *bufio.Writer
	buf     []byte
}

func (e *exporter) write(ctx context.Context, all search) error {
	m := e.manifest(all)
	if e.taker != nil {
		if err := e.taker.TakeManifest(m); err != nil {
			return err
		}
	}
	head, err := e.out.begin(m)
	if err != nil {
		return err
	}
	if _, err := e.w.Write(head); err != nil {
		return err
	}
	matches := all.start(0, false)
	written := uint64(0)
	for chunk := make([]uint64, 0, 256); ; {
		chunk = chunk[:0]
		for x, ok := matches.next(); ok; x, ok = matches.next() {
			if chunk = append(chunk, x); len(chunk) == cap(chunk) {
				break
			}
		}
		if len(chunk) == 0 {
			break
		}
		if err := e.chunk(ctx, chunk); err != nil {
			return err
		}
		written += uint64(len(chunk))
	}
	if written != m.Count { // both walks are over one snapshot
		return fmt.Errorf("%d entries written, %d announced", written, m.Count)
	}
	if _, err := e.w.Write(e.out.end()); err != nil {
		return err
	}
	return e.w.Flush()
}

func (e *exporter) chunk(ctx context.Context, indexes []uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	list, err := e.read(ctx, indexes)
	if err != nil {
		return err
	}
	for _, f := range list {
		var path proof.Path
		if len(e.filters) > 0 {
			if path, err = e.path(ctx, f.Entry); err != nil {
				return err
			}
		}
		if e.buf, err = e.out.entry(e.buf[:0], f, path); err != nil {
			return fmt.Errorf("entry %d: %w", f.Entry.Index, err)
		}
		if _, err := e.w.Write(e.buf); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) manifest(all search) proof.Manifest {
	n, first, last := all.count()
	m := proof.Manifest{
		Export: 1, Log: e.cfg.Log.Name, Origin: e.checkpoint.Origin, Count: n, Size: e.size, Root: entry.FormatHash(e.checkpoint.Root),
		Checkpoint: string(e.checkpoint.Note), Filters: e.filters,
	}
	if n > 0 {
		m.First, m.Last = &first, &last
	}
	return m
}

// jsonlWriter writes SPEC 9.
type jsonlWriter struct{}

func (jsonlWriter) begin(m proof.Manifest) ([]byte, error) {
	b, err := json.Marshal(m)
	return append(b, '\n'), err
}

func (jsonlWriter) entry(dst []byte, f Found, path proof.Path) ([]byte, error) {
	dst, err := proof.ExportLine{Leaf: f.Entry.Leaf, Payload: f.Payload, Path: path}.Append(dst)
	return append(dst, '\n'), err
}

func (jsonlWriter) end() []byte { return nil }

// jsonWriter writes one object: metadata, then entries.
type jsonWriter struct{ any bool }

func (j *jsonWriter) begin(m proof.Manifest) ([]byte, error) {
	b, err := json.Marshal(m)
	return append(append([]byte(`{"metadata":`), b...), `,"entries":[`...), err
}

func (j *jsonWriter) entry(dst []byte, f Found, path proof.Path) ([]byte, error) {
	if j.any {
		dst = append(dst, ',')
	}
	j.any = true
	dst, err := f.AppendJSON(append(dst, '\n'), true)
	if err != nil || path == nil {
		return dst, err
	}
	p, err := path.MarshalJSON()
	return append(append(append(dst[:len(dst)-1], `,"merkle_proof":`...), p...), '}'), err
}

func (j *jsonWriter) end() []byte { return []byte("\n]}\n") }
