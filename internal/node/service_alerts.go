package node

import (
	"context"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/vitals"
)

// AlertService sends alerts of what a log holds, on ALERTS and to webhooks. Several may run beside
// each other; each alert is sent once.
type AlertService struct {
	ServiceConfig
	HTTP          string
	Key           string
	Rules         string
	Webhook       []string
	WebhookSecret string
}

// Serve implements Service.
func (s *AlertService) Serve(ctx context.Context) error {
	face, keys, err := s.check(s.HTTP, s.Key)
	if err != nil {
		return err
	}
	cfg, err := AlertConfig{Rules: s.Rules, Webhooks: s.Webhook, SecretFile: s.WebhookSecret}.read(s.Plugins)
	if err != nil {
		return err
	}
	if err := fill(cfg.Webhooks, nil); err != nil {
		return err
	}
	return s.serve(ctx, service{
		name: "alert", face: face, keys: keys, vitals: &vitals.Config{MayRead: true, Remedy: remedyService},
		assemble: func(_ context.Context, p *process, _ *nats.Conn) error { return p.addAlerts(cfg) },
	})
}
