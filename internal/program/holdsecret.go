package program

import (
	"net/url"
	"slices"
	"strings"
)

// holdsSecret tells whether a setting is a URL, or several, with something in it that may be
// secret: a user or password, or of a web address its path and parameters. What cannot be read may
// hold one.
func holdsSecret(value any) bool {
	list, _ := value.([]string)
	if s, ok := value.(string); ok {
		list = strings.Split(s, ",")
	}
	return slices.ContainsFunc(list, func(s string) bool {
		s = strings.TrimSpace(s)
		if !strings.Contains(s, "://") { // no URL, or a NATS server without its scheme
			return strings.Contains(s, "@") && !strings.HasPrefix(s, "file:")
		}
		u, err := url.Parse(s)
		if err != nil {
			return true
		}
		switch u.Scheme {
		case "http", "https":
			return u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || strings.Trim(u.Path, "/") != ""
		case "postgres", "postgresql":
			_, password := u.User.Password()
			return password || slices.ContainsFunc([]string{"password", "sslpassword", "owner"}, u.Query().Has)
		}
		return u.User != nil
	})
}
