package streams

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/size"
)

// ErrRoom reports that JetStream has less space than a stream reserves. Waiting does not help.
var ErrRoom = errors.New("JetStream has too little room left")

// Codes of JetStream's API for it: of a single server, and of a cluster, where only the text
// distinguishes it from servers that are down.
const (
	codeNoStorage = 10047
	codeNoPeers   = 10005
)

// room turns a refusal for lack of space into an error that names what all of the log's streams
// reserve. It returns other errors as they are.
func (c Config) room(err error) error {
	api, ok := errors.AsType[*jetstream.APIError](err)
	if !ok ||
		api.ErrorCode != codeNoStorage &&
			(api.ErrorCode != codeNoPeers || !strings.Contains(api.Description, "insufficient storage") ||
				strings.Contains(api.Description, "offline")) {
		return err
	}
	list, _ := c.all()
	var sum int64
	var each []string
	for _, s := range list {
		sum += s.MaxBytes
		each = append(each, fmt.Sprintf("%s %s", s.Name, size.Short(s.MaxBytes)))
	}
	return fmt.Errorf(
		"%w: this log's streams reserve %s on each of %d servers (%s), beside those of other logs: make them smaller "+
			"(--events-max-bytes and so on), or allow JetStream more there (max_file_store; admin config --max-store): %w",
		ErrRoom,
		size.Short(sum),
		c.replicas(),
		strings.Join(each, ", "),
		err,
	)
}
