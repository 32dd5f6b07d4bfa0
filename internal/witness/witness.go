package witness

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/cosign"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Errors of a checkpoint that is not cosigned. Nothing was changed.
var (
	// ErrUnknownLog means that this witness has no log of that origin.
	ErrUnknownLog = errors.New("this witness does not have that log")
	// ErrUnsigned means that no key of the log has signed the checkpoint.
	ErrUnsigned = errors.New("the checkpoint is not signed by the log")
	// ErrOld means that the old size is larger than the checkpoint's.
	ErrOld = errors.New("the old size is more than the checkpoint's")
	// ErrInconsistent means that the proof does not show that the checkpoint continues the one that
	// was cosigned last.
	ErrInconsistent = errors.New("the checkpoint does not continue the one that was cosigned last")
)

// ConflictError reports that the old size is not that of the checkpoint that was cosigned last, or
// that the log has signed another root of that size, which is a fork.
type ConflictError struct {
	Size uint64 // size that was cosigned last
	Fork bool   // whether the log has signed two roots of that size
}

func (e *ConflictError) Error() string {
	if e.Fork {
		return fmt.Sprintf("the log has signed two roots for size %d", e.Size)
	}
	return fmt.Sprintf("size %d was cosigned last", e.Size)
}

// Config configures a Witness.
type Config struct {
	// Cosigner signs. Required.
	Cosigner *cosign.Cosigner
	// Logs are verifier keys of the logs, whose names are the origins. A log may have several.
	Logs []string
	// State is the path of the file that records what was cosigned. Required. A witness that loses it
	// must not go on under the same key.
	State string
	// Guard is called before the state is written. An error means that another witness may have the
	// file open. May be nil.
	Guard func() error
	// Now returns the time. nil means time.Now.
	Now func() time.Time
	// Logger logs refusals and forks. nil discards them.
	Logger *slog.Logger
}

// Witness cosigns the checkpoints of other logs. Several goroutines may use it at a time.
type Witness struct {
	cfg  Config
	keys map[string][]string // by origin

	mu    sync.Mutex // held from the comparison until the new state is on disk
	state state
}

// New reads the state of a witness, or creates it if there is none.
func New(cfg Config) (*Witness, error) {
	if cfg.Cosigner == nil || cfg.State == "" {
		return nil, errors.New("witness: a cosigner and a state file are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	w := &Witness{cfg: cfg, keys: map[string][]string{}}
	for _, k := range cfg.Logs {
		if err := proof.CheckKey(k); err != nil {
			return nil, fmt.Errorf("witness: %w", err)
		}
		w.keys[nameOf(k)] = append(w.keys[nameOf(k)], k)
	}
	var err error
	if w.state, err = openState(cfg.State, cfg.Cosigner.VerifierKey()); err != nil {
		return nil, fmt.Errorf("witness: state: %w", err)
	}
	return w, nil
}

// Add answers an add-checkpoint request and returns the cosignature line. The state is on disk
// before Add returns.
func (w *Witness) Add(body []byte) (line []byte, err error) {
	s, err := ParseSubmission(body)
	if err != nil {
		return nil, err
	}
	named, err := proof.ParseForeignCheckpoint(s.Note)
	if err != nil {
		return nil, err
	}
	keys, ok := w.keys[named.Origin]
	if !ok {
		return nil, fmt.Errorf("%w: %.80q", ErrUnknownLog, named.Origin)
	}
	cp, err := proof.OpenForeignCheckpoint(s.Note, keys...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsigned, err)
	}
	if s.Old > cp.Size {
		return nil, fmt.Errorf("%w: %d, %d", ErrOld, s.Old, cp.Size)
	}
	return w.take(s, cp)
}

// take compares, records and signs, all or nothing. After a crash once the state is written, a
// checkpoint counts as cosigned without having been answered. The log asks again and gets its
// cosignature.
func (w *Witness) take(s Submission, cp proof.Checkpoint) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, known := w.state.Logs[cp.Origin]
	if s.Old != last.Size {
		return nil, &ConflictError{Size: last.Size}
	}
	root := merkle.EmptyRoot
	if known {
		root = entry.Hash(last.Root)
	}
	if known && cp.Size == last.Size && cp.Root != root {
		w.fork(last, cp)
		return nil, &ConflictError{Size: last.Size, Fork: true}
	}
	if err := proof.CheckConsistency(s.Old, cp.Size, root, cp.Root, s.Proof); err != nil {
		w.cfg.Logger.Warn(
			"a checkpoint does not continue the one before",
			"origin",
			cp.Origin,
			"old",
			s.Old,
			"size",
			cp.Size,
			"note",
			string(s.Note),
		)
		return nil, fmt.Errorf("%w: %w", ErrInconsistent, err)
	}
	at := w.cfg.Now().Unix()
	if at < 0 {
		return nil, errors.New("witness: the clock stands before 1970")
	}
	line, err := w.cfg.Cosigner.Cosign(s.Note, uint64(at))
	if err != nil || known && cp.Size == last.Size {
		return line, err // what is on disk says it already
	}
	note, err := logSigned(s.Note)
	if err != nil {
		return nil, err
	}
	if w.cfg.Guard != nil {
		if err := w.cfg.Guard(); err != nil {
			return nil, fmt.Errorf("witness: state: %w", err)
		}
	}
	if err := w.state.put(w.cfg.State, cp, append(note, line...)); err != nil {
		return nil, fmt.Errorf("witness: state: %w", err)
	}
	return line, nil
}

// fork keeps the proof that a log has signed two roots of one size: both notes.
func (w *Witness) fork(last cosigned, cp proof.Checkpoint) {
	w.cfg.Logger.Error(
		"a log has signed two roots for one size",
		"origin",
		cp.Origin,
		"size",
		cp.Size,
		"first",
		last.Note,
		"second",
		string(cp.Note),
	)
	if err := keepEvidence(w.cfg.State+".forks", last.Note, string(cp.Note)); err != nil {
		w.cfg.Logger.Error("the two checkpoints could not be kept", "cause", err)
	}
}

// Newest returns the newest cosigned checkpoint of a log, with the cosignature. ok is false if
// there is none.
func (w *Witness) Newest(origin string) (note []byte, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok := w.state.Logs[origin]
	return []byte(last.Note), ok
}

// Origins returns the origins of the logs that this witness has.
func (w *Witness) Origins() []string {
	list := make([]string, 0, len(w.keys))
	for o := range w.keys {
		list = append(list, o)
	}
	return list
}
