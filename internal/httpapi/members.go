package httpapi

import (
	"net/http"

	"github.com/sealstream/sealstream/pkg/api"
)

// ProblemWith answers with a problem document that has further members (RFC 9457, section 3.2). It
// adds the problem's own members to more.
func ProblemWith(w http.ResponseWriter, p api.Problem, more map[string]any) {
	p = p.Complete()
	more["type"], more["title"], more["status"], more["detail"] = p.Type, p.Title, p.Status, p.Detail
	write(w, p.Status, api.ProblemMediaType, more)
}
