package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestPasswordInClear: no verb sends a password of --server over http to another machine, and none prints it. To
// 0.0.0.0 connects this machine, and it is no loopback address.
func TestPasswordInClear(t *testing.T) {
	var asked, sent atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "" {
			sent.Add(1)
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer web.Close()
	_, port, err := net.SplitHostPort(web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	verbs := [][]string{
		{"query"}, {"get", "0"}, {"checkpoint"}, {"tail"}, {"log", "t"}, {"alerts"}, {"alerts", "--redeliver"},
		{"doctor"}, {"export"}, {"prove", "0"}, {"report"},
	}
	try := func(server string) {
		for _, verb := range verbs {
			var out, errs bytes.Buffer
			args := append([]string{"--server", server}, verb...)
			if status := run(context.Background(), args, strings.NewReader(""), &out, &errs); status == 0 &&
				verb[0] != "doctor" {
				t.Errorf("%s %v: exit 0: %s", server, verb, out.String())
			}
			if text := out.String() + errs.String(); strings.Contains(text, "s3cret") {
				t.Errorf("%s %v: %s", server, verb, text)
			}
		}
	}
	try("http://user:s3cret@0.0.0.0:" + port)
	if asked.Load() > 0 {
		t.Fatalf("%d requests, %d with the password", asked.Load(), sent.Load())
	}
	try("http://user:s3cret@127.0.0.1:" + port)
	if sent.Load() == 0 {
		t.Fatal("the loopback did not get it")
	}
	try("http://user:s3cret@127.0.0.1:1")
	try("http://user:a/s3cret@127.0.0.1:1")
	try("http://user:s3cret@127.0.0.1:no")
}
