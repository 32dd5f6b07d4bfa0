package ruleset

import (
	"strings"
)

// ValidLog says whether a name can be a log's.
func ValidLog(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name != "" && len(name) <= 32
}

// ValidPublisher holds the form of SPEC 4.
func ValidPublisher(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != "" && len(s) <= MaxPublisherBytes
}

// IsJSON says whether a datacontenttype (SPEC 3.4), or its absence, stands for JSON text.
func IsJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.Trim(media, " \t"))
	return media == "" || media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
}

// ValidAttribute says whether a name can be that of an attribute (SPEC 3.1).
func ValidAttribute(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && len(name) <= MaxAttributeName
}

// LogOf is the log's name in an origin <host>/<log>/<8 hex>, or "".
func LogOf(origin string) string {
	parts := strings.Split(origin, "/")
	if len(parts) != 3 {
		return ""
	}
	return parts[1]
}
