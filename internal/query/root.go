package query

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"strings"

	"github.com/sealstream/sealstream/internal/httpapi"
)

//go:embed root.html
var rootText string

var rootPage = template.Must(template.New("root").Parse(rootText))

// getRoot serves a page of links to the API.
func (q *Query) getRoot(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	if err := p.End(); err != nil {
		return err
	}
	if accept := strings.Join(r.Header.Values("Accept"), ","); strings.Contains(accept, "json") &&
		!strings.Contains(accept, "html") {
		return errPath // programs find nothing here
	}
	s, err := q.StatsFor(r.Context())
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := rootPage.Execute(&b, s); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	write(w, http.StatusOK, "text/html; charset=utf-8", b.Bytes())
	return nil
}
