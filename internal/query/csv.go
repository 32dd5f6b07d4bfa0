package query

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/proof"
)

// CSVColumns are the columns of a CSV export. Their order never changes; new columns come before
// merkle_proof. An absent member is an empty cell. extensions, redactions, detail and merkle_proof
// are JSON. merkle_proof is set only in an export with filters. data is the data as text. Data that
// is no text is in data_base64. data_error says why data that was not erased is missing.
var CSVColumns = []string{
	"index", "entry_id", "timestamp", "received_at", "event_type", "agent_did", "action", "resource", "target_did",
	"outcome", "policy_decision", "matched_rule",
	"trace_id", "session_id", "publisher", "input_epoch", "input_seq", "position", "agent_seq", "agent_prev", "signature",
	"cloudevent_type",
	"extensions", "redactions", "detail", "data_hash", "previous_hash", "entry_hash", "data_error", "merkle_proof",
	"data_base64", "data",
}

// csvWriter writes RFC 4180: a header, CRLF after each record, quotes where a cell needs them.
// Cells are for people and their spreadsheets, so formulas in them are escaped (escapeFormulas).
type csvWriter struct{}

func (csvWriter) start(proof.Manifest) ([]byte, error) {
	return append([]byte(strings.Join(CSVColumns, ",")), "\r\n"...), nil
}

func (csvWriter) end() []byte { return nil }

func (csvWriter) entry(dst []byte, f Found, path proof.Path, _ bool) ([]byte, error) {
	e := &f.Entry
	var leaf struct{ Extensions, Redactions, Detail json.RawMessage }
	if err := json.Unmarshal(e.Leaf, &leaf); err != nil {
		return dst, err
	}
	var steps []byte
	if path != nil {
		var err error
		if steps, err = path.MarshalJSON(); err != nil {
			return dst, err
		}
	}
	agentSeq := ""
	if e.AgentSeq != nil {
		agentSeq = number(*e.AgentSeq)
	}
	dataHash := ""
	if e.DataHash != nil {
		dataHash = e.DataHash.String()
	}
	previous, own := f.hashes()
	for _, cell := range []string{
		number(e.Index), e.EntryID, e.Timestamp, e.ReceivedAt, e.EventType, e.AgentDID, e.Action, e.Resource, e.TargetDID,
		e.Outcome, e.PolicyDecision, e.MatchedRule,
		e.TraceID, e.SessionID, e.Publisher, number(e.InputEpoch), number(e.InputSeq), number(e.Position), agentSeq,
		e.AgentPrev, e.Signature, e.CloudEventType,
		string(leaf.Extensions), string(leaf.Redactions), string(leaf.Detail), dataHash, previous,
		own, f.DataError, string(steps),
	} {
		dst = append(appendCell(dst, cell), ',')
	}
	data, binary := "", ""
	if p := f.Payload; p != nil && canonical.IsText(p.Data) {
		data = string(p.Data)
	} else if p != nil {
		binary = base64.StdEncoding.EncodeToString(p.Data)
	}
	dst = append(appendCell(dst, binary), ',')
	return append(appendCell(dst, data), "\r\n"...), nil
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// appendCell appends one cell. encoding/csv cannot be used: with CRLF it changes line ends inside
// of cells.
func appendCell(dst []byte, s string) []byte {
	s = escapeFormulas(s)
	if !strings.ContainsAny(s, ",;\t\"\r\n") && strings.Trim(s, " ") == s {
		return append(dst, s...)
	}
	return append(append(append(dst, '"'), strings.ReplaceAll(s, `"`, `""`)...), '"')
}
