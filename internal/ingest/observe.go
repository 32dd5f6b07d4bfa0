package ingest

import (
	"time"

	"github.com/sealstream/sealstream/pkg/api"
)

// Observer receives events for metrics. Its functions must not block. Nil functions are not called.
type Observer struct {
	// Events is called when n events are answered. status is that of their receipts, or Failed if
	// their submission got no receipt.
	Events func(status string, n int)
	// Group is called after a group of events was written to EVENTS, or failed with err.
	Group func(events, bytes int, took time.Duration, err error)
}

// Failed is the status of events that got no receipt.
const Failed = "failed"

func (o Observer) answered(receipts []api.Receipt, events int, err error) {
	if o.Events == nil {
		return
	}
	if err != nil {
		o.Events(Failed, events)
		return
	}
	for i := 0; i < len(receipts); { // mostly all of them have the same status
		status, first := receipts[i].Status, i
		for i < len(receipts) && receipts[i].Status == status {
			i++
		}
		o.Events(status, i-first)
	}
}

func (o Observer) wrote(group []*item, bytes int, started time.Time, err error) {
	if o.Group != nil {
		o.Group(len(group), bytes, time.Since(started), err)
	}
}
