package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// post is what an agent does that knows nothing but HTTP.
func (l Log) post(ctx context.Context, _ entry.Event, raw []byte) error {
	status, err := l.request(ctx, http.MethodPost, "/v1/events", "application/cloudevents+json", raw)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("POST /v1/events: status %d", status)
	}
	return err
}

func (l Log) request(ctx context.Context, method, path, contentType string, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://log"+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := l.HTTP.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// Publish is what an agent does that knows nothing but NATS: publish, and take JetStream's
// acknowledgement.
func Publish(ctx context.Context, nc *nats.Conn, log string, ev entry.Event, raw []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ack, err := nc.RequestWithContext(ctx, subject.Events(log, subject.AgentToken(ev.Source)), raw)
	if err == nil && !bytes.Contains(ack.Data, []byte(`"seq"`)) {
		err = fmt.Errorf("NATS did not store the event: %s", ack.Data)
	}
	return err
}
