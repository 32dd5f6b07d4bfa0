package query

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// CSVColumns are the columns of a CSV export, which never change their order; new ones come before merkle_proof. An absent member is an empty
// cell. extensions, redactions, detail and merkle_proof are JSON; merkle_proof is there in an export with filters. data is the text of the
// data as it was sealed; what is no text stands in data_base64.
var CSVColumns = []string{
	"index", "entry_id", "timestamp", "received_at", "event_type", "agent_did", "action", "resource", "target_did", "outcome", "policy_decision", "matched_rule",
	"trace_id", "session_id", "publisher", "input_epoch", "input_seq", "position", "agent_seq", "agent_prev", "signature", "cloudevent_type",
	"extensions", "redactions", "detail", "data_hash", "previous_hash", "entry_hash", "merkle_proof", "data_base64", "data",
}

// csvWriter writes RFC 4180: CRLF behind each record, quotes where a cell needs them, and a header. Cells are for people and their
// spreadsheets: one that a spreadsheet would take for a formula gets an apostrophe in front.
type csvWriter struct{}

func (csvWriter) begin(proof.Manifest) ([]byte, error) {
	return append([]byte(strings.Join(CSVColumns, ",")), "\r\n"...), nil
}

func (csvWriter) end() []byte { return nil }

func (csvWriter) entry(dst []byte, f Found, path proof.Path) ([]byte, error) {
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
	for _, cell := range []string{
		number(e.Index), e.EntryID, e.Timestamp, e.ReceivedAt, e.EventType, e.AgentDID, e.Action, e.Resource, e.TargetDID, e.Outcome, e.PolicyDecision, e.MatchedRule,
		e.TraceID, e.SessionID, e.Publisher, number(e.InputEpoch), number(e.InputSeq), number(e.Position), agentSeq, e.AgentPrev, e.Signature, e.CloudEventType,
		string(leaf.Extensions), string(leaf.Redactions), string(leaf.Detail), e.DataHash, e.PreviousHash, e.EntryHash, string(steps),
	} {
		dst = append(appendCell(dst, cell), ',')
	}
	data, binary := "", ""
	if p := f.Payload; p != nil && entry.IsText(p.Data) {
		data = string(p.Data)
	} else if p != nil {
		binary = base64.StdEncoding.EncodeToString(p.Data)
	}
	dst = append(appendCell(dst, binary), ',')
	return append(appendCell(dst, data), "\r\n"...), nil
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// formulas are the characters with which a spreadsheet lets a formula begin.
const formulas = "=+-@\t\r\n"

// appendCell writes one cell. encoding/csv would do, but for line ends inside of cells: with CRLF it changes them.
func appendCell(dst []byte, s string) []byte {
	formula := s != "" && strings.IndexByte(formulas, s[0]) >= 0
	if !strings.ContainsAny(s, ",\"\r\n") && strings.Trim(s, " ") == s {
		if formula {
			dst = append(dst, '\'')
		}
		return append(dst, s...)
	}
	dst = append(dst, '"')
	if formula {
		dst = append(dst, '\'')
	}
	dst = append(dst, strings.ReplaceAll(s, `"`, `""`)...)
	return append(dst, '"')
}
