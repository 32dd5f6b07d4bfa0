package sealer

// hooks are where tests plant bugs, to see that they are found. A nil *hooks, which is what there is outside of tests, does nothing.
type hooks struct {
	opened    func(*start) // what open has made, before it is used
	made      func(*batch) // a batch, before its payloads are sent
	committed func(*batch) // a batch, before it is written to SEALED
	blindTo   func(error) bool
	noSecond  bool // does not ask again before it seals a gap
	noWhole   bool // goes on from a batch that is trusted for its signature, whatever comes
}

func (h *hooks) open(b *start) {
	if h != nil && h.opened != nil {
		h.opened(b)
	}
}

func (h *hooks) make(b *batch) {
	if h != nil && h.made != nil {
		h.made(b)
	}
}

func (h *hooks) commit(b *batch) {
	if h != nil && h.committed != nil {
		h.committed(b)
	}
}

// blind says whether an error that open found is to be overlooked.
func (h *hooks) blind(err error) bool { return h != nil && h.blindTo != nil && h.blindTo(err) }

func (h *hooks) hasty() bool { return h != nil && h.noSecond }

func (h *hooks) trustsBegin() bool { return h != nil && h.noWhole }
