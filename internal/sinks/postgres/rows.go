package pgsink

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
)

// columns lists the columns of entries, in the order of row.values.
var columns = []string{
	"index", "received_at", "timestamp",
	"entry_id", "event_type", "agent_did", "action", "resource", "target_did", "outcome", "policy_decision",
	"matched_rule", "trace_id", "session_id",
	"extensions", "detail", "previous_hash", "entry_hash", "leaf", "data", "data_raw", "salt",
	"action_salt", "dssematerial",
}

// texts lists the columns that hold a text of the entry. The empty text is NULL.
var texts = columns[3:14]

// row is a record as a row of the table.
type row struct {
	index      int64
	receivedAt time.Time
	time       time.Time   // the column timestamp
	texts      [11]*string // the columns texts
	extensions []byte      // JSON; nil is NULL
	detail     []byte      // JSON; nil is NULL
	previous   string      // the column previous_hash
	hash       string      // the column entry_hash
	leaf       []byte
	data       []byte // JSON; nil is NULL
	raw        []byte // the column data_raw; nil is NULL
	salt       []byte // nil is NULL
	actionSalt *string
	material   *string // the column dssematerial
}

func (r *row) values() []any {
	v := make([]any, 0, len(columns))
	v = append(v, r.index, r.receivedAt, r.time)
	for _, t := range r.texts {
		v = append(v, t)
	}
	return append(v, asJSONB(r.extensions), asJSONB(r.detail), r.previous, r.hash, r.leaf, asJSONB(r.data), r.raw, r.salt,
		r.actionSalt, r.material)
}

// asJSONB keeps pgx from encoding text that is JSON already.
func asJSONB(text []byte) any {
	if text == nil {
		return nil
	}
	return json.RawMessage(text)
}

// rowOf returns the row of a record.
func rowOf(r *sink.Record) (row, error) {
	e := &r.Entry
	out := row{index: int64(e.Index), previous: e.PreviousHash.String(), hash: e.EntryHash.String(), leaf: e.Leaf}
	var err error
	if out.receivedAt, err = moment(e.ReceivedAt); err != nil {
		return row{}, fmt.Errorf("index %d: received_at: %w", e.Index, err)
	}
	if out.time, err = moment(e.Timestamp); err != nil {
		return row{}, fmt.Errorf("index %d: timestamp: %w", e.Index, err)
	}
	for i, text := range [len(out.texts)]string{
		e.EntryID, e.EventType, e.AgentDID, e.Action, e.Resource, e.TargetDID, e.Outcome, e.PolicyDecision,
		e.MatchedRule, e.TraceID, e.SessionID,
	} {
		if text != "" {
			text = shorten(text)
			out.texts[i] = &text
		}
	}
	if err := out.objects(e); err != nil {
		return row{}, fmt.Errorf("index %d: leaf: %w", e.Index, err)
	}
	if p := r.Payload; p != nil {
		out.raw, out.salt = p.Data, p.Salt[:]
		if out.raw == nil && p.HasData() {
			out.raw = []byte{}
		}
		out.actionSalt, out.material = orNull(p.ActionSalt), orNull(p.Material)
		if ruleset.IsJSON(e.Extensions["datacontenttype"]) && fitsJSONB(p.Data) {
			out.data = p.Data
		}
	}
	return out, nil
}

// orNull returns a text as the value of a column in which the empty text is NULL.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// objects copies extensions and detail from the leaf.
func (r *row) objects(e *entry.Entry) error {
	if len(e.Extensions) == 0 && e.Detail == nil {
		return nil
	}
	var leaf struct{ Extensions, Detail json.RawMessage }
	if err := json.Unmarshal(e.Leaf, &leaf); err != nil {
		return err
	}
	if leaf.Extensions != nil && fitsJSONB(leaf.Extensions) {
		r.extensions = leaf.Extensions
	}
	if leaf.Detail != nil && fitsJSONB(leaf.Detail) {
		r.detail = leaf.Detail
	}
	return nil
}

// moment parses a time of a leaf and truncates it to microseconds, the resolution of Postgres.
func moment(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	return t.Truncate(time.Microsecond).UTC(), err
}

// maxText is the longest text in a column, in bytes. Together with the index it must be shorter
// than 2,704 bytes, the limit of a B-tree.
const maxText = 2000

// shorten shortens a long text to maxText bytes. Its hash keeps different texts different.
func shorten(s string) string {
	if len(s) <= maxText {
		return s
	}
	const mark = "…sha256:"
	end := maxText - len(mark) - 2*sha256.Size
	for !utf8.RuneStart(s[end]) {
		end--
	}
	hash := sha256.Sum256([]byte(s))
	return s[:end] + mark + hex.EncodeToString(hash[:])
}

// rows implements pgx.CopyFromSource.
type rows struct {
	records []sink.Record
	at      int
	err     error
}

func (r *rows) Next() bool { r.at++; return r.at < len(r.records) && r.err == nil }
func (r *rows) Err() error { return r.err }

func (r *rows) Values() ([]any, error) {
	row, err := rowOf(&r.records[r.at])
	if err != nil {
		r.err = err
		return nil, err
	}
	return row.values(), nil
}
