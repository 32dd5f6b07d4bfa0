package ingest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/proof"
)

// answers holds the buffers in which receipts are written.
var answers = sync.Pool{New: func() any { return new(make([]byte, 0, 2*answerBytes)) }}

// answerBytes is how much of an answer is collected before it is sent. An answer of many receipts
// takes many times the memory of its request.
const answerBytes = 16 << 10

var (
	jsonType = []string{"application/json"}
	noSniff  = []string{"nosniff"}
)

// answerReceipts answers with receipts, as encoding/json writes them.
func answerReceipts(w http.ResponseWriter, answer api.Receipts) {
	h := w.Header()
	h["Content-Type"], h["X-Content-Type-Options"] = jsonType, noSniff
	buf := answers.Get().(*[]byte)
	out := append((*buf)[:0], `{"receipts":[`...)
	whole := true
	for i := range answer.Receipts {
		if i > 0 {
			out = append(out, ',')
		}
		if out = appendReceipt(out, &answer.Receipts[i]); len(out) >= answerBytes {
			whole = false
			w.Write(out) // an error means that the client has gone
			out = out[:0]
		}
	}
	out = append(appendProofs(out, answer.Proofs), '\n')
	if whole {
		h["Content-Length"] = []string{strconv.Itoa(len(out))}
	}
	w.Write(out)
	if *buf = out; cap(out) <= 2*answerBytes {
		answers.Put(buf)
	}
}

// formatReceipts returns the receipts of a NATS request, as encoding/json writes them.
func formatReceipts(answer api.Receipts) []byte {
	out := append(make([]byte, 0, 256), `{"receipts":[`...)
	for i := range answer.Receipts {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendReceipt(out, &answer.Receipts[i])
	}
	return appendProofs(out, answer.Proofs)
}

// appendProofs ends the receipts and the answer.
func appendProofs(dst []byte, proofs []proof.BatchProof) []byte {
	dst = append(dst, ']')
	if proofs != nil {
		dst = append(dst, `,"proofs":`...)
		dst = append(dst, body(proofs)...)
	}
	return append(dst, '}')
}

// appendReceipt appends what encoding/json writes for a receipt, at a tenth of its cost.
func appendReceipt(dst []byte, r *api.Receipt) []byte {
	o := members{dst: append(dst, '{')}
	o.text("entry_id", r.EntryID)
	o.text("agent_did", r.AgentDID)
	o.name("status")
	o.dst = appendText(o.dst, r.Status)
	o.number("index", r.Index)
	o.text("entry_hash", r.EntryHash)
	o.number("input_seq", r.InputSeq)
	o.name("position")
	o.dst = strconv.AppendUint(o.dst, r.Position, 10)
	o.text("durability", r.Durability)
	o.number("equivocation_of", r.EquivocationOf)
	o.text("checkpoint", r.Checkpoint)
	if r.ProofAt != nil {
		o.name("proof")
		o.dst = strconv.AppendInt(o.dst, int64(*r.ProofAt), 10)
	}
	o.text("leaf", r.Leaf)
	o.text("salt", r.Salt)
	o.text("wait", r.Wait)
	if r.Error != nil {
		o.name("error")
		o.dst = append(o.dst, body(r.Error)...)
	}
	return append(o.dst, '}')
}

// members writes the members of an object. Empty values are left out.
type members struct{ dst []byte }

func (o *members) name(name string) {
	if o.dst[len(o.dst)-1] != '{' {
		o.dst = append(o.dst, ',')
	}
	o.dst = append(o.dst, '"')
	o.dst = append(o.dst, name...)
	o.dst = append(o.dst, `":`...)
}

func (o *members) text(name, value string) {
	if value != "" {
		o.name(name)
		o.dst = appendText(o.dst, value)
	}
}

func (o *members) number(name string, n uint64) {
	if n != 0 {
		o.name(name)
		o.dst = strconv.AppendUint(o.dst, n, 10)
	}
}

// appendText appends s as encoding/json writes it. Checkpoints have line feeds and a dash, leaves
// have quotes; what else needs an escape is rare.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	begin := len(dst)
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\n':
			dst = append(dst, '\\', 'n')
			i++
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
			i++
		case c < utf8.RuneSelf && plain[c]:
			end := i + 1
			for end < len(s) && s[end] < utf8.RuneSelf && plain[s[end]] {
				end++
			}
			dst = append(dst, s[i:end]...)
			i = end
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r < utf8.RuneSelf || r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
				text, err := json.Marshal(s)
				if err != nil {
					panic(err) // a string always marshals
				}
				return append(dst[:begin-1], text...)
			}
			dst = append(dst, s[i:i+n]...)
			i += n
		}
	}
	return append(dst, '"')
}

// plain says which ASCII characters encoding/json writes as they are.
var plain = func() (list [utf8.RuneSelf]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		switch c {
		case '"', '\\', '<', '>', '&':
		default:
			list[c] = true
		}
	}
	return list
}()
