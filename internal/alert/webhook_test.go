package alert

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSign holds the signature to the example that Standard Webhooks gives.
func TestSign(t *testing.T) {
	key, err := parseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := sign([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if two := sign([][]byte{key, []byte("another key of some length")}, "a", "1", nil); len(strings.Fields(two)) != 2 {
		t.Errorf("two secrets give %q", two)
	}
}

func TestSecrets(t *testing.T) {
	a, b := NewSecret(), NewSecret()
	if list, err := ParseSecrets([]byte(a + "\n" + b + "\n")); err != nil || len(list) != 2 || list[0] != a || a == b {
		t.Errorf("%v, %v", list, err)
	}
	short := "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23))
	for _, bad := range []string{"", "\n", "whsec_", "whsec_!!!", short, "hunter2", strings.Repeat(a+" ", 5)} {
		if list, err := ParseSecrets([]byte(bad)); err == nil ||
			bad != "" && strings.Contains(err.Error(), strings.TrimSpace(bad)) && strings.TrimSpace(bad) != "" &&
				bad != "whsec_" {
			t.Errorf("%q: %v, %v", bad, list, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "99999999": maxRetryAfter, "soon": 0, "1.5": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(v, now); got != want {
			t.Errorf("%q: %s, want %s", v, got, want)
		}
	}
}

func TestAskedFor(t *testing.T) {
	for want, err := range map[time.Duration]error{
		time.Minute: fmt.Errorf("x: %w", &refusal{status: 503, after: time.Minute}), 0: errors.New("x"),
	} {
		if got := askedFor(err); got != want {
			t.Errorf("the receiver asked for %s, and gets %s", want, got)
		}
	}
}

// TestWants: a type is named as events have it, or as it stands in subjects.
func TestWants(t *testing.T) {
	a := &Alert{Type: TypeToken("com.example.refund"), Rule: "refunds"}
	for _, c := range []struct {
		hook Webhook
		want bool
	}{
		{Webhook{}, true},
		{Webhook{Types: []string{"com.example.refund"}}, true},
		{Webhook{Types: []string{"x", "com_example_refund"}, Rules: []string{"refunds"}}, true},
		{Webhook{Types: []string{"com.example"}}, false},
		{Webhook{Types: []string{"com.example.refund"}, Rules: []string{"x"}}, false},
	} {
		if got := c.hook.wants(a); got != c.want {
			t.Errorf("%+v: %t", c.hook, got)
		}
	}
}
