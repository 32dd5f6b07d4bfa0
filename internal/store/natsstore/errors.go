package natsstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sealstream/sealstream/internal/store"
)

// Error codes of the JetStream API that mean something here.
const (
	codeWrongLast       = 10071 // wrong last sequence
	codeWrongLastR      = 10164 // the same on a replicated stream
	codeStoreFailed     = 10077 // refused by a limit of the stream, among others
	codeAccountLimit    = 10002 // resource limits exceeded for account
	codeNoResources     = 10023 // insufficient resources
	codeNoStorage       = 10047 // insufficient storage resources
	codeNoMessage       = 10037
	codeNoMessageDelete = 10043
	codeNoBatches       = 10174 // atomic publish is disabled
	codeDeleteFailed    = 10057 // why is in the text
)

// apiFailure is the error in an answer of the JetStream API.
type apiFailure struct {
	Status      int    `json:"code"` // as in HTTP
	Code        int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiFailure) Error() string {
	return fmt.Sprintf("JetStream error %d: %s", e.Code, e.Description)
}

// Unwrap returns the error of the contract that this one stands for, if any.
func (e *apiFailure) Unwrap() error {
	switch e.Code {
	case codeWrongLast, codeWrongLastR:
		return store.ErrConflict
	case codeNoMessage, codeNoMessageDelete:
		return store.ErrNotFound
	case codeDeleteFailed:
		if e.Description == "no message found" || e.Description == "stream store EOF" {
			return store.ErrNotFound
		}
	case codeStoreFailed:
		if strings.HasPrefix(e.Description, "maximum ") { // "bytes exceeded", "messages exceeded"
			return store.ErrFull
		}
	case codeNoBatches:
		return errors.ErrUnsupported
	case codeAccountLimit, codeNoResources, codeNoStorage:
		return store.ErrFull
	}
	return nil
}

var (
	errDuplicate    = errors.New("JetStream took the message for a repeat and did not store it")
	errNotConnected = errors.New("not connected to NATS; nothing was sent")
	// if there was one, it went to a connection that is no more
	errDisconnected = errors.New("disconnected before the answer")
)
