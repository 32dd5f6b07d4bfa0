package entry

import "github.com/sealstream/sealstream/pkg/redact"

// appendRedaction writes the redaction rules of a config (SPEC 13.1); redactionMember is its inverse, for one member.
func appendRedaction(dst []byte, r *redact.Rules) []byte {
	o := beginObject(dst)
	o.str("hash", r.Hash)
	if len(r.Names) > 0 {
		o.name("names")
		o.dst = append(o.dst, '[')
		for i, n := range r.Names {
			o.dst = comma(o.dst, i)
			in := beginObject(o.dst)
			in.text("kind", n.Kind)
			in.text("name", n.Name)
			o.dst = in.end()
		}
		o.dst = append(o.dst, ']')
	}
	if len(r.Rules) > 0 {
		o.name("patterns")
		o.dst = append(o.dst, '[')
		for i, p := range r.Rules {
			o.dst = comma(o.dst, i)
			in := beginObject(o.dst)
			in.str("contains", p.Contains)
			in.text("kind", p.Kind)
			in.text("match", p.Match)
			o.dst = in.end()
		}
		o.dst = append(o.dst, ']')
	}
	if len(r.Private) > 0 {
		o.strings("private_fields", r.Private)
	}
	o.num("set", r.Set)
	return o.end()
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

func redactionMember(r *redact.Rules, name string, v []byte) (err error) {
	switch name {
	case "hash":
		r.Hash, err = unquote(v)
	case "names":
		err = walkArray(v, func(v []byte) error {
			var n redact.Name
			err := textMembers(v, map[string]*string{"kind": &n.Kind, "name": &n.Name})
			r.Names = append(r.Names, n)
			return err
		})
	case "patterns":
		err = walkArray(v, func(v []byte) error {
			var p redact.Pattern
			err := textMembers(v, map[string]*string{"contains": &p.Contains, "kind": &p.Kind, "match": &p.Match})
			r.Rules = append(r.Rules, p)
			return err
		})
	case "private_fields":
		err = walkArray(v, func(v []byte) error {
			s, err := unquote(v)
			r.Private = append(r.Private, s)
			return err
		})
	case "set":
		r.Set, err = integer(v)
	default:
		err = errMember
	}
	return err
}

// textMembers reads an object whose members are strings.
func textMembers(v []byte, members map[string]*string) error {
	return walkObject(v, func(name string, v []byte) (err error) {
		p := members[name]
		if p == nil {
			return errMember
		}
		*p, err = unquote(v)
		return err
	})
}
