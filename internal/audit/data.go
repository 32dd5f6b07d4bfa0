package audit

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
)

// dataCheck is the outcome of checking a batch's data.
type dataCheck struct {
	opened  uint64   // payloads that open their leaf's commitment
	missing []uint64 // indexes whose payload is not there, ascending
	err     error    // the first that is wrong
}

// firstData returns the place of the first entry that has data, or −1.
func (p *Parsed) firstData() int {
	return slices.IndexFunc(p.Entries, func(e entry.Entry) bool { return e.HasPayload() })
}

// readData reads and checks the data of a batch, if there is any and it is to be checked.
func (p *Parsed) readData(cfg Config) error {
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

// HasData reports whether an entry of the batch commits to data. Then CheckData needs the batch's
// PAYLOADS message.
func (p *Parsed) HasData() bool { return p.err == nil && p.firstData() >= 0 }

// CheckData checks the batch's data. body is the body of the PAYLOADS message that the batch names,
// and there tells whether that message exists. The outcome counts when the batch is audited.
// CheckData is pure and may run in parallel with that of other batches.
func (p *Parsed) CheckData(body []byte, there bool) {
	if !there {
		p.data = checkRecords(p.Entries, nil)
		return
	}
	if d, ok := checkBody(p.Entries, body); ok {
		p.data = d
		return
	}
	records, err := sealedlog.ParsePayloads(body)
	if err != nil {
		p.data.err = mismatch(p.Entries[p.firstData()].Index, CheckPayload,
			"PAYLOADS sequence %d: %v", p.Batch.Payloads, err)
		return
	}
	p.data = checkRecords(p.Entries, records)
}

// checkBody is checkRecords for a message that has nothing wrong with it, which it reads record by
// record into the same memory. Anything else is left to ParsePayloads and checkRecords, which say
// what is wrong.
func checkBody(entries []entry.Entry, body []byte) (d dataCheck, ok bool) {
	p := spareRecords.Get().(*entry.Payload)
	defer spareRecords.Put(p)
	for len(body) > 0 {
		line, rest, ends := bytes.Cut(body, []byte{'\n'})
		if !ends || p.Parse(line) != nil {
			return d, false
		}
		for len(entries) > 0 && entries[0].Index < p.Index {
			d.add(checkRecord(&entries[0], nil))
			entries = entries[1:]
		}
		if len(entries) == 0 || d.add(checkRecord(&entries[0], p)) != nil {
			return d, false
		}
		entries, body = entries[1:], rest
	}
	for i := range entries {
		d.add(checkRecord(&entries[i], nil))
	}
	return d, true
}

// add adds the outcome of checking one more entry.
func (d *dataCheck) add(one dataCheck) error {
	d.opened += one.opened
	d.missing = append(d.missing, one.missing...)
	return one.err
}

// checkRecord checks the data of one entry. record is nil if there is none.
func checkRecord(e *entry.Entry, record *entry.Payload) (d dataCheck) {
	switch {
	case record == nil && e.HasPayload():
		d.missing = []uint64{e.Index}
	case record != nil:
		if d.err = checkPayload(e, record); d.err == nil {
			d.opened = 1
		}
	}
	return d
}

// checkRecords matches payload records, whose indexes ascend, with the entries that commit to them.
func checkRecords(entries []entry.Entry, records []entry.Payload) (d dataCheck) {
	for i := range entries {
		var record *entry.Payload
		if len(records) > 0 && records[0].Index <= entries[i].Index {
			record, records = &records[0], records[1:]
		}
		if d.err = d.add(checkRecord(&entries[i], record)); d.err != nil {
			return d
		}
	}
	if len(records) > 0 {
		d.err = mismatch(
			entries[len(entries)-1].Index,
			CheckPayload,
			"a record of index %d where none belongs",
			records[0].Index,
		)
	}
	return d
}

func checkPayload(e *entry.Entry, p *entry.Payload) error {
	switch {
	case p.Index != e.Index || !e.HasPayload():
		return mismatch(e.Index, CheckPayload, "a record of index %d where none belongs", p.Index)
	case !p.Opens(*e):
		return mismatch(e.Index, CheckPayload, "data and salt do not open data_hash, or what is beside them record_hash")
	}
	switch e.Detail.(type) {
	case *entry.Access, *entry.Read:
		if n := len(p.Data); n == 0 || n > ruleset.MaxDataBytes || !utf8.Valid(p.Data) {
			return mismatch(e.Index, CheckPayload, "the text of a service has %d bytes, or is no text", n)
		}
	}
	d, ok := e.Detail.(*entry.Rejected)
	switch {
	case !ok:
		return nil
	case len(e.Redactions) > 0: // what is kept is not what came (SPEC 13.5)
		if len(p.Data) > ruleset.MaxRejectedBytes {
			return mismatch(e.Index, CheckDigest, "%d bytes kept", len(p.Data))
		}
	case uint64(len(p.Data)) != min(d.Size, ruleset.MaxRejectedBytes):
		return mismatch(e.Index, CheckDigest, "%d bytes kept of %d", len(p.Data), d.Size)
	case d.Size <= ruleset.MaxRejectedBytes && d.Digest != e.DataHash.String():
		return mismatch(e.Index, CheckDigest, "it does not open with the bytes that were kept")
	}
	return nil
}
