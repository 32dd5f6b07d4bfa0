package client

import (
	"fmt"
	"strings"
	"testing"
)

// TestPasswordInClear: a password in the server's URL goes to another machine over https alone, and
// stands in no error.
func TestPasswordInClear(t *testing.T) {
	for url, ok := range map[string]bool{
		"http://user:s3cret@127.0.0.1:8420":     true,
		"http://user:s3cret@localhost":          true,
		"http://user:s3cret@[::1]:8420":         true,
		"https://user:s3cret@log.example.com":   true,
		"http://log.example.com":                true,
		"http://user:s3cret@log.example.com":    false,
		"http://user:s3cret@127.0.0.1.nip.io":   false,
		"http://user:a/s3cret@log.example.com":  false,
		"http://user:s3cret@log.example.com:no": false,
		"user:s3cret@log.example.com":           false,
	} {
		for _, cfg := range []Config{{Server: url}, {Ingest: url}} {
			c, err := New(cfg)
			if c != nil {
				c.Close(t.Context())
			}
			if (err == nil) != ok || strings.Contains(fmt.Sprint(err), "s3cret") {
				t.Errorf("%+v: %v", cfg, err)
			}
		}
	}
	c, err := New(Config{Server: "http://user:s3cret@log.example.com", AllowHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	c.Close(t.Context())
}
