package tamper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealstream/sealstream/internal/cosign"
	"github.com/sealstream/sealstream/internal/witness"
	"github.com/sealstream/sealstream/pkg/proof"
)

// lab is a scratch log with the entries that the attacks change.
type lab struct {
	*auditor
	now    *view
	backup *view // as it was before the checkpoint was saved
	victim int   // index of an entry that the saved checkpoint covers
	recent int   // index of one that it does not
}

// Result is the result of one attack.
type Result struct {
	Attack string             `json:"attack"`
	About  string             `json:"about"`
	Needs  string             `json:"needs"` // what the insider must have
	Checks map[string]Finding `json:"checks"`
}

// Finding tells whether a check detected the attack, and how.
type Finding struct {
	Caught bool   `json:"caught"`
	Why    string `json:"why,omitempty"`
}

// Run carries out every attack on a scratch log with a number of entries, at least 16, and runs
// every check. It uses a temporary folder for the witness's state, which it removes.
func Run(ctx context.Context, size int) ([]Result, error) {
	l, done, err := newLab(ctx, size)
	if err != nil {
		return nil, err
	}
	defer done()
	for _, c := range Checks {
		if err := l.check(c, l.now); err != nil {
			return nil, fmt.Errorf("the log before any attack: %s: %w", c, err)
		}
	}
	var list []Result
	for _, a := range attacks {
		v, err := a.do(l)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		r := Result{a.name, a.about, a.needs, map[string]Finding{}}
		for _, c := range Checks {
			if err := l.check(c, v); err != nil {
				r.Checks[c] = Finding{true, err.Error()}
			} else {
				r.Checks[c] = Finding{}
			}
		}
		list = append(list, r)
	}
	return list, nil
}

func newLab(ctx context.Context, size int) (l *lab, done func(), err error) {
	if size < 16 {
		return nil, nil, errors.New("tamper: a log of at least 16 entries is required")
	}
	dir, err := os.MkdirTemp("", "sealstream-tamper-*")
	if err != nil {
		return nil, nil, err
	}
	done = func() { os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			done()
		}
	}()
	half, most := size/2, size*3/4
	views, err := scratch(ctx, half, most, size)
	if err != nil {
		return nil, nil, err
	}
	l = &lab{now: views[2], backup: views[0], victim: half / 2, recent: most + 1}
	l.auditor, err = newAuditor(dir, views)
	return l, done, err
}

// newAuditor saves the checkpoint of the middle view, and starts a witness that has seen all views.
func newAuditor(dir string, views []*view) (*auditor, error) {
	a := &auditor{key: views[0].signer.VerifierKey()}
	var err error
	if a.saved, err = proof.OpenCheckpoint(views[1].note, a.key); err != nil {
		return nil, err
	}
	skey, vkey, err := cosign.GenerateKey("witness.example/lab")
	if err != nil {
		return nil, err
	}
	cosigner, err := cosign.New(skey)
	if err != nil {
		return nil, err
	}
	if a.policy, err = proof.ParsePolicy([]byte("witness lab " + vkey + "\nquorum lab\n")); err != nil {
		return nil, err
	}
	if a.witness, err = witness.New(witness.Config{
		Cosigner: cosigner, Logs: []string{a.key}, State: filepath.Join(dir, "state"),
	}); err != nil {
		return nil, err
	}
	for _, v := range views {
		if err := submit(a.witness, v); err != nil {
			return nil, fmt.Errorf("witness: %w", err)
		}
	}
	return a, nil
}

func nameOf(vkey string) string {
	name, _, _ := strings.Cut(vkey, "+")
	return name
}
