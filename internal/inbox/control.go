package inbox

import "github.com/sealstream/sealstream/internal/canonical"

// FormatControl makes the body of a control message.
func FormatControl(id, source, eventType string, detail []byte) []byte {
	o := canonical.BeginObject(nil)
	o.Text("specversion", "1.0")
	o.Text("id", id)
	o.Text("source", source)
	o.Text("type", eventType)
	o.Name("data")
	o.Dst = append(o.Dst, detail...)
	return o.End()
}
