package witness

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Why a checkpoint is not cosigned. Nothing was changed.
var (
	// ErrUnknownLog: the origin is of none of the logs that this witness has.
	ErrUnknownLog = errors.New("this witness does not have that log")
	// ErrUnsigned: no key of the log has signed the checkpoint.
	ErrUnsigned = errors.New("the checkpoint is not signed by the log")
	// ErrOld: the old size is more than that of the checkpoint.
	ErrOld = errors.New("the old size is more than the checkpoint's")
	// ErrInconsistent: the proof does not show that the checkpoint continues the one that was cosigned last.
	ErrInconsistent = errors.New("the checkpoint does not continue the one that was cosigned last")
)

// ConflictError: the old size is not that of the checkpoint that was cosigned last, or the log has signed another root of that size, which is
// a fork.
type ConflictError struct {
	Size uint64 // that was cosigned last
	Fork bool
}

func (e *ConflictError) Error() string {
	if e.Fork {
		return fmt.Sprintf("the log has signed two roots for size %d", e.Size)
	}
	return fmt.Sprintf("size %d was cosigned last", e.Size)
}

// Config is all that a witness needs to know.
type Config struct {
	Cosigner *proof.Cosigner
	Logs     []string         // verifier keys of the logs; their names are the origins. A log may have several
	State    string           // file that remembers what was cosigned; a witness that loses it must not go on under the same key
	Now      func() time.Time // nil: time.Now
	Logger   *slog.Logger     // nil: silent
}

// Witness cosigns the checkpoints of other logs. Its methods may be called by many goroutines.
type Witness struct {
	cfg  Config
	keys map[string][]string // by origin

	mu    sync.Mutex // held from the comparison until the new state is on disk
	state state
}

// New reads the state, and makes it if there is none.
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

// Add takes an add-checkpoint request, and returns the cosignature line. What is cosigned is on disk before.
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

// take compares, remembers and signs, all or nothing. A crash after the state is written leaves a checkpoint that counts as cosigned and was not
// answered for: the log asks again, and gets its cosignature.
func (w *Witness) take(s Submission, cp proof.Checkpoint) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, known := w.state.Logs[cp.Origin]
	if s.Old != last.Size {
		return nil, &ConflictError{Size: last.Size}
	}
	root := proof.EmptyRoot
	if known {
		root = entry.Hash(last.Root)
	}
	if known && cp.Size == last.Size && cp.Root != root {
		w.fork(last, cp)
		return nil, &ConflictError{Size: last.Size, Fork: true}
	}
	if err := proof.CheckConsistency(s.Old, cp.Size, root, cp.Root, s.Proof); err != nil {
		w.cfg.Logger.Warn("a checkpoint does not continue the one before", "origin", cp.Origin, "old", s.Old, "size", cp.Size, "note", string(s.Note))
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
	if err := w.state.put(w.cfg.State, cp, append(note, line...)); err != nil {
		return nil, fmt.Errorf("witness: state: %w", err)
	}
	return line, nil
}

// fork keeps the proof that a log has signed two roots of one size: both notes, for whoever asks.
func (w *Witness) fork(last cosigned, cp proof.Checkpoint) {
	w.cfg.Logger.Error("a log has signed two roots for one size", "origin", cp.Origin, "size", cp.Size, "first", last.Note, "second", string(cp.Note))
	if err := keepEvidence(w.cfg.State+".forks", last.Note, string(cp.Note)); err != nil {
		w.cfg.Logger.Error("the two checkpoints could not be kept", "cause", err)
	}
}

// Newest is the newest checkpoint of a log that was cosigned, with the cosignature; false: there is none.
func (w *Witness) Newest(origin string) (note []byte, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok := w.state.Logs[origin]
	return []byte(last.Note), ok
}

// Origins are the logs that this witness has.
func (w *Witness) Origins() []string {
	list := make([]string, 0, len(w.keys))
	for o := range w.keys {
		list = append(list, o)
	}
	return list
}
