package query

import (
	_ "embed"
	"net/http"

	"github.com/sealstream/sealstream/internal/httpapi"
)

// OpenAPI is the OpenAPI 3.1 description of the HTTP API, including ingest's route.
//
//go:embed openapi.json
var OpenAPI []byte

func (q *Query) getOpenAPI(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	if err := p.End(); err != nil {
		return err
	}
	write(w, http.StatusOK, "application/json", OpenAPI)
	return nil
}
