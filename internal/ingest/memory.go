package ingest

// InFlight returns the memory, in bytes, that all requests together may use, for
// Config.MaxInFlight. It is a quarter of the process' limit and at most 256 MiB: the garbage
// collector, the broker and the readers need the rest. A limit of 0 means that the process has
// none.
func InFlight(limit int64) int64 {
	const maximum = 256 << 20
	if limit <= 0 {
		return maximum
	}
	return min(limit/4, maximum)
}

// Memory that an event takes besides its bytes while its request runs: its place in the request, in
// the queue and among the receipts, and their strings. Receipts of sealed events also hold hashes.
// TestCost measures both.
const (
	storedCost = 640
	sealedCost = 1152
	provenCost = 2048 // with the leaf, which holds the attributes of the event once more
	parsedCost = 1024 // what is kept of the parsed event for the sealer, if there is a handover
)

// largeCost is an estimate of the memory that a large request takes for each of its bytes, before
// it is known how many events it has.
const largeCost = 3

func (in *Ingest) eventCost(w want) (cost int64) {
	switch {
	case w.proof:
		cost = provenCost
	case w.wait == WaitStored:
		cost = storedCost
	default:
		cost = sealedCost
	}
	if in.cfg.Handover != nil {
		cost += parsedCost
	}
	return cost
}

// chargeStep is how many events are charged for in one step.
const chargeStep = 16

// charges charges the budget for the events found in a request.
type charges struct {
	budget            *budget
	each, size, taken int64
}

// newCharges starts to charge for a request whose size bytes are in the budget already. The leaves
// that come with proofs repeat what the attributes of the events say.
func (in *Ingest) newCharges(w want, size int64) (*charges, error) {
	p := &charges{budget: &in.budget, each: in.eventCost(w), size: size}
	if w.proof {
		return p, p.take(size)
	}
	return p, nil
}

// charge takes the cost of more events from the budget. It returns ErrBusy if there is too little
// memory now, and a problem if the request alone exceeds the budget.
func (p *charges) charge(events int) error { return p.take(int64(events) * p.each) }

func (p *charges) take(cost int64) error {
	if p.size+p.taken+cost > p.budget.limit {
		return p.budget.errTooLarge()
	}
	if !p.budget.take(cost) {
		return ErrBusy
	}
	p.taken += cost
	return nil
}

// release returns what was charged, once the request is answered.
func (p *charges) release() { p.budget.release(p.taken) }

// Reserve reserves memory for a request that another handler reads. The caller must call release.
// The error is ErrBusy if there is too little memory now. Otherwise it is a problem, for
// WriteError: there will never be enough.
func (in *Ingest) Reserve(bytes int64) (release func(), err error) {
	if bytes > in.budget.limit {
		return nil, in.budget.errTooLarge()
	}
	if !in.budget.take(bytes) {
		return nil, ErrBusy
	}
	return func() { in.budget.release(bytes) }, nil
}

// InFlight returns the memory, in bytes, charged to requests that are not answered yet.
func (in *Ingest) InFlight() int64 { return in.budget.used.Load() }
