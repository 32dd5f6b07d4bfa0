package sealer

import (
	"testing"
	"time"
)

// fetch closes its channel a moment before its error ends the pipeline: sequence then has neither a job nor an error.
func TestSequenceEndsWhenFetchDoes(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		s, err := New(f.cfg)
		if err != nil {
			t.Fatal(err)
		}
		start, err := s.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.budget, s.flight = newBudget(maxRead), newFlight()
		jobs := make(chan *job)
		ended := make(chan error)
		go func() { ended <- s.sequence(t.Context(), start, jobs, make(chan *batch, inFlight)) }()
		time.Sleep(time.Second) // of the bubble: sequence waits for a job
		close(jobs)
		if err := <-ended; err != nil {
			t.Fatalf("sequence without an error of its own: %v", err)
		}
	})
}
