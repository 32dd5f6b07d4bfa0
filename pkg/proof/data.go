package proof

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/pkg/entry"
)

// dataCheck is what was found of a batch's data.
type dataCheck struct {
	opened  uint64   // payloads that open their leaf's commitment
	missing []uint64 // indexes whose payload is not there, ascending
	err     error    // the first that is wrong
}

// firstData is the place of the first entry that has data, or −1.
func (p *Parsed) firstData() int {
	return slices.IndexFunc(p.Entries, func(e entry.Entry) bool { return e.DataHash != "" })
}

// readData checks the data of a batch that has any, if data is to be checked.
func (p *Parsed) readData(cfg AuditConfig) error {
	if cfg.Payloads == nil || !p.HasData() {
		return nil
	}
	body, there, err := cfg.Payloads(p.Batch.Payloads)
	if err != nil {
		return err
	}
	p.CheckData(body, there)
	return nil
}

// HasData says whether an entry of the batch commits to data: then its PAYLOADS message is to be given to CheckData.
func (p *Parsed) HasData() bool { return p.err == nil && p.firstData() >= 0 }

// CheckData checks the batch's data: body is that of the PAYLOADS message that it names, there whether it exists. What it finds counts when
// the batch is audited. It is pure, and may run in parallel with that of other batches.
func (p *Parsed) CheckData(body []byte, there bool) {
	var records []entry.Payload
	if there {
		var err error
		if records, err = ParsePayloads(body); err != nil {
			p.data.err = mismatch(p.Entries[p.firstData()].Index, "payload", "PAYLOADS sequence %d: %v", p.Batch.Payloads, err)
			return
		}
	}
	p.data = checkRecords(p.Entries, records)
}

// checkRecords matches payload records, which ascend by index, with the entries that commit to them.
func checkRecords(entries []entry.Entry, records []entry.Payload) (d dataCheck) {
	for i := range entries {
		e := &entries[i]
		if len(records) == 0 || records[0].Index > e.Index {
			if e.DataHash != "" {
				d.missing = append(d.missing, e.Index)
			}
			continue
		}
		if d.err = checkPayload(e, &records[0]); d.err != nil {
			return d
		}
		d.opened++
		records = records[1:]
	}
	if len(records) > 0 {
		d.err = mismatch(entries[len(entries)-1].Index, "payload", "a record of index %d where none belongs", records[0].Index)
	}
	return d
}

func checkPayload(e *entry.Entry, p *entry.Payload) error {
	switch {
	case p.Index != e.Index || e.DataHash == "":
		return mismatch(e.Index, "payload", "a record of index %d where none belongs", p.Index)
	case !p.Opens(*e):
		return mismatch(e.Index, "payload", "data and salt do not open data_hash")
	}
	d, ok := e.Detail.(*entry.Rejected)
	switch {
	case !ok:
		return nil
	case len(e.Redactions) > 0: // what is kept is not what came (SPEC 13.5)
		if len(p.Data) > entry.MaxRejectedBytes {
			return mismatch(e.Index, "digest", "%d bytes kept", len(p.Data))
		}
	case uint64(len(p.Data)) != min(d.Size, entry.MaxRejectedBytes):
		return mismatch(e.Index, "digest", "%d bytes kept of %d", len(p.Data), d.Size)
	case d.Size <= entry.MaxRejectedBytes && d.Digest != e.DataHash:
		return mismatch(e.Index, "digest", "it does not open with the bytes that were kept")
	}
	return nil
}

// ParsePayloads reads the body of a PAYLOADS message (SPEC 7): records, each on its line, ascending by index.
func ParsePayloads(body []byte) ([]entry.Payload, error) {
	if len(body) == 0 {
		return nil, nil // all of it was erased
	}
	if body[len(body)-1] != '\n' {
		return nil, errors.New("payload records: the last line does not end")
	}
	lines := bytes.Split(body[:len(body)-1], []byte{'\n'})
	list := make([]entry.Payload, len(lines))
	for i, line := range lines {
		p, err := entry.ParsePayload(line)
		if err != nil {
			return nil, err
		}
		if i > 0 && p.Index <= list[i-1].Index {
			return nil, fmt.Errorf("payload records: index %d after %d", p.Index, list[i-1].Index)
		}
		list[i] = p
	}
	return list, nil
}
