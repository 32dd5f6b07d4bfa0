package ingest

import "time"

// Observer is told what ingest does, for metrics. Its functions must not block; those that are nil are not called.
type Observer struct {
	// Events: so many events got an answer: a receipt's status, or failed, where none of their submission got a receipt.
	Events func(status string, n int)
	// Group: a group of events was written to EVENTS, or with an error was not.
	Group func(events, bytes int, took time.Duration, err error)
}

// Failed stands for the status of events that got no receipt.
const Failed = "failed"

func (o Observer) answered(receipts []Receipt, events int, err error) {
	if o.Events == nil {
		return
	}
	if err != nil {
		o.Events(Failed, events)
		return
	}
	counts := map[string]int{}
	for i := range receipts {
		counts[receipts[i].Status]++
	}
	for status, n := range counts {
		o.Events(status, n)
	}
}

func (o Observer) wrote(group []*item, bytes int, begin time.Time, err error) {
	if o.Group != nil {
		o.Group(len(group), bytes, time.Since(begin), err)
	}
}
