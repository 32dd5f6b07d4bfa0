package sink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Lines is the scheme of `stdout:`. Each entry is a line of JSON, as the API shows it, with its members in the order of their names; all of a batch
// is written at once, and nothing is held back.
func Lines(w io.Writer) Scheme {
	return func(u *url.URL, p *Params) (Open, error) {
		if u.Host != "" || u.Path != "" || u.Opaque != "" {
			return nil, errors.New("stdout takes no host and no path")
		}
		return func(context.Context) (Sink, error) {
			return NewOutlet(func(_ context.Context, records []Record) error {
				var text bytes.Buffer
				for i := range records {
					if err := appendShown(&text, &records[i]); err != nil {
						return err
					}
				}
				_, err := w.Write(text.Bytes())
				return err
			}, nil), nil
		}, nil
	}
}

// appendShown writes an entry as the API shows it, and a line feed.
func appendShown(dst *bytes.Buffer, r *Record) error {
	bare, err := r.Entry.MarshalJSON()
	if err != nil {
		return err
	}
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(bare))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		return err
	}
	if p := r.Payload; p != nil {
		switch {
		case r.Entry.EventType != entry.TypeRejected && entry.IsJSON(r.Entry.Extensions["datacontenttype"]) && entry.CheckJSON(p.Data, entry.MaxDepth) == nil:
			members["data"] = json.RawMessage(p.Data)
		case entry.IsText(p.Data):
			members["data"] = string(p.Data)
		default:
			members["data_base64"] = p.Data
		}
	}
	e := json.NewEncoder(dst)
	e.SetEscapeHTML(false)
	return e.Encode(members)
}
