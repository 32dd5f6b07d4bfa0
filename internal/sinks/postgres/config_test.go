package pgsink

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestPasswordInClear: a password goes to another machine over TLS alone, unless the URL has an
// sslmode that says otherwise.
func TestPasswordInClear(t *testing.T) {
	for _, name := range []string{"PGSSLMODE", "PGPASSWORD", "PGSERVICE"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	for raw, plain := range map[string]bool{
		"postgres://writer:s3cret@db.example.com/log":                 false,
		"postgres://writer:s3cret@10.0.0.1/log":                       false,
		"postgres://writer@db.example.com/log?password=s3cret":        false,
		"postgres://writer:s3cret@localhost,db.example.com/log":       false,
		"postgres://writer:s3cret@db.example.com/log?sslmode=require": false,
		"postgres://writer:s3cret@db.example.com/log?sslmode=disable": true,
		"postgres://writer:s3cret@db.example.com/log?sslmode=prefer":  true,
		"postgres://writer:s3cret@127.0.0.1/log":                      true,
		"postgres://writer:s3cret@localhost/log":                      true,
		"postgres://writer:s3cret@/log?host=/run/postgresql":          true,
		"postgres://writer@db.example.com/log":                        true,
	} {
		for _, c := range []Config{{URL: raw}, {URL: "postgres://writer@localhost/log", Owner: raw}} {
			own, owner, _, err := c.parse()
			if err != nil {
				t.Errorf("%s: %v", raw, err)
				continue
			}
			if owner != nil {
				own = owner
			}
			clear := own.ConnConfig.TLSConfig == nil
			for _, f := range own.ConnConfig.Fallbacks {
				clear = clear || f.TLSConfig == nil
			}
			if clear != plain {
				t.Errorf("%s: without TLS: %v", raw, clear)
			}
		}
	}
}

// TestURLErrors hold no password.
func TestURLErrors(t *testing.T) {
	for _, raw := range []string{
		"postgres://writer:s3cret@host/log?sslmode=maybe", "postgres://writer@host/log?password=s3cret&sslmode=maybe", "postgres://writer:s3/s3cret@host/log",
		"postgres://writer:s3cret@host:port/log", "postgres://writer@host/log?password=s3cret&connect_timeout=x", "s3cret",
		"postgres://writer@host/log?password=s3cret&pool_max_conns=x",
	} {
		for _, c := range []Config{{URL: raw}, {URL: "postgres://writer@localhost/log", Owner: raw}} {
			if _, _, _, err := c.parse(); err == nil || strings.Contains(fmt.Sprint(err), "s3cret") {
				t.Errorf("%s: %v", raw, err)
			}
		}
	}
}
