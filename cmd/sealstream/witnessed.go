package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/cosign"
	"github.com/sealstream/sealstream/pkg/proof"
)

// readWitnesses returns the policy of a file, or the policy that all witnesses with the given keys
// must have cosigned. It returns nil if neither is given.
func readWitnesses(policyFile string, keys []string) (*proof.Policy, error) {
	switch {
	case policyFile != "" && len(keys) > 0:
		return nil, fmt.Errorf("--policy and --witness contradict each other; give one of them")
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
		if _, err := cosign.ParseKey(k); err != nil {
			text, err := os.ReadFile(k)
			if err != nil {
				return nil, fmt.Errorf("--witness: neither a witness's public key nor its file: %w", err)
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

// policyKey returns the key of the log that a policy names. It returns "" if the policy does not
// name exactly one log.
func policyKey(p *proof.Policy) string {
	if p == nil || len(p.LogKeys()) != 1 {
		return ""
	}
	return p.LogKeys()[0]
}

// witnessed adds the verdict on whether enough witnesses have cosigned a checkpoint. If so, nobody
// who requires the same witnesses was shown another log of that size. whole is the size of the log
// that the checkpoint was found with, or 0 for a checkpoint alone.
func (v *verification) witnessed(note []byte, whole uint64) {
	const claim = "the witnesses saw the same log"
	cp, err := proof.ParseForeignCheckpoint(note)
	if err != nil {
		return // the caller has checked the checkpoint
	}
	if v.policy == nil {
		// The log signs with each of its keys, under its own name. Only others can be witnesses.
		own := strings.Count(string(note), "\n\u2014 "+cp.Origin+" ")
		if n := strings.Count(string(note), "\n\u2014 ") - own; n > 0 {
			v.notChecked(claim, fmt.Sprintf("the checkpoint of size %d has %d further signatures; "+
				"give --policy, or --witness with the keys of the witnesses that you trust", cp.Size, n))
		}
		return
	}
	by, err := v.policy.Cosigned(note)
	if err == nil && !by.Quorum {
		err = fmt.Errorf("the checkpoint of size %d is cosigned by %s, which is not enough for the quorum %s", cp.Size,
			v.names(by), v.policy.Quorum)
	}
	if err != nil && v.kind == "" {
		v.kind = kindNotCosigned
	}
	if !v.add(claim, err, fmt.Sprintf("size %d is cosigned by %s", cp.Size, v.names(by))) {
		return
	}
	if whole > cp.Size {
		v.onlyIf(fmt.Sprintf("the witnesses will see the same entries from index %d on", cp.Size),
			"the log shows these entries to others, too; a cosigned checkpoint that covers them would prove it")
	}
}

// cosignedWhole reports whether enough witnesses have cosigned the very tree that was audited. at
// is the time of the oldest of these cosignatures.
func (v *verification) cosignedWhole(r audit.Report) (at string, ok bool) {
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
