package httpapi

import (
	"net/http"

	"github.com/sealstream/sealstream/pkg/api"
)

// ForLog refuses unknown parameters for handlers that have none. The only one allowed is `log`,
// whose value must be log. With an empty log, not even that one is allowed.
func ForLog(log string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		given := q["log"]
		if log != "" {
			q.Del("log")
		}
		switch {
		case len(q) > 0 || len(given) > 1:
			Refuse(w, http.StatusBadRequest, "this path has no such parameters")
		case log != "" && len(given) == 1 && given[0] != log:
			Refuse(w, http.StatusNotFound, "there is no such log here")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// Refuse answers with a problem document that has only a status and a detail.
func Refuse(w http.ResponseWriter, status int, detail string) {
	Problem(w, api.Problem{Status: status, Detail: detail})
}
