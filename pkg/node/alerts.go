package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/pkg/alert"
	"github.com/sealstream/sealstream/pkg/archive"
	"github.com/sealstream/sealstream/streams"
)

// AlertConfig says what alerts are made of, and to whom they go beside ALERTS. The zero value tells the built-in types alone.
type AlertConfig struct {
	Off        bool     // no alerts are made
	Rules      string   // rules file; "": none
	Webhooks   []string // URLs, beside those of the rules file
	SecretFile string   // of those URLs, and of webhooks of the rules file that name none; "": webhook.secret in the data directory, made if there is none
}

// read reads the rules file and the secret files that are named. It makes nothing.
func (c AlertConfig) read() (alert.Config, error) {
	var cfg alert.Config
	if c.Off {
		if c.Rules != "" || len(c.Webhooks) > 0 {
			return cfg, fmt.Errorf("%w: alerts are off, but rules or webhooks of alerts are given", ErrWrong)
		}
		return cfg, nil
	}
	if c.Rules != "" {
		text, err := os.ReadFile(c.Rules)
		if err != nil {
			return cfg, fmt.Errorf("%w: rules of alerts: %w", ErrWrong, err)
		}
		f, err := alert.ParseFile(c.Rules, text)
		if err != nil {
			return cfg, fmt.Errorf("%w: rules of alerts:\n%w", ErrWrong, err)
		}
		cfg.Rules, cfg.Lag, cfg.Webhooks = f.Rules, f.Lag, f.Webhooks
	}
	for _, url := range c.Webhooks {
		cfg.Webhooks = append(cfg.Webhooks, alert.Webhook{Name: webhookName(url), URL: url})
	}
	for i := range cfg.Webhooks {
		w := &cfg.Webhooks[i]
		if err := w.Check(); err != nil {
			return cfg, fmt.Errorf("%w: webhook %q: %w", ErrWrong, w.Name, err)
		}
		path := w.SecretFile
		if path == "" {
			path = c.SecretFile
		} else if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(c.Rules), path) // a rules file can be moved together with its secrets
		}
		if path == "" {
			continue
		}
		var err error
		if w.Secrets, err = readSecrets(path); err != nil {
			return cfg, fmt.Errorf("%w: webhook %q: %w", ErrWrong, w.Name, err)
		}
	}
	return cfg, nil
}

// webhookName names a webhook that has no name by its URL: its cursor has the name, and must stay its own when others come or go.
func webhookName(url string) string {
	sum := sha256.Sum256([]byte(url))
	return "webhook-" + hex.EncodeToString(sum[:4])
}

// fileWebhook is the secret of webhooks that name no other, in a data directory.
const fileWebhook = "webhook.secret"

func readSecrets(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, err := alert.ParseSecrets(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

// fill gives webhooks without a secret that of the data directory, which is made if there is none.
func fill(hooks []alert.Webhook, dir *Dir) error {
	for i := range hooks {
		w := &hooks[i]
		if len(w.Secrets) > 0 {
			continue
		}
		if dir == nil {
			return fmt.Errorf("%w: webhook %q: its secret is not given", ErrWrong, w.Name)
		}
		var err error
		if w.Secrets, err = readSecrets(dir.Join(fileWebhook)); errors.Is(err, fs.ErrNotExist) {
			w.Secrets = []string{alert.NewSecret()}
			err = dir.WriteFile(fileWebhook, []byte(w.Secrets[0]+"\n"), 0o600)
		}
		if err != nil {
			return fmt.Errorf("%w: webhook %q: %w", ErrKeys, w.Name, err)
		}
	}
	return nil
}

// AlertService tells of what a log holds, on ALERTS and to webhooks. Several may run beside each other; each alert is told once.
type AlertService struct {
	ServiceFlags
	HTTP          string   `help:"Where it listens." default:"127.0.0.1:8430" env:"SEALSTREAM_HTTP" placeholder:"ADDR"`
	Key           string   `help:"File with the log's public key." default:"log.pub" type:"path" placeholder:"FILE"`
	Rules         string   `help:"Rules file (YAML)." type:"path" env:"SEALSTREAM_ALERT_RULES" placeholder:"FILE"`
	Webhook       []string `help:"Where alerts are sent, beside the webhooks of the rules file." sep:"none" placeholder:"URL"`
	WebhookSecret string   `help:"File with the secret that webhooks are signed with." type:"path" placeholder:"FILE"`
}

// Serve implements Service.
func (s *AlertService) Serve(ctx context.Context) error {
	keys, err := s.check(s.HTTP, s.Key)
	if err != nil {
		return err
	}
	cfg, err := AlertConfig{Rules: s.Rules, Webhooks: s.Webhook, SecretFile: s.WebhookSecret}.read()
	if err != nil {
		return err
	}
	if err := fill(cfg.Webhooks, nil); err != nil {
		return err
	}
	logger := s.logger()
	return s.serve(ctx, "alert", s.HTTP, func(nc *nats.Conn, g, _ *group) (http.Handler, error) {
		l, err := awaitLog(ctx, nc, streams.Config{Log: s.Log, Replicas: s.Replicas}, logger)
		if err != nil {
			return nil, err
		}
		cfg.Log, cfg.Keys, cfg.Logger = archive.Through(l), keys, logger
		a, err := alert.New(cfg)
		if err != nil {
			return nil, err
		}
		g.run("alert", a.Run)
		context.AfterFunc(ctx, a.EndStreams) // else the server would wait for them
		m := newMetrics(s.Log)
		m.watchFollowers(func() []follower { return []follower{alertFollower(a)} }, sealedSize(l, func() uint64 { return a.Status().Next }))
		m.watchAlerts(a)
		return m.instrument(alertHandler(a)), nil
	})
}

// alertHandler serves an alerter alone, with the two paths that tell how it fares.
func alertHandler(a *alert.Alerter) http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range a.Routes() {
		mux.Handle(pattern, h)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, "application/json", map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		st := a.Status()
		if st.Err == "" && st.CaughtUp {
			answer(w, http.StatusOK, "application/json", map[string]any{"status": "ready", "tree_size": st.Next})
			return
		}
		if st.Err == "" {
			st.Err = errReading.Error()
		}
		code := http.StatusServiceUnavailable
		answer(w, code, "application/problem+json", map[string]any{"type": "about:blank", "title": http.StatusText(code), "status": code, "detail": st.Err})
	})
	return mux
}
