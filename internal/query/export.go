package query

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/sealstream/sealstream/internal/parallel"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Format is an export format.
type Format string

const (
	// SPEC 9: a manifest, then one line for each entry; the format that verifiers read
	JSONL Format = "jsonl"
	// an object: the manifest in metadata, the entries as the API shows them with raw in entries
	JSON Format = "json"
	// CloudEvents is an array of CloudEvents with sealindex, sealhash and sealprevious, and with
	// sealproof if there are filters.
	CloudEvents Format = "cloudevents"

	CloudEventLines Format = "cloudevents-jsonl" // the same events as JSON Lines
	CSV             Format = "csv"               // CSVColumns, for spreadsheets
)

// Formats lists all export formats.
var Formats = []Format{JSONL, JSON, CloudEvents, CloudEventLines, CSV}

// writer encodes a manifest and entries in one format. It is safe for concurrent use. path is nil
// in an export without filters. first tells that no entry comes before.
type writer interface {
	start(m proof.Manifest) ([]byte, error)
	entry(dst []byte, f Found, path proof.Path, first bool) ([]byte, error)
	end() []byte
}

func (f Format) writer() (writer, error) {
	switch f {
	case JSONL:
		return jsonlWriter{}, nil
	case JSON:
		return jsonWriter{}, nil
	case CloudEvents:
		return cloudEventsWriter{array: true}, nil
	case CloudEventLines:
		return cloudEventsWriter{}, nil
	case CSV:
		return csvWriter{}, nil
	}
	return nil, &api.ParamError{Param: "format", Reason: fmt.Sprintf("%.40q is none of %v", string(f), Formats)}
}

// ManifestTaker may be implemented by the writer that is given to Export. It receives the manifest
// before the first byte. Only JSONL and JSON contain the manifest themselves.
type ManifestTaker interface {
	TakeManifest(m proof.Manifest) error
}

// Export writes all entries that a filter matches, in log order, as of the newest checkpoint. It
// needs constant memory for any number of entries. With a filter, each entry carries its inclusion
// proof. The manifest comes first and states the number of entries, so no verifier accepts an
// export that was cut short by an error. Errors before the first byte are *api.ParamError, ErrBusy
// and ErrBuilding.
func (q *Query) Export(ctx context.Context, w io.Writer, f api.Filter, format Format) error {
	p, err := q.exports.enter("", nil)
	if err != nil {
		return err
	}
	defer p.leave()
	return q.export(ctx, w, f, format)
}

