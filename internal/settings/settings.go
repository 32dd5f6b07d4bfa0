package settings

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sealstream/sealstream/internal/ruleset"
)

// ErrInvalid reports an invalid or contradictory setting. Nothing was changed.
var ErrInvalid = errors.New("wrong setting")

// CheckNames checks the name of a log, which is part of subjects, keys and paths, and the host,
// with which the log's origin starts. The error wraps ErrInvalid.
func CheckNames(host, log string) error {
	if !ruleset.ValidLog(log) {
		return fmt.Errorf("%w: log %.80q is not 1 to 32 of a-z, 0-9 and -", ErrInvalid, log)
	}
	if host == "" || strings.ContainsAny(host, "+/ \t\r\n") {
		return fmt.Errorf("%w: host %.80q is not valid in an origin", ErrInvalid, host)
	}
	return nil
}
