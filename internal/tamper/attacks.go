package tamper

// Whoever attacks has all of the log's storage, and perhaps more.
const (
	storage = "storage"
	withKey = "storage and key"
)

// attack is one thing that an insider may do.
type attack struct {
	name, about, needs string
	do                 func(l *lab) (*view, error)
}

// attacks are all that the lab plays. The saved checkpoint is older than the newest entries, as it
// is in life.
var attacks = []attack{
	{"edit", "change an outcome in place", storage, func(l *lab) (*view, error) {
		v := l.now.clone()
		return v, v.set(l.victim, falsified)
	}},
	{"delete", "take an entry out", storage, func(l *lab) (*view, error) {
		v := l.now.clone()
		v.remove(l.victim, 1)
		return v, nil
	}},
	{"reorder", "exchange two entries", storage, func(l *lab) (*view, error) {
		v := l.now.clone()
		v.swap(l.victim, l.victim+1)
		return v, nil
	}},
	{"truncate", "drop the newest entries", storage, func(l *lab) (*view, error) {
		v := l.now.clone()
		v.remove(l.recent, len(v.entries)-l.recent)
		return v, nil
	}},
	{"swap payloads", "exchange the data of two entries, which is not in the chain", storage, func(l *lab) (*view, error) {
		v := l.now.clone()
		v.swapData(uint64(l.victim), uint64(l.victim+1))
		return v, nil
	}},
	{"drop a payload", "erase data without an erasure entry", storage, func(l *lab) (*view, error) {
		v := l.now.clone()
		delete(v.data, uint64(l.victim))
		return v, nil
	}},
	{"re-chain", "change an outcome, and make all hashes after it anew", storage, func(l *lab) (*view, error) {
		return rewritten(l, l.victim)
	}},
	{"re-chain without it", "take an entry out, and number and chain the rest anew", storage, func(l *lab) (*view, error) {
		v := l.now.clone()
		v.remove(l.victim, 1)
		return v, v.rechain(l.victim)
	}},
	{"replace the checkpoint", "re-chain, and sign with a key of one's own", storage, func(l *lab) (*view, error) {
		v, err := rewritten(l, l.victim)
		if err != nil {
			return nil, err
		}
		own, err := newSigner()
		if err != nil {
			return nil, err
		}
		if err := v.adopt(own); err != nil {
			return nil, err
		}
		return v, v.sign(own)
	}},
	{"rewrite and sign", "re-chain, and sign with the log's own key", withKey, func(l *lab) (*view, error) {
		return signed(l)(rewritten(l, l.victim))
	}},
	{
		"rewrite what is recent",
		"the same, but only of entries that no saved checkpoint covers",
		withKey,
		func(l *lab) (*view, error) {
			return signed(l)(rewritten(l, l.recent))
		},
	},
	{"truncate and sign", "drop entries, and sign the shorter log", withKey, func(l *lab) (*view, error) {
		v := l.now.clone()
		v.remove(l.victim, len(v.entries)-l.victim)
		return v, v.sign(l.now.signer)
	}},
	{
		"split view",
		"show one auditor another log, of the same size, under the same key",
		withKey,
		func(l *lab) (*view, error) {
			v := l.now.clone()
			v.swap(l.recent, l.recent+1)
			if err := v.rechain(l.recent); err != nil {
				return nil, err
			}
			return v, v.sign(l.now.signer)
		},
	},
	{
		"restore a backup",
		"bring back an old state of all storage, with its genuine checkpoint",
		storage,
		func(l *lab) (*view, error) {
			return l.backup.clone(), nil
		},
	},
	{"seal a lie", "record, as the first thing, an event that never was", withKey, func(l *lab) (*view, error) {
		v := l.now.clone()
		last := len(v.entries) - 1
		e, p := v.entries[last], v.data[uint64(last)]
		p.Index++
		v.entries, v.data[p.Index] = append(v.entries, e), p
		if err := v.set(last+1, map[string]any{"entry_id": "never-was"}); err != nil {
			return nil, err
		}
		if err := v.rechain(last + 1); err != nil {
			return nil, err
		}
		return v, v.sign(l.now.signer)
	}},
}

// falsified is what the insider wants the log to say: a payment that was denied went through, or
// the other way round.
var falsified = map[string]any{"action": "audit", "outcome": "error"}

// rewritten is the log with an entry changed and all that follows made to fit.
func rewritten(l *lab, i int) (*view, error) {
	v := l.now.clone()
	if err := v.set(i, falsified); err != nil {
		return nil, err
	}
	return v, v.rechain(i + 1)
}

// signed signs what is made with the log's own key.
func signed(l *lab) func(*view, error) (*view, error) {
	return func(v *view, err error) (*view, error) {
		if err != nil {
			return nil, err
		}
		return v, v.sign(l.now.signer)
	}
}
