package pgsink

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
)

// columns of entries, in the order of row.values.
var columns = []string{
	"index", "received_at", "timestamp", "entry_id", "event_type", "agent_did", "action", "resource", "target_did", "outcome", "policy_decision",
	"matched_rule", "trace_id", "session_id", "extensions", "detail", "previous_hash", "entry_hash", "leaf", "data", "data_raw", "salt",
}

// texts are those columns that hold a text of the entry; "" is NULL.
var texts = columns[3:14]

// row is what stands in the table of a record.
type row struct {
	index                 int64
	receivedAt, time      time.Time
	texts                 [11]*string
	extensions, detail    []byte // JSON; nil: NULL
	previous, hash        string
	leaf, data, raw, salt []byte
}

func (r *row) values() []any {
	v := make([]any, 0, len(columns))
	v = append(v, r.index, r.receivedAt, r.time)
	for _, t := range r.texts {
		v = append(v, t)
	}
	return append(v, asJSONB(r.extensions), asJSONB(r.detail), r.previous, r.hash, r.leaf, asJSONB(r.data), r.raw, r.salt)
}

// asJSONB keeps pgx from marshalling what is JSON already.
func asJSONB(text []byte) any {
	if text == nil {
		return nil
	}
	return json.RawMessage(text)
}

// rowOf makes the row of a record.
func rowOf(r *sink.Record) (row, error) {
	e := &r.Entry
	out := row{index: int64(e.Index), previous: e.PreviousHash, hash: e.EntryHash, leaf: e.Leaf}
	var err error
	if out.receivedAt, err = moment(e.ReceivedAt); err != nil {
		return row{}, fmt.Errorf("index %d: received_at: %w", e.Index, err)
	}
	if out.time, err = moment(e.Timestamp); err != nil {
		return row{}, fmt.Errorf("index %d: timestamp: %w", e.Index, err)
	}
	for i, text := range [len(out.texts)]string{e.EntryID, e.EventType, e.AgentDID, e.Action, e.Resource, e.TargetDID, e.Outcome, e.PolicyDecision,
		e.MatchedRule, e.TraceID, e.SessionID} {
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
		if out.raw == nil {
			out.raw = []byte{}
		}
		if entry.IsJSON(e.Extensions["datacontenttype"]) && fitsJSONB(p.Data) {
			out.data = p.Data
		}
	}
	return out, nil
}

// objects takes extensions and detail out of the leaf.
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

// moment reads a leaf's time, to the microsecond, which is all that Postgres keeps.
func moment(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	return t.Truncate(time.Microsecond).UTC(), err
}

// maxText is what a column holds of a text: with the index beside it, it must stay under the 2,704 bytes that a B-tree takes.
const maxText = 2000

// shorten makes a long text one that an index holds, and that another long text does not become.
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

// rows is a pgx.CopyFromSource.
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
