package query

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/sealstream/sealstream/pkg/proof"
)

// stalledAfter cuts an export that its reader does not take from: it holds one of the few places.
const stalledAfter = time.Minute

// contentTypes of the exports, and the ends of their files' names.
var contentTypes = map[Format][2]string{
	JSONL: {"application/jsonl", "jsonl"}, JSON: {"application/json", "json"}, CloudEvents: {"application/cloudevents-batch+json", "cloudevents.json"},
	CloudEventLines: {"application/jsonl", "cloudevents.jsonl"}, CSV: {"text/csv; charset=utf-8; header=present", "csv"},
}

// ManifestHeader holds the manifest of an export whose format has no place for it: JSON in ASCII, in one line.
const ManifestHeader = "Sealstream-Manifest"

func (q *Query) getExport(w http.ResponseWriter, r *http.Request, p *params) error {
	filter := p.filter()
	format := JSONL
	if f, given := p.one("format"); given {
		format = Format(f)
	}
	if err := p.end(); err != nil {
		return err
	}
	_, err := format.writer()
	if err == nil {
		_, err = filter.normal()
	}
	if err != nil {
		return err
	}
	out := &exportResponse{w: w, name: q.cfg.Log.Name, format: format}
	if r.Method == http.MethodHead {
		out.begin()
		return nil
	}
	defer http.NewResponseController(w).SetWriteDeadline(time.Time{})
	err = q.Export(r.Context(), out, filter, format)
	if err != nil && out.begun {
		// The status is out. Only a broken connection tells the reader that what it has is not the whole.
		q.log.ErrorContext(r.Context(), "export cut short", "path", r.URL.Path, "cause", err)
		panic(http.ErrAbortHandler)
	}
	if err == nil && !out.begun { // an empty one
		out.begin()
	}
	return err
}

// exportResponse sends the header with the first byte, so that an error before it can still be told properly.
type exportResponse struct {
	w      http.ResponseWriter
	name   string
	format Format
	begun  bool

	manifest string // "": not known, or in the body
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

// ascii writes JSON without a byte that a header may not have: control characters are escaped already.
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

func (e *exportResponse) begin() {
	e.begun = true
	t := contentTypes[e.format]
	e.w.Header().Set("Content-Type", t[0])
	if e.manifest != "" {
		e.w.Header().Set(ManifestHeader, e.manifest)
	}
	e.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.%s"`, e.name, t[1]))
}

func (e *exportResponse) Write(b []byte) (int, error) {
	if !e.begun {
		e.begin()
	}
	// Not every ResponseWriter knows deadlines; then there is none.
	_ = http.NewResponseController(e.w).SetWriteDeadline(time.Now().Add(stalledAfter))
	return e.w.Write(b)
}
