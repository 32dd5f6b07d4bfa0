package streams

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrRoom is that JetStream has not the room that a stream reserves. Waiting does not help.
var ErrRoom = errors.New("JetStream has too little room left")

// Codes of JetStream's API for it: of a server alone, and of a cluster, where only the text tells it from servers that are away.
const (
	codeNoStorage = 10047
	codeNoPeers   = 10005
)

// room makes of a refusal for lack of room an error that says what all of the log's streams ask for. Other errors stay what they are.
func (c Config) room(err error) error {
	api, ok := errors.AsType[*jetstream.APIError](err)
	if !ok || api.ErrorCode != codeNoStorage && (api.ErrorCode != codeNoPeers || !strings.Contains(api.Description, "insufficient storage") || strings.Contains(api.Description, "offline")) {
		return err
	}
	list, _ := c.all()
	var sum int64
	var each []string
	for _, s := range list {
		sum += s.MaxBytes
		each = append(each, fmt.Sprintf("%s %s", s.Name, binary(s.MaxBytes)))
	}
	return fmt.Errorf("%w: this log's streams reserve %s on each of %d servers (%s), beside those of other logs: make them smaller (--events-max-bytes and so on), or allow JetStream more there (max_file_store; admin config --max-store): %w",
		ErrRoom, binary(sum), c.replicas(), strings.Join(each, ", "), err)
}

// binary is a size for people, in the unit that leaves least behind the point.
func binary(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.4g GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}
