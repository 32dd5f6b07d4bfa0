package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sealstream/sealstream/pkg/proof"
)

// readWitnesses takes a policy file, or the keys of witnesses that must all have cosigned; nil: neither is given.
func readWitnesses(policyFile string, keys []string) (*proof.Policy, error) {
	switch {
	case policyFile != "" && len(keys) > 0:
		return nil, fmt.Errorf("--policy and --witness are two ways to say the same; give one")
	case policyFile != "":
		text, err := os.ReadFile(policyFile)
		if err != nil {
			return nil, fmt.Errorf("--policy: %w", err)
		}
		p, err := proof.ParsePolicy(text)
		if err != nil {
			return nil, fmt.Errorf("--policy %s: %w", policyFile, err)
		}
		return p, nil
	case len(keys) == 0:
		return nil, nil
	}
	var b strings.Builder
	names := ""
	for i, k := range keys {
		if proof.CheckCosignerKey(k) != nil {
			text, err := os.ReadFile(k)
			if err != nil {
				return nil, fmt.Errorf("--witness: neither a cosigner's verifier key nor its file: %w", err)
			}
			k = strings.TrimSpace(string(text))
		}
		fmt.Fprintf(&b, "witness w%d %s\n", i+1, k)
		names += fmt.Sprintf(" w%d", i+1)
	}
	fmt.Fprintf(&b, "group given all%s\nquorum given\n", names)
	p, err := proof.ParsePolicy([]byte(b.String()))
	if err != nil {
		return nil, fmt.Errorf("--witness: %w", err)
	}
	return p, nil
}

// policyKey is the log's key that a policy names, where it names just one; "": it does not tell.
func policyKey(p *proof.Policy) string {
	if p == nil || len(p.Logs) != 1 {
		return ""
	}
	return p.Logs[0].VKey
}

// witnessed says whether enough witnesses have cosigned a checkpoint: then nobody who asks for the same was shown another log of that size. whole is the
// size of the log that it was found with; 0: there is nothing but the checkpoint.
func (v *verification) witnessed(note []byte, whole uint64) {
	const claim = "the witnesses saw the same log"
	cp, err := proof.ParseForeignCheckpoint(note)
	if err != nil {
		return // the checkpoint itself was looked at before
	}
	if v.policy == nil {
		if n := strings.Count(string(note), "\n\u2014 ") - 1; n > 0 {
			v.cannotSay(claim, fmt.Sprintf("the checkpoint of size %d has %d further signatures; give --policy, or --witness with the keys of those whom you trust", cp.Size, n))
		}
		return
	}
	by, err := v.policy.Cosigned(note)
	if err == nil && !by.Quorum {
		err = fmt.Errorf("the checkpoint of size %d is cosigned by %s, which is not enough for the quorum %s", cp.Size, v.names(by), v.policy.Quorum)
	}
	if !v.add(claim, err, fmt.Sprintf("size %d is cosigned by %s", cp.Size, v.names(by))) {
		return
	}
	if whole > cp.Size {
		v.onlyIf(fmt.Sprintf("the same is so of the entries from index %d on", cp.Size), "the log shows them to others too; a checkpoint that covers them, cosigned, will tell")
	}
}

// cosignedWhole says whether enough witnesses have cosigned the very tree that was audited, and up to when.
func (v *verification) cosignedWhole(r proof.Report) (at string, ok bool) {
	for _, note := range [][]byte{r.Checkpoint, r.Cosigned} {
		cp, err := proof.ParseCheckpointUnverified(note)
		if v.policy == nil || err != nil || cp.Size != r.Size {
			continue
		}
		if by, err := v.policy.Cosigned(note); err == nil && by.Quorum && len(by.By) > 0 {
			oldest := slices.MinFunc(by.By, func(a, b proof.Cosignature) int { return cmp.Compare(a.Time, b.Time) })
			return time.Unix(int64(oldest.Time), 0).UTC().Format(time.RFC3339), true
		}
	}
	return "", false
}

func (v *verification) names(by proof.Cosigned) string {
	var list []string
	for _, w := range v.policy.Witnesses {
		if at, ok := by.Time(w); ok {
			list = append(list, fmt.Sprintf("%s (%s)", w.KeyName(), time.Unix(int64(at), 0).UTC().Format(time.RFC3339)))
		}
	}
	if len(list) == 0 {
		return "none of them"
	}
	return strings.Join(list, ", ")
}
