package alert

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/outward"
)

// Webhook is a receiver of alerts. They are POSTed to it one at a time, in the order of ALERTS, as
// structured CloudEvents, signed by the rules of Standard Webhooks. It gets the alerts that are
// published after it was first configured, except alerts about what happened more than an hour
// before that.
//
// A status of 2xx means that the alert is delivered. Any other result is retried, with growing
// pauses, until the alert is as old as GiveUp. Then it becomes a dead letter. Redirects are not
// followed and count as failures. Only 400, 413 and 422 concern the alert itself: the fifth such
// answer makes it a dead letter at once, so that it does not hold up the alerts after it.
type Webhook struct {
	Name       string
	URL        string // https, or http on the loopback
	SecretFile string // path from which the caller reads Secrets; not read by this package
	Secrets    []string
	Types      []string      // event types or alert types to send; empty means all
	Rules      []string      // rules to send; empty means all
	Timeout    time.Duration // timeout of one attempt; 0 means 10 s
	// BackOff is the pause after the first failure. It doubles after each further one, less a
	// random part of up to half. 0 means 1 s.
	BackOff    time.Duration
	MaxBackOff time.Duration // longest pause; 0 means 5 min
	// age at which an undelivered alert becomes a dead letter; 0 means 24 h
	GiveUp time.Duration
	// allows http beyond the loopback, where everyone on the path can read the alerts
	AllowHTTP bool
}

const (
	secretPrefix  = "whsec_"
	maxBody       = 64 << 10  // read at most this much of an answer
	maxRetryAfter = time.Hour // longest pause that a receiver may ask for
	maxRejections = 5         // rejections of one alert after which it becomes a dead letter
)

// NewSecret makes a webhook secret.
func NewSecret() string {
	var b [32]byte
	rand.Read(b[:])
	return secretPrefix + base64.StdEncoding.EncodeToString(b[:])
}

func parseSecret(s string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, secretPrefix))
	if err != nil || len(key) < 24 || len(key) > 64 {
		// the error does not show the secret
		return nil, fmt.Errorf("a webhook secret is %s and the base64 of 24 to 64 bytes", secretPrefix)
	}
	return key, nil
}

// ParseSecrets reads a secret file: one secret a line. While a secret is rotated there are two, and
// each request carries a signature by each.
func ParseSecrets(text []byte) ([]string, error) {
	list := strings.Fields(string(text))
	if len(list) == 0 || len(list) > 4 {
		return nil, fmt.Errorf("%d webhook secrets; 1 to 4 are allowed", len(list))
	}
	for _, s := range list {
		if _, err := parseSecret(s); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Check checks everything but the secrets.
func (w *Webhook) Check() error {
	if err := CheckName(w.Name); err != nil {
		return err
	}
	u, err := url.Parse(w.URL)
	switch {
	case err != nil:
		// the original error quotes parts of it, which may be secret
		return errors.New("url: malformed")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return errors.New("url: must be https://HOST/…")
	case u.User != nil:
		return errors.New("url: must not have a user or password; the signature identifies the sender")
	case u.Scheme == "http" && !w.AllowHTTP && !outward.IsLoopback(u.Hostname()):
		return errors.New("url: http is allowed only on the loopback, since everyone on the path could read the alerts " +
			"(allow_http)")
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"timeout", w.Timeout}, {"back_off", w.BackOff}, {"max_back_off", w.MaxBackOff}, {"give_up", w.GiveUp}} {
		if d.value < 0 || d.value > maxDuration {
			return fmt.Errorf("%s: %s is not 0 to %s", d.name, d.value, maxDuration)
		}
	}
	return nil
}

// place returns the URL without the parts that may be secret.
func (w *Webhook) place() string {
	u, err := url.Parse(w.URL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// wants reports whether an alert is for this receiver.
func (w *Webhook) wants(a *Alert) bool {
	return a.isOf(w.Types) && (len(w.Rules) == 0 || slices.Contains(w.Rules, a.Rule))
}

// sender sends the requests of one webhook.
type sender struct {
	Webhook
	keys   [][]byte
	client *http.Client
}

func newSender(w Webhook) (*sender, error) {
	if err := w.Check(); err != nil {
		return nil, fmt.Errorf("webhook %q: %w", w.Name, err)
	}
	if len(w.Secrets) == 0 {
		return nil, fmt.Errorf("webhook %q: a secret is required", w.Name)
	}
	w.Timeout, w.BackOff = cmp.Or(w.Timeout, 10*time.Second), cmp.Or(w.BackOff, time.Second)
	w.MaxBackOff, w.GiveUp = max(cmp.Or(w.MaxBackOff, 5*time.Minute), w.BackOff), cmp.Or(w.GiveUp, 24*time.Hour)
	s := &sender{Webhook: w}
	for _, secret := range w.Secrets {
		key, err := parseSecret(secret)
		if err != nil {
			return nil, fmt.Errorf("webhook %q: %w", w.Name, err)
		}
		s.keys = append(s.keys, key)
	}
	s.client = &http.Client{
		Timeout: w.Timeout,
		// The signature is only for the configured receiver, not for one that it redirects to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: w.Timeout}).DialContext,
			TLSHandshakeTimeout: w.Timeout, ForceAttemptHTTP2: true,
			MaxResponseHeaderBytes: maxBody, MaxIdleConnsPerHost: 1, IdleConnTimeout: 90 * time.Second,
		},
	}
	return s, nil
}

// sign returns the header webhook-signature: a signature by each secret.
func sign(keys [][]byte, id, timestamp string, body []byte) string {
	list := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.", id, timestamp)
		mac.Write(body)
		list[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(list, " ")
}

// refusal is an answer that is not 2xx.
type refusal struct {
	status int
	text   string
	after  time.Duration // pause that the receiver asks for
}

func (r *refusal) Error() string {
	text := strconv.Itoa(r.status) + " " + http.StatusText(r.status)
	if r.status/100 == 3 {
		text += " (redirects are not followed)"
	}
	if r.text != "" {
		text += ": " + strconv.Quote(r.text)
	}
	return text
}

// final reports whether the answer concerns the content of this alert, so that a retry would hardly
// help. All others, redirects and 401, 404, 405, 410 and 415 among them, concern the receiver or
// its address, which its operator can fix within GiveUp.
func (r *refusal) final() bool {
	switch r.status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// attempt sends one alert once. Nil means that it is delivered.
func (s *sender) attempt(ctx context.Context, id string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "sealstream")
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", timestamp)
	req.Header.Set("webhook-signature", sign(s.keys, id, timestamp, body))
	resp, err := s.client.Do(req)
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err // without the URL, whose path may be a secret
	} else if err != nil {
		return err
	}
	defer resp.Body.Close()
	// read it, so that the connection can be reused
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if resp.StatusCode/100 == 2 {
		return nil
	}
	return &refusal{
		resp.StatusCode,
		outward.Hide(string(text[:min(len(text), 200)]), s.URL),
		retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
}

// retryAfter reads seconds or a date. Anything else is 0.
func retryAfter(v string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		d = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

// askedFor returns the pause that a receiver has asked for, or 0.
func askedFor(err error) time.Duration {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.after
	}
	return 0
}
