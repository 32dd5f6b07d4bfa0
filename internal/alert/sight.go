package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sealstream/sealstream/internal/access"
)

// sight is what a caller sees of the alerts who may not read the whole log. A nil sight sees
// everything.
type sight struct{ caller access.Caller }

// sightOf returns what the caller of a request sees.
func (a *Alerter) sightOf(ctx context.Context) *sight {
	if !a.cfg.Scoped {
		return nil
	}
	if c := access.From(ctx); !c.SeesAll() {
		return &sight{c}
	}
	return nil
}

// sees reports whether the caller may have an alert: one about an entry that it may read, or about
// the silence of an agent whose entries it may read. A rate of a resource counts entries of any
// agent, and the state of the log is for who sees all of it.
func (s *sight) sees(x *Alert) bool {
	if s == nil {
		return true
	}
	switch x.Kind {
	case KindSilence:
		return s.caller.Sees(x.Agent)
	case KindRate:
		if !strings.HasPrefix(x.Text, rateText(x, perAgent)) {
			return false
		}
	case KindEntry, KindMatch:
	default:
		return false
	}
	var e struct {
		Agent string `json:"agent_did"`
		Type  string `json:"event_type"`
	}
	return json.Unmarshal(x.Entry, &e) == nil && s.caller.SeesEntry(e.Agent, e.Type)
}

// show removes from an alert the hashes by which the caller could guess a withheld entry from
// before rules 4 (SPEC-rules4 7). The alerter does not know which entries come before, so it
// removes all of them.
func (s *sight) show(x *Alert) {
	if s == nil || s.caller.SeesHash(false) {
		return
	}
	x.Hash, x.Entry = "", unlinked(x.Entry)
}

// unlinked returns an entry as the API shows it without entry_hash and previous_hash.
func unlinked(shown json.RawMessage) json.RawMessage {
	var e struct {
		Own      string `json:"entry_hash"`
		Previous string `json:"previous_hash"`
	}
	if len(shown) == 0 || json.Unmarshal(shown, &e) != nil {
		return nil
	}
	b := bytes.Replace(shown, fmt.Appendf(nil, `"entry_hash":%q,`, e.Own), nil, 1) // it comes first
	// members after it are no objects with such a member, and quotes within texts are escaped
	link := fmt.Appendf(nil, `,"previous_hash":%q`, e.Previous)
	if at := bytes.LastIndex(b, link); at >= 0 {
		b = append(b[:at:at], b[at+len(link):]...)
	}
	return b
}
