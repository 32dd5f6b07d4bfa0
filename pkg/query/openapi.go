package query

import (
	_ "embed"
	"net/http"
)

// OpenAPI describes the HTTP API (OpenAPI 3.1), ingest's route among it.
//
//go:embed openapi.json
var OpenAPI []byte

func (q *Query) getOpenAPI(w http.ResponseWriter, r *http.Request, p *params) error {
	if err := p.end(); err != nil {
		return err
	}
	write(w, http.StatusOK, "application/json", OpenAPI)
	return nil
}
