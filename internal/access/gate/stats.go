package gate

import (
	"net/http"
	"sync/atomic"

	"github.com/sealstream/sealstream/internal/access"
)

// Stats counts what a gate has done since the start.
type Stats struct {
	Versions  uint64                 // versions that came into force
	Broken    uint64                 // looks at a file that was wrong or could not be read
	Accepted  map[access.Kind]uint64 // requests by the kind of credential; "" without one
	Unknown   uint64                 // requests answered with 401
	Guessed   uint64                 // requests answered with 429
	Forbidden uint64                 // requests answered with 403
}

type stats struct {
	versions, broken, unknown, guessed, forbidden atomic.Uint64
	none, token, oidc, mtls                       atomic.Uint64
}

func (s *stats) accept(c access.Caller) {
	switch c.Kind() {
	case access.Token:
		s.token.Add(1)
	case access.OIDC:
		s.oidc.Add(1)
	case access.MTLS:
		s.mtls.Add(1)
	default:
		s.none.Add(1)
	}
}

func (s *stats) refuse(status int) {
	switch status {
	case http.StatusUnauthorized:
		s.unknown.Add(1)
	case http.StatusTooManyRequests:
		s.guessed.Add(1)
	}
}

// Stats returns the counts. For a nil Gate they are zero.
func (g *Gate) Stats() Stats {
	if g == nil {
		return Stats{}
	}
	s := &g.stats
	return Stats{
		Versions: s.versions.Load(), Broken: s.broken.Load(), Unknown: s.unknown.Load(),
		Guessed: s.guessed.Load(), Forbidden: s.forbidden.Load(),
		Accepted: map[access.Kind]uint64{
			"": s.none.Load(), access.Token: s.token.Load(), access.OIDC: s.oidc.Load(), access.MTLS: s.mtls.Load(),
		},
	}
}
