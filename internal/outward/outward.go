// Package outward keeps the secrets in URLs off unencrypted connections, and out of logs and
// errors.
package outward

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// IsLoopback reports whether a host name or address is this machine's own.
func IsLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// InClear reports whether a request to u would send u's user name and password, or a token,
// unencrypted to another machine.
func InClear(u *url.URL, token string) bool {
	return (u.User != nil || token != "") && u.Scheme == "http" && !IsLoopback(u.Hostname())
}

// Hide replaces parts of a request that a receiver may repeat in its answer: the path and
// parameters of the URL, and further secrets.
func Hide(text, raw string, secrets ...string) string {
	hidden := slices.Clone(secrets)
	if u, err := url.Parse(raw); err == nil {
		hidden = append(hidden, u.RequestURI(), u.RawQuery, u.Path, u.EscapedPath())
		for _, part := range strings.Split(u.Path, "/") {
			if len(part) >= 8 { // shorter ones are words, such as "services"
				hidden = append(hidden, part)
			}
		}
		for _, values := range u.Query() {
			hidden = append(hidden, values...)
		}
		if password, ok := u.User.Password(); ok {
			hidden = append(hidden, password)
		}
	}
	slices.SortFunc(hidden, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, s := range hidden {
		if len(s) >= 4 {
			text = strings.ReplaceAll(text, s, "…")
		}
	}
	return text
}
