package entry

import (
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
)

// This file holds the entries that services write. Its section numbers are those of
// docs/SPEC-rules4.md.

// Access records that a version of the rules of access is in force for a role (5.1). The entry's
// data is the text of the rules.
type Access struct {
	Role     string  // ingest, query or alert
	Process  string  // name of the process that read the rules, 1 to 256 bytes
	Previous *uint64 // index of the newest Access of this role before; nil if there is none
}

// Read records that somebody read the log (5.2). The entry's data, if there is any, is the filter
// or the parameters of the call.
type Read struct {
	Role   string  // role of the service that answered: ingest, query or alert
	Access *uint64 // index of the Access by which the read was judged; nil if there was none
	Call   string  // unique for the call, 1 to 64 bytes
	Kind   string  // export, payload or admin
	Route  string  // pattern of the route, such as GET /v1/entries/{hash}, 1 to 256 bytes
	Count  *uint64 // how many entries were read; nil if it was not known yet
	First  *uint64 // first index of the range that was asked for; nil if there was none
	Last   *uint64 // last index of the range; nil if First is nil
	Size   *uint64 // size of the tree that was read; nil if that does not matter
}

// mayWrite are the roles of services.
var mayWrite = []string{"alert", "ingest", "query"}

func (d *Access) appendJSON(dst []byte) []byte {
	o := canonical.BeginObject(dst)
	if d.Previous != nil {
		o.Uint("previous", *d.Previous)
	}
	o.Text("process", d.Process)
	o.Text("role", d.Role)
	return o.End()
}

func (d *Access) member(name string, v []byte) (err error) {
	switch name {
	case "previous":
		d.Previous = new(uint64)
		*d.Previous, err = canonical.Integer(v)
	case "process":
		d.Process, err = canonical.Unquote(v)
	case "role":
		d.Role, err = canonical.Unquote(v)
	default:
		err = errMember
	}
	return err
}

func (d *Access) check() error {
	if !slices.Contains(mayWrite, d.Role) {
		return fault("role", "%.40q is no role of a service", d.Role)
	}
	return checkShort("process", d.Process, 256)
}

func (d *Read) appendJSON(dst []byte) []byte {
	o := canonical.BeginObject(dst)
	number := func(name string, n *uint64) {
		if n != nil {
			o.Uint(name, *n)
		}
	}
	number("access", d.Access)
	o.Text("call", d.Call)
	number("count", d.Count)
	number("first", d.First)
	o.Text("kind", d.Kind)
	number("last", d.Last)
	o.Text("role", d.Role)
	o.Text("route", d.Route)
	number("size", d.Size)
	return o.End()
}

func (d *Read) member(name string, v []byte) (err error) {
	if text := map[string]*string{
		"call": &d.Call, "kind": &d.Kind, "role": &d.Role, "route": &d.Route,
	}[name]; text != nil {
		*text, err = canonical.Unquote(v)
		return err
	}
	number := map[string]**uint64{
		"access": &d.Access, "count": &d.Count, "first": &d.First, "last": &d.Last, "size": &d.Size,
	}[name]
	if number == nil {
		return errMember
	}
	*number = new(uint64)
	**number, err = canonical.Integer(v)
	return err
}

func (d *Read) check() error {
	switch {
	case !slices.Contains(mayWrite, d.Role):
		return fault("role", "%.40q is no role of a service", d.Role)
	case d.Kind != "export" && d.Kind != "payload" && d.Kind != "admin":
		return fault("kind", "%.40q is none of export, payload, admin", d.Kind)
	case (d.First == nil) != (d.Last == nil) || d.First != nil && *d.First > *d.Last:
		return fault("first", "first and last are no range")
	}
	if err := checkShort("call", d.Call, 64); err != nil {
		return err
	}
	return checkShort("route", d.Route, 256)
}

// checkShort checks a text in a detail (5).
func checkShort(field, s string, most int) error {
	if s == "" || len(s) > most {
		return fault(field, "%d bytes, not 1 to %d", len(s), most)
	}
	return checkValue(field, s)
}

