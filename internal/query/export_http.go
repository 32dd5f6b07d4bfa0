package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/pkg/proof"
)

// contentTypes holds the media type and the file name extension of each format.
var contentTypes = map[Format][2]string{
	JSONL:           {"application/jsonl", "jsonl"},
	JSON:            {"application/json", "json"},
	CloudEvents:     {"application/cloudevents-batch+json", "cloudevents.json"},
	CloudEventLines: {"application/jsonl", "cloudevents.jsonl"},
	CSV:             {"text/csv; charset=utf-8; header=present", "csv"},
}

// ManifestHeader is the response header with the manifest of an export whose format does not
// contain it: JSON in ASCII, on one line.
const ManifestHeader = "Sealstream-Manifest"

func (q *Query) getExport(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	filter := p.Filter()
	format := JSONL
	if f, given := p.One("format"); given {
		format = Format(f)
	}
	if err := p.End(); err != nil {
		return err
	}
	_, err := format.writer()
	if err == nil {
		_, err = filter.Normal()
	}
	if err != nil {
		return err
	}
	if err := q.may(r.Context(), access.Export); err != nil {
		return err
	}
	out := &exportResponse{w: w, name: q.cfg.Log.Name, format: format}
	if r.Method == http.MethodHead {
		out.start()
		return nil
	}
	control := http.NewResponseController(w)
	place, err := q.exports.enter(clientOf(r), func() { _ = control.SetWriteDeadline(time.Now()) })
	if err != nil {
		return err
	}
	defer control.SetWriteDeadline(time.Time{})
	defer place.leave()
	share, err := q.reads.take(r.Context(), exportCost, false)
	if err != nil {
		return err
	}
	defer share.leave()
	out.paced = pacedWriter{w: w, control: control, place: place, credit: q.exports.credit}
	err = q.export(r.Context(), out, filter, format)
	if err == nil && out.started {
		err = out.paced.flush()
	}
	if err != nil && out.started {
		// The status is sent. Only a broken connection tells the client that the export is
		// incomplete.
		if errors.Is(err, os.ErrDeadlineExceeded) {
			q.logger.InfoContext(r.Context(), "query cuts an export short: its client reads too slowly", "client", clientOf(r))
		} else {
			q.logger.ErrorContext(r.Context(), "query cuts an export short", "path", r.URL.Path, "cause", err)
		}
		panic(http.ErrAbortHandler)
	}
	if err == nil && !out.started { // an empty export
		out.start()
	}
	return err
}

// exportResponse sends the header with the first byte, so that an earlier error can still be a
// problem response.
type exportResponse struct {
	w       http.ResponseWriter
	paced   pacedWriter
	name    string
	format  Format
	started bool

	manifest string // empty if unknown, or if the body has it
}

// TakeManifest implements ManifestTaker.
func (e *exportResponse) TakeManifest(m proof.Manifest) error {
	if e.format == JSONL || e.format == JSON {
		return nil
	}
	b, err := json.Marshal(m)
	e.manifest = ascii(b)
	return err
}

// ascii escapes non-ASCII characters in JSON, so that a header can hold it. Control characters are
// escaped already.
func ascii(b []byte) string {
	var s strings.Builder
	for _, r := range string(b) {
		switch {
		case r < 0x7f:
			s.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&s, `\u%04x`, r)
		default:
			a, b := utf16.EncodeRune(r)
			fmt.Fprintf(&s, `\u%04x\u%04x`, a, b)
		}
	}
	return s.String()
}

func (e *exportResponse) start() {
	e.started = true
	t := contentTypes[e.format]
	e.w.Header().Set("Content-Type", t[0])
	if e.manifest != "" {
		e.w.Header().Set(ManifestHeader, e.manifest)
	}
	e.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.%s"`, e.name, t[1]))
}

func (e *exportResponse) Write(b []byte) (int, error) {
	if !e.started {
		e.start()
	}
	return e.paced.Write(b)
}
