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
	"math"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Webhook is a receiver of alerts: they are POSTed to it one at a time, in the order of ALERTS, as CloudEvents in structured mode, signed as
// Standard Webhooks asks for. It begins with the alerts that are told after it was first configured, and gets none of what happened more than an hour before
// that.
type Webhook struct {
	Name       string
	URL        string // https, or http to the loopback
	SecretFile string // where the caller reads Secrets from; nothing here does
	Secrets    []string
	Types      []string      // event types or alert types to send; none: all
	Rules      []string      // rules to send; none: all
	Timeout    time.Duration // of one attempt; 0: 10 s
	BackOff    time.Duration // wait after the first failure, doubled after each further one, less a random part of up to half; 0: 1 s
	MaxBackOff time.Duration // 0: 5 min
	GiveUp     time.Duration // age at which an alert whose delivery fails becomes a dead letter; 0: 24 h
	AllowHTTP  bool          // http beyond the loopback, where everyone on the way reads the alerts
}

const (
	secretPrefix  = "whsec_"
	maxBody       = 64 << 10  // of an answer; what is beyond is not read
	maxRetryAfter = time.Hour // that a receiver may ask for
	maxRejections = 5         // answers that say that it will never take the alert, after which it is believed
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
		return nil, fmt.Errorf("a webhook secret is %s and the base64 of 24 to 64 bytes", secretPrefix) // and is not shown
	}
	return key, nil
}

// ParseSecrets reads a secret file: one secret a line. While a secret is changed there are two, and each request carries a signature by each.
func ParseSecrets(text []byte) ([]string, error) {
	list := strings.Fields(string(text))
	if len(list) == 0 || len(list) > 4 {
		return nil, fmt.Errorf("%d webhook secrets; 1 to 4 are possible", len(list))
	}
	for _, s := range list {
		if _, err := parseSecret(s); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Check looks at all but the secrets.
func (w *Webhook) Check() error {
	if err := checkName(w.Name); err != nil {
		return err
	}
	u, err := url.Parse(w.URL)
	switch {
	case err != nil:
		return fmt.Errorf("url: %w", errors.Unwrap(err))
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return errors.New("url: https://HOST/… is wanted")
	case u.User != nil:
		return errors.New("url: no user and password; the signature says who sends")
	case u.Scheme == "http" && !w.AllowHTTP && !isLoopback(u.Hostname()):
		return errors.New("url: http is for the loopback alone; everyone on the way would read the alerts (allow_http)")
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

// place is the URL without what may be secret in it.
func (w *Webhook) place() string {
	u, err := url.Parse(w.URL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// wants says whether an alert is for this receiver.
func (w *Webhook) wants(a *Alert) bool {
	return a.isOf(w.Types) && (len(w.Rules) == 0 || slices.Contains(w.Rules, a.Rule))
}

// sender makes the requests of one webhook.
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
		// The signature is for the receiver that was configured, and for nobody whom it names.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: w.Timeout}).DialContext, TLSHandshakeTimeout: w.Timeout, ForceAttemptHTTP2: true,
			MaxResponseHeaderBytes: maxBody, MaxIdleConnsPerHost: 1, IdleConnTimeout: 90 * time.Second,
		},
	}
	return s, nil
}

// sign is the header webhook-signature: a signature by each secret.
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

// refusal is an answer that is no yes.
type refusal struct {
	status int
	text   string
	after  time.Duration // that the receiver asks for
}

func (r *refusal) Error() string {
	text := strconv.Itoa(r.status) + " " + http.StatusText(r.status)
	if r.text != "" {
		text += ": " + strconv.Quote(r.text)
	}
	return text
}

// final: the answer is about this alert, and another attempt would hardly change it. What a receiver says while it is set up or overloaded is not.
func (r *refusal) final() bool {
	switch r.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusLocked,
		http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return r.status < 500
}

// attempt sends one alert once; nil means that the receiver has it.
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
		return u.Err // without the URL, whose path may be what the receiver knows its callers by
	} else if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxBody)) // read so that the connection can be used again
	if resp.StatusCode/100 == 2 {
		return nil
	}
	return &refusal{resp.StatusCode, string(text[:min(len(text), 200)]), retryAfter(resp.Header.Get("Retry-After"), time.Now())}
}

// retryAfter reads seconds or a date; what is neither is 0.
func retryAfter(v string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		d = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

// pause is the wait after a number of failures in a row: half of it fixed, half random, so that receivers of many logs are not hit at once.
func (s *sender) pause(failures int, err error) time.Duration {
	d := s.MaxBackOff
	if f := float64(s.BackOff) * math.Pow(2, float64(failures-1)); f < float64(d) {
		d = time.Duration(f)
	}
	d = d/2 + mathrand.N(d/2+1)
	if r, ok := errors.AsType[*refusal](err); ok {
		d = max(d, r.after)
	}
	return d
}