// checkDetail checks an entry that a service wrote, and a config or a rejected entry with
// ruleset.Blinding (6).
func (e *Entry) checkDetail() error {
	switch d := e.Detail.(type) {
	case *Config:
		return d.checkPrivate()
	case *Rejected:
		if e.Blind != "" && !d.fits(e) {
			return fmt.Errorf("%s without data, or its digest does not fit", e.EventType)
		}
	case *Access:
		if e.Blind == "" || e.DataHash == nil || d.Previous != nil && *d.Previous >= e.Index {
			return fmt.Errorf("%s without blind or data, or before an older one", e.EventType)
		}
		return d.check()
	case *Read:
		if e.Blind == "" || e.Publisher == "" || d.Access != nil && *d.Access >= e.Index {
			return fmt.Errorf("%s without blind or publisher, or before its access entry", e.EventType)
		}
		return d.check()
	}
	return nil
}

// fits reports whether the digest has its form, and is that of the data if the data is the whole
// (SPEC 5.2). Leaves without a blind are checked together with their data alone, as ever.
func (d *Rejected) fits(e *Entry) bool {
	_, err := ParseHash(d.Digest)
	whole := e.Redactions == nil && d.Size <= ruleset.MaxRejectedBytes
	return err == nil && e.DataHash != nil && (!whole || d.Digest == e.DataHash.String())
}

// Service reads an event of a service: Data is one structured event of a record on the subject of
// a role. detail is an *Access or a *Read, and text is the data of its entry, nil if it has none.
// Errors are *FieldError. Whether the detail fits the state of the log is for the sealer to decide.
func (m Message) Service(role string) (eventType string, detail Detail, text []byte, err error) {
	e, err := parseStructured(m.Data)
	if err != nil {
		return "", nil, nil, err
	}
	if err := e.checkService(); err != nil {
		return "", nil, nil, err
	}
	text, err = serviceData(&e, &detail)
	if err != nil {
		return "", nil, nil, err
	}
	own := ""
	switch d := detail.(type) {
	case *Access:
		err, own = d.check(), d.Role
		if err == nil && text == nil {
			err = fault("data", "text is required")
		}
	case *Read:
		err, own = d.check(), d.Role
	}
	if err == nil && own != role {
		err = fault("role", "%q is not the role of the subject", own)
	}
	return e.Type, detail, text, err
}

// checkService checks the attributes of a service's event.
func (e *Event) checkService() error {
	switch {
	case e.ID == "" || e.Source == "":
		return fault("id", "id and source are required")
	case e.Type != ruleset.TypeAccess && e.Type != ruleset.TypeRead:
		return fault("type", "%.80q is not written by services", e.Type)
	case !e.rawJSON:
		return fault("data", "JSON is required")
	case e.AgentSeq != nil || e.AgentPrev != "" || e.Salt != nil:
		return fault("", "an attribute that a service's event does not have")
	}
	for name := range e.Attributes() {
		switch name {
		case "id", "source", "type", "time", "datacontenttype":
		default:
			return fault(name, "a service's event does not have it")
		}
	}
	return nil
}

// serviceData reads the data of a service's event: the detail and the text.
func serviceData(e *Event, detail *Detail) (text []byte, err error) {
	err = canonical.WalkObject(e.Data, func(name string, v []byte) (err error) {
		switch name {
		case "detail":
			*detail, err = parseDetail(e.Type, v)
		case "text":
			var s string
			if s, err = canonical.Unquote(v); err == nil {
				text = []byte(s)
			}
			if err == nil && (s == "" || len(s) > ruleset.MaxDataBytes) {
				err = fault("text", "%d bytes, not 1 to %d", len(s), ruleset.MaxDataBytes)
			}
		default:
			err = errMember
		}
		return err
	})
	if err == nil && *detail == nil {
		err = fault("data", "detail is required")
	}
	if err != nil {
		return nil, fault("data", "%v", err)
	}
	return text, nil
}

// AppendJSON appends the canonical JSON of the detail.
func (d *Access) AppendJSON(dst []byte) []byte { return d.appendJSON(dst) }

// AppendJSON appends the canonical JSON of the detail.
func (d *Read) AppendJSON(dst []byte) []byte { return d.appendJSON(dst) }
