package entry

import (
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/redact"
)

// appendRedaction writes the redaction rules of a config (SPEC 13.1); redactionMember is its
// inverse, for one member.
func appendRedaction(dst []byte, r *redact.Rules) []byte {
	o := canonical.BeginObject(dst)
	o.Optional("hash", r.Hash)
	if len(r.Names) > 0 {
		o.Name("names")
		o.Dst = append(o.Dst, '[')
		for i, n := range r.Names {
			o.Dst = canonical.AppendComma(o.Dst, i)
			in := canonical.BeginObject(o.Dst)
			in.Text("kind", n.Kind)
			in.Text("name", n.Name)
			o.Dst = in.End()
		}
		o.Dst = append(o.Dst, ']')
	}
	if len(r.Rules) > 0 {
		o.Name("patterns")
		o.Dst = append(o.Dst, '[')
		for i, p := range r.Rules {
			o.Dst = canonical.AppendComma(o.Dst, i)
			in := canonical.BeginObject(o.Dst)
			in.Optional("contains", p.Contains)
			in.Text("kind", p.Kind)
			in.Text("match", p.Match)
			o.Dst = in.End()
		}
		o.Dst = append(o.Dst, ']')
	}
	if len(r.Private) > 0 {
		o.Texts("private_fields", r.Private)
	}
	o.Uint("set", r.Set)
	return o.End()
}

func redactionMember(r *redact.Rules, name string, v []byte) (err error) {
	switch name {
	case "hash":
		r.Hash, err = canonical.Unquote(v)
	case "names":
		err = canonical.WalkArray(v, func(v []byte) error {
			var n redact.Name
			err := textMembers(v, map[string]*string{"kind": &n.Kind, "name": &n.Name})
			r.Names = append(r.Names, n)
			return err
		})
	case "patterns":
		err = canonical.WalkArray(v, func(v []byte) error {
			var p redact.Pattern
			err := textMembers(v, map[string]*string{"contains": &p.Contains, "kind": &p.Kind, "match": &p.Match})
			r.Rules = append(r.Rules, p)
			return err
		})
	case "private_fields":
		err = canonical.WalkArray(v, func(v []byte) error {
			s, err := canonical.Unquote(v)
			r.Private = append(r.Private, s)
			return err
		})
	case "set":
		r.Set, err = canonical.Integer(v)
	default:
		err = errMember
	}
	return err
}

// textMembers reads an object whose members are strings.
func textMembers(v []byte, members map[string]*string) error {
	return canonical.WalkObject(v, func(name string, v []byte) (err error) {
		p := members[name]
		if p == nil {
			return errMember
		}
		*p, err = canonical.Unquote(v)
		return err
	})
}
