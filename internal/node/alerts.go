package node

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/settings"
)

// AlertConfig says what alerts are made of, and to whom they go beside ALERTS. The zero value tells
// the built-in types alone.
type AlertConfig struct {
	Off      bool     // no alerts are made
	Rules    string   // rules file; "": none
	Webhooks []string // URLs, beside those of the rules file
	// of those URLs, and of webhooks of the rules file that name none; "": webhook.secret in the
	// data directory, made if there is none
	SecretFile string
}

// read reads the rules file and the secret files that are named. It makes nothing.
func (c AlertConfig) read(p Plugins) (alert.Config, error) {
	var cfg alert.Config
	if c.Off {
		if c.Rules != "" || len(c.Webhooks) > 0 {
			return cfg, fmt.Errorf("%w: alerts are off, but rules or webhooks of alerts are given", settings.ErrInvalid)
		}
		return cfg, nil
	}
	if c.Rules != "" {
		f, err := p.readAlerts(c.Rules)
		if err != nil {
			return cfg, err
		}
		cfg.Rules, cfg.Lag, cfg.Webhooks = f.Rules, f.Lag, f.Webhooks
	}
	for _, url := range c.Webhooks {
		cfg.Webhooks = append(cfg.Webhooks, alert.Webhook{Name: webhookName(url), URL: url})
	}
	for i := range cfg.Webhooks {
		w := &cfg.Webhooks[i]
		if err := w.Check(); err != nil {
			return cfg, fmt.Errorf("%w: webhook %q: %w", settings.ErrInvalid, w.Name, err)
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
			return cfg, fmt.Errorf("%w: webhook %q: %w", settings.ErrInvalid, w.Name, err)
		}
	}
	return cfg, nil
}

// webhookName names a webhook that has no name by its URL: its cursor has the name, and must stay
// its own when others come or go.
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
func fill(hooks []alert.Webhook, dir *datadir.Dir) error {
	for i := range hooks {
		w := &hooks[i]
		if len(w.Secrets) > 0 {
			continue
		}
		if dir == nil {
			return fmt.Errorf("%w: webhook %q: its secret is not given", settings.ErrInvalid, w.Name)
		}
		var err error
		if w.Secrets, err = readSecrets(dir.Join(fileWebhook)); errors.Is(err, fs.ErrNotExist) {
			w.Secrets = []string{alert.NewSecret()}
			err = dir.WriteFile(fileWebhook, []byte(w.Secrets[0]+"\n"), 0o600)
		}
		if err != nil {
			return fmt.Errorf("%w: webhook %q: %w", datadir.ErrKeys, w.Name, err)
		}
	}
	return nil
}