// export is Export for a caller that has a place already.
func (q *Query) export(ctx context.Context, w io.Writer, f api.Filter, format Format) error {
	out, err := format.writer()
	if err != nil {
		return err
	}
	if f, err = f.Normal(); err != nil {
		return err
	}
	snap, all, err := q.view(ctx, f)
	if err != nil {
		return err
	}
	filters, proven, err := q.reader(snap).mayExport(ctx, f, format)
	if err != nil {
		return err
	}
	if c := q.head.Newest(ctx, snap.checkpoint); c.Size == snap.size && q.isOurs(ctx, snap, c) {
		snap.checkpoint = c // the same checkpoint with its cosignatures
	}
	e := exporter{
		reader: reader{
			Query:    q,
			snapshot: snap,
			cache:    newCache[cacheKey](walkBytes),
			filter:   &f,
		}, filters: filters, proven: proven, out: out, w: bufio.NewWriterSize(w, 64<<10),
	}
	e.taker, _ = w.(ManifestTaker)
	if err := e.write(ctx, all); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// readFilter is the name of the filter in a manifest that says which agents the caller may read.
const readFilter = "read"

// maxReadFilter limits the agents that a manifest names. A manifest may be in a header.
const maxReadFilter = 64

// mayExport returns the filters of an export as its manifest states them, and whether its entries
// carry proofs. An export of what a caller sees who does not see everything is never one of the
// whole log. The error wraps ErrWithheld if the format needs hashes that the caller may not have.
func (r reader) mayExport(ctx context.Context, f api.Filter, format Format) (map[string][]string, bool, error) {
	filters := f.Values()
	if r.sight == nil {
		return filters, len(filters) > 0, nil
	}
	filters[readFilter] = r.sight.patterns()
	if n := len(filters[readFilter]); n > maxReadFilter {
		filters[readFilter] = []string{fmt.Sprintf("%d agents", n)}
	}
	h, err := r.hidden(ctx)
	if h.any && format == JSONL {
		err = errGuess
	}
	return filters, !h.any, err
}

type exporter struct {
	reader
	filters map[string][]string
	proven  bool // each entry carries its inclusion proof
	out     writer
	taker   ManifestTaker // optional
	w       *bufio.Writer
}

func (e *exporter) write(ctx context.Context, all search) error {
	m, err := e.manifest(all)
	if err != nil {
		return err
	}
	if e.taker != nil {
		if err := e.taker.TakeManifest(m); err != nil {
			return err
		}
	}
	head, err := e.out.start(m)
	if err != nil {
		return err
	}
	if _, err := e.w.Write(head); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of what is read ahead
	written := uint64(0)
	encode := func(g group) encoded { return e.encode(ctx, g) }
	for part, err := range parallel.Map(e.groups(ctx, all), exportAhead, encode) {
		if err == nil {
			err = part.err
		}
		if err == nil {
			_, err = e.w.Write(part.text)
		}
		if part.spare != nil {
			exportTexts.Put(part.spare)
		}
		if err != nil {
			cancel()
			return err
		}
		written += part.entries
	}
	if written != m.Count { // both walks used one snapshot
		return fmt.Errorf("%d entries written, %d announced", written, m.Count)
	}
	if _, err := e.w.Write(e.out.end()); err != nil {
		return err
	}
	return e.w.Flush()
}

func (e *exporter) manifest(all search) (proof.Manifest, error) {
	n, first, last, err := all.count()
	m := proof.Manifest{
		Export: 1, Log: e.cfg.Log.Name, Origin: e.checkpoint.Origin, Count: n, Size: e.size, Root: e.checkpoint.Root.String(),
		Checkpoint: string(e.checkpoint.Note), Filters: e.filters,
	}
	if n > 0 {
		m.First, m.Last = &first, &last
	}
	return m, err
}

// jsonlWriter writes the format of SPEC 9.
type jsonlWriter struct{}

func (jsonlWriter) start(m proof.Manifest) ([]byte, error) {
	b, err := json.Marshal(m)
	return append(b, '\n'), err
}

func (jsonlWriter) entry(dst []byte, f Found, path proof.Path, _ bool) ([]byte, error) {
	if f.Hidden {
		return nil, errGuess
	}
	dst, err := proof.ExportLine{Leaf: f.Entry.Leaf, Payload: f.Payload, DataError: f.DataError, Path: path}.Append(dst)
	return append(dst, '\n'), err
}

func (jsonlWriter) end() []byte { return nil }

// jsonWriter writes one object: metadata, then entries.
type jsonWriter struct{}

func (jsonWriter) start(m proof.Manifest) ([]byte, error) {
	b, err := json.Marshal(m)
	return append(append([]byte(`{"metadata":`), b...), `,"entries":[`...), err
}

func (jsonWriter) entry(dst []byte, f Found, path proof.Path, first bool) ([]byte, error) {
	if !first {
		dst = append(dst, ',')
	}
	dst, err := f.AppendJSON(append(dst, '\n'), true)
	if err != nil || path == nil {
		return dst, err
	}
	p, err := path.MarshalJSON()
	return append(append(append(dst[:len(dst)-1], `,"merkle_proof":`...), p...), '}'), err
}

func (jsonWriter) end() []byte { return []byte("\n]}\n") }
