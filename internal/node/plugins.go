package node

import (
	"context"
	"fmt"
	"os"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/pkg/redact"
	"github.com/sealstream/sealstream/pkg/sink"
)

// Plugins are what a program adds to the wiring, so that the wiring does not depend on Prometheus,
// on YAML or on the drivers of databases. The zero value adds nothing.
type Plugins struct {
	// Metrics makes the metrics of one process of a log. Nil measures nothing.
	Metrics func(log string) Metrics
	// Schemes are kinds of sinks besides file, stdout, http, https, nats and tls. One of these
	// names replaces the built-in kind.
	Schemes sink.Schemes
	// ParseAlerts reads a file of alert rules; name is for its errors. Nil refuses such files.
	ParseAlerts func(name string, text []byte) (alert.File, error)
	// ParseRedaction reads a file of redaction rules. Nil refuses such files.
	ParseRedaction func(text []byte) (*redact.Rules, error)
	// ParseAccess reads a file of rules of access; name is for its errors. Nil refuses such files.
	ParseAccess func(name string, text []byte) (*access.Version, error)
	// VerifyJWT checks the JWTs of issuers; see gate.Config. Nil means that no JWT is accepted.
	VerifyJWT func(ctx context.Context, issuers []access.Issuer, jwt string) (access.Credential, error)
}

func (p Plugins) metrics(log string) Metrics {
	if p.Metrics == nil {
		return noMetrics{}
	}
	return p.Metrics(log)
}

// readAlerts reads a file of alert rules.
func (p Plugins) readAlerts(path string) (alert.File, error) {
	if p.ParseAlerts == nil {
		return alert.File{}, fmt.Errorf("%w: this program reads no files of alert rules", settings.ErrInvalid)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return alert.File{}, fmt.Errorf("%w: rules of alerts: %w", settings.ErrInvalid, err)
	}
	f, err := p.ParseAlerts(path, text)
	if err != nil {
		return alert.File{}, fmt.Errorf("%w: rules of alerts:\n%w", settings.ErrInvalid, err)
	}
	return f, nil
}

// ReadRedaction reads a setting of redaction: off, default, or a file of rules. Nil is off.
func (p Plugins) ReadRedaction(value string) (*redact.Rules, error) {
	r, err := p.readRedaction(value)
	return r.created(), err
}

func (p Plugins) readRedaction(value string) (redaction, error) {
	switch value {
	case "":
		return redaction{}, nil
	case "off":
		return redaction{said: true}, nil
	case "default":
		return redaction{true, redact.Default()}, nil
	}
	if p.ParseRedaction == nil {
		return redaction{}, fmt.Errorf("%w: this program reads no files of redaction rules", settings.ErrInvalid)
	}
	text, err := os.ReadFile(value)
	if err != nil {
		return redaction{}, fmt.Errorf("%w: redaction: %w", settings.ErrInvalid, err)
	}
	rules, err := p.ParseRedaction(text)
	if err != nil {
		return redaction{}, fmt.Errorf("%w: %s: %w", settings.ErrInvalid, value, err)
	}
	return redaction{true, rules}, nil
}
