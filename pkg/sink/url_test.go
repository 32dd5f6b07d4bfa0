package sink_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/pkg/sink"
)

// schemes has one kind, which says what it was given.
func schemes(got *string) sink.Schemes {
	return sink.Schemes{"x": func(u *url.URL, p *sink.Params) (sink.Open, error) {
		*got = fmt.Sprintf("%d %v %d %s %s", p.Size("size", 7), p.Duration("age", time.Hour), p.Count("n", 3),
			p.OneOf("sync", "a", "b"), p.Text("t", "none"))
		if u.Host == "bad" {
			return nil, errors.New("bad host")
		}
		return nil, nil
	}}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ url, name, shown, want string }{
		{"x:///a/b", "x", "x:///a/b", "7 1h0m0s 3 a none"},
		{"x:///a/b?size=1.5KiB&age=90s&n=1&sync=b&t=%20", "x", "x:///a/b", "1536 1m30s 1 b  "},
		{"x://user:secret@host:1/a?name=mine&size=2MB&age=0s", "mine", "x://user:xxxxx@host:1/a", "2000000 0s 3 a none"},
		{"x:?size=12", "x", "x:", "12 1h0m0s 3 a none"},
	} {
		var got string
		s, err := schemes(&got).Parse(c.url)
		if err != nil || s.URL != c.shown || got != c.want || !strings.HasPrefix(s.Name, c.name) {
			t.Errorf("%s: %+v, %q, %v", c.url, s, got, err)
		}
	}
	a, _ := schemes(new(string)).Parse("x:///a?n=1")
	b, _ := schemes(new(string)).Parse("x:///a?n=2")
	d, _ := schemes(new(string)).Parse("x:///b")
	if a.Name != b.Name || a.Name == d.Name {
		t.Errorf("names %q, %q, %q: they shall depend on the place alone", a.Name, b.Name, d.Name)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ url, why string }{
		{"y:///a", "unknown kind of sink; the known kinds are x"}, {"/a", "unknown kind"}, {"x:///a?nope=1&mis=2", "no such parameter: mis, nope"},
		{"x:///a?n=1&n=2", "more than once"}, {"x:///a?n=0", "not a whole number"}, {"x:///a?n=x", "not a whole number"}, {"x:///a?size=5XB", "no size"}, {"x:///a?size=-1", "no size"},
		{"x:///a?size=NaN", "no size"}, {"x:///a?size=1e30", "no size"},
		{"x:///a?age=5", "not a duration"}, {"x:///a?age=-5s", "not a duration"}, {"x:///a?sync=c", "not one of a, b"}, {"x:///a?name=A", "is not 1 to 32"},
		{"x:///a?name=", "is not 1 to 32"}, {"x://bad/", "bad host"}, {"x:///a?%zz", "malformed"}, {"x://user:secret@host:port/", "not valid"},
	} {
		_, err := schemes(new(string)).Parse(c.url)
		if !errors.Is(err, sink.ErrURL) || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v", c.url, err)
		}
		if strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%s: the error tells a password: %v", c.url, err)
		}
	}
}

// TestShown: what people see of a URL holds no secret, wherever it stands in it.
func TestShown(t *testing.T) {
	opens := func(*url.URL, *sink.Params) (sink.Open, error) { return nil, nil }
	all := sink.Schemes{"http": opens, "https": opens, "nats": opens, "tls": opens, "postgres": opens}
	for raw, want := range map[string]string{
		"https://hooks.example.com/services/T0/s3cret":  "https://hooks.example.com/…",
		"https://s3cret@host/":                          "https://host/",
		"https://user:s3cret@host/in":                   "https://host/…",
		"https://host?key=s3cret":                       "https://host",
		"nats://s3cret@host:4222/copy":                  "nats://host:4222/copy",
		"tls://user:s3cret@host:4222/copy":              "tls://host:4222/copy",
		"postgres://writer:s3cret@host/db?owner=s3cret": "postgres://writer:xxxxx@host/db",
		"postgres://writer@host/db?password=s3cret":     "postgres://writer@host/db",
		"https://user:a/s3cret@host/":                   "",
		"postgres://user:a/s3cret@host/db":              "",
		"postgres://user:s3cret%zz@host/db":             "",
		"nats://user:s3cret[@host/copy":                 "",
		"slack:s3cret":                                  "",
		"https:s3cret":                                  "https:",
	} {
		s, err := all.Parse(raw)
		if text := fmt.Sprint(s.URL, s.Name, err); strings.Contains(text, "s3cret") ||
			want != "" && err == nil && s.URL != want {
			t.Errorf("%s: %s", raw, text)
		}
	}
}
