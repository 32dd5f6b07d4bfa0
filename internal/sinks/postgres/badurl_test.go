package pgsink_test

import (
	"strings"
	"testing"

	pgsink "github.com/sealstream/sealstream/internal/sinks/postgres"
	"github.com/sealstream/sealstream/pkg/sink"
)

// TestBadURL: the error of a URL that cannot be read shows neither its password nor what is no reason.
func TestBadURL(t *testing.T) {
	_, err := sink.Schemes{"postgres": pgsink.Scheme}.Parse("postgres://app:hidden@db.example.com:99999999/log")
	if err == nil || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "%!") {
		t.Fatal(err)
	}
}
