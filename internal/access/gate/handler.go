package gate

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/pkg/api"
)

// Handler passes on the requests whose caller may make them, with the caller in the context. It
// answers all others: 401 without a valid credential, 403 without the scope, 404 and 405 for what
// has no rule. For a nil Gate, each caller is access.Open.
func (g *Gate) Handler(next http.Handler) http.Handler {
	if g == nil {
		return open(next)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rule, status, methods := routes.find(r)
		caller, err := g.Authenticate(r)
		switch {
		case status == http.StatusOK && rule.may == nil: // whoever it is
			if err != nil && !errors.Is(err, errNone) { // to check it may have cost a signature
				g.guesses.add(r.RemoteAddr, time.Now())
			}
		case err != nil:
			g.refuse(w, r, err)
			return
		case status == http.StatusMethodNotAllowed:
			w.Header().Set("Allow", strings.Join(methods, ", "))
			httpapi.Problem(w, api.Problem{Type: api.ProblemType + "method-not-allowed", Status: status,
				Detail: "this path takes " + strings.Join(methods, " and ")})
			return
		case status == http.StatusNotFound:
			httpapi.Problem(w, api.Problem{Type: api.ProblemType + "not-found", Status: status,
				Detail: "there is no such path; /openapi.json lists them"})
			return
		case !rule.may(caller):
			g.stats.forbidden.Add(1)
			httpapi.Problem(w, forbidden(caller, rule.needs))
			return
		}
		g.stats.accept(caller)
		ctx := access.With(r.Context(), caller)
		if rule.long {
			var leave func()
			ctx, leave = g.enter(ctx, w, caller)
			defer leave()
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// open makes access.Open the caller of requests that have none.
func open(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !access.From(r.Context()).Known() {
			r = r.WithContext(access.With(r.Context(), access.Open))
		}
		next.ServeHTTP(w, r)
	})
}

func forbidden(c access.Caller, needs string) api.Problem {
	return api.Problem{Type: api.ProblemType + "forbidden", Status: http.StatusForbidden,
		Detail: fmt.Sprintf("%s does not have %s", c.ID(), needs)}
}

// refuse answers a request whose caller is not known. It tells no more than the error's own text,
// and nothing of the credential.
func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := api.Problem{Type: api.ProblemType + "unauthenticated", Status: http.StatusUnauthorized, Detail: err.Error()}
	switch {
	case errors.Is(err, errNotInForce):
		p = api.Problem{Type: api.ProblemType + "unavailable", Status: http.StatusServiceUnavailable,
			Detail: err.Error(), RetryAfter: 1}
	case errors.Is(err, ErrIssuer):
		p = api.Problem{Type: api.ProblemType + "unavailable", Status: http.StatusServiceUnavailable,
			Detail: ErrIssuer.Error(), RetryAfter: 5}
	case errors.Is(err, errNone):
		w.Header().Set("WWW-Authenticate", `Bearer realm="sealstream"`)
	case errors.Is(err, errGuesses) || g.guesses.add(r.RemoteAddr, time.Now()):
		p = api.Problem{Type: api.ProblemType + "too-many-guesses", Status: http.StatusTooManyRequests,
			Detail: errGuesses.Error(), RetryAfter: int(guessPeriod / time.Second)}
	default:
		if p.Detail = access.ErrUnknown.Error(); errors.Is(err, access.ErrExpired) {
			p.Detail = access.ErrExpired.Error()
		}
		w.Header().Set("WWW-Authenticate",
			fmt.Sprintf(`Bearer realm="sealstream", error="invalid_token", error_description=%q`, p.Detail))
	}
	g.stats.refuse(p.Status)
	httpapi.Problem(w, p)
}
