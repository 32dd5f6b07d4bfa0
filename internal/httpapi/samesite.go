package httpapi

import (
	"net/http"
	"net/url"
	"strings"
)

// sameSite refuses reads by pages of another origin through a visitor's browser. Such a page cannot
// see the answer, but could occupy the places of exports and cause audits without end. A link that
// a person follows is allowed, unless it leads to such work. Programs other than browsers do not
// send these headers. http.CrossOriginProtection handles writes.
func sameSite(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (r.Method == http.MethodGet || r.Method == http.MethodHead) && crossSite(r) && (!isLink(r) || isWork(r.URL.Path)) {
			Refuse(w, http.StatusForbidden, "a page of another origin reads nothing here")
			return
		}
		h.ServeHTTP(w, r)
	})
}

// crossSite reports whether a browser states that a page of another origin makes the request.
func crossSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site": // same-site includes other ports of this machine
		return true
	case "":
		origin := r.Header.Get("Origin") // for browsers without Sec-Fetch-Site
		if origin == "" {
			return false
		}
		u, err := url.Parse(origin)
		return err != nil || u.Host != r.Host
	}
	return false
}

func isLink(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// isWork reports whether a path reads much of the log for one answer, or occupies a place.
func isWork(path string) bool {
	return path == "/v1/export" || strings.HasSuffix(path, "/verify") || strings.HasSuffix(path, "/stream")
}
