package gate

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// route is a path of the rules, with the rule of each method.
type route struct {
	parts   []string // between the slashes; a variable part is empty
	tile    bool     // ends with the path of a tile, which may have slashes
	methods map[string]rule
}

// table finds the rule of a request. It decodes a path part by part, as http.ServeMux and the
// handlers do: a part that is encoded without need must not get the rule of another path.
type table struct {
	fixed map[string]*route // paths without variable parts
	wild  []*route          // the others, those with more fixed parts first
}

var routes = newTable(rules)

func newTable(rules map[string]rule) *table {
	t, all := &table{fixed: map[string]*route{}}, map[string]*route{}
	for operation, rule := range rules {
		method, path, _ := strings.Cut(operation, " ")
		r := all[path]
		if r == nil {
			r = newRoute(path)
			all[path] = r
			if !strings.Contains(path, "{") {
				t.fixed[path] = r
			} else {
				t.wild = append(t.wild, r)
			}
		}
		r.methods[method] = rule
	}
	slices.SortFunc(t.wild, func(x, y *route) int { return y.fixed() - x.fixed() })
	return t
}

func newRoute(path string) *route {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = ""
		}
	}
	return &route{parts, strings.HasSuffix(path, "{tile}"), map[string]rule{}}
}

// fixed returns how many parts are not variable.
func (r *route) fixed() (n int) {
	for _, part := range r.parts {
		if part != "" {
			n++
		}
	}
	return n
}

// match compares the decoded parts of a path. A variable part is not empty, and the last one of a
// tile's path may be several.
func (r *route) match(parts []string) bool {
	n := len(r.parts)
	if len(parts) != n && !(r.tile && len(parts) > n) {
		return false
	}
	return !slices.Contains(parts, "") && slices.EqualFunc(r.parts, parts[:n], func(want, got string) bool {
		return want == "" || want == got
	})
}

// decode returns the decoded parts of a path. The error is that of url.PathUnescape. Dots that
// stand for another path are no part.
func decode(path string) ([]string, error) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, part := range parts {
		if part == "." || part == ".." {
			part = ""
		}
		var err error
		if parts[i], err = url.PathUnescape(part); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// at returns the route of a path, or nil.
func (t *table) at(path string) *route {
	if r := t.fixed[path]; r != nil {
		return r
	}
	parts, err := decode(path)
	if err != nil {
		return nil
	}
	if r := t.fixed["/"+strings.Join(parts, "/")]; r != nil && len(r.parts) == len(parts) {
		return r
	}
	i := slices.IndexFunc(t.wild, func(r *route) bool { return r.match(parts) })
	if i < 0 {
		return nil
	}
	return t.wild[i]
}

// find returns the rule of a request. Without one, status is 404, or 405 with the methods of the
// path.
func (t *table) find(r *http.Request) (found rule, status int, methods []string) {
	at := t.at(r.URL.EscapedPath())
	if at == nil {
		return found, http.StatusNotFound, nil
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	found, ok := at.methods[method]
	if !ok {
		for m := range at.methods {
			if methods = append(methods, m); m == http.MethodGet {
				methods = append(methods, http.MethodHead)
			}
		}
		slices.Sort(methods)
		return found, http.StatusMethodNotAllowed, methods
	}
	return found, http.StatusOK, nil
}
