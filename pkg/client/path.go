package client

import (
	"net/url"
	"strings"
)

// PathSegment escapes a text for use as one segment of a URL's path. It also escapes "." and "..",
// which would otherwise change the path.
func PathSegment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}
