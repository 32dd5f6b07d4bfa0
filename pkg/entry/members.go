package entry

import (
	"maps"
	"strings"

	"github.com/sealstream/sealstream/internal/ruleset"
)

// This file holds what ruleset.Blinding adds to leaves. Its section numbers are those of
// docs/SPEC-rules4.md.

// movedAttributes are the attributes that have a member of their own in leaves with a blind (3).
var movedAttributes = [...]string{
	"actiondigest", "actiontype", "agentkey", "approvalgrant", "authid", "authtype", "causationid", "policyversion",
}

// Attributes that are kept in the payload record instead of a leaf with a blind (4.1).
const (
	attributeActionSalt = "actionsalt"
	attributeMaterial   = "dssematerial"
)

// moved returns the member of an attribute, or nil if it has none of its own.
func (e *Entry) moved(attribute string) *string {
	switch attribute {
	case "actiondigest":
		return &e.ActionDigest
	case "actiontype":
		return &e.ActionType
	case "agentkey":
		return &e.AgentKey
	case "approvalgrant":
		return &e.Approval
	case "authid":
		return &e.Principal
	case "authtype":
		return &e.PrincipalType
	case "causationid":
		return &e.CausedBy
	case "policyversion":
		return &e.PolicyVersion
	}
	return nil
}

// leaves reports whether an attribute with this value does not stay in the extensions of a leaf
// with a blind (4.1).
func leaves(attribute, value string) bool {
	switch attribute {
	case attributeActionSalt, attributeMaterial:
		return value != ""
	case "agentkey":
		return isKeyID(value)
	case "actiondigest", "approvalgrant":
		_, err := ParseHash(value)
		return err == nil
	}
	return value != "" && new(Entry).moved(attribute) != nil
}

// notPrivate reports whether an attribute cannot be a private field from ruleset.Blinding on (4.4).
func notPrivate(attribute string) bool {
	switch attribute {
	case "agentkey", "actiondigest", attributeActionSalt, "approvalgrant", attributeMaterial, "signedextattrs",
		"actiontype", "causationid":
		return true
	}
	return false
}

// isKeyID reports whether a text has the form of a key id (3). It may still be that of no key.
func isKeyID(s string) bool {
	const digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	return len(s) == 48 && strings.HasPrefix(s, "z6Mk") && strings.Trim(s, digits) == ""
}

// EntryBy is Entry for a leaf under the sealing rules of a number. From ruleset.Blinding on,
// attributes become members of their own, or go into the payload (Event.Beside).
func (e *Event) EntryBy(rules uint64) Entry {
	leaf := e.Entry()
	if rules < ruleset.Blinding {
		return leaf
	}
	leaf.Altered = e.altered
	own := false // leaf.Extensions is a copy
	for name, value := range e.Extensions {
		if !leaves(name, value) {
			continue
		}
		if !own {
			leaf.Extensions, own = maps.Clone(e.Extensions), true
		}
		delete(leaf.Extensions, name)
		if p := leaf.moved(name); p != nil {
			*p = value
		}
	}
	if len(leaf.Extensions) == 0 {
		leaf.Extensions = nil
	}
	return leaf
}

// Binds reports whether the event has an attribute that its sender has made of the event as it is:
// a signature, foreign material or what belongs to an action. Whoever hands the event on must not
// redact it (4.4).
func (e *Event) Binds() bool {
	if e.Signature != "" {
		return true
	}
	for _, name := range []string{attributeMaterial, "actiondigest", attributeActionSalt} {
		if _, ok := e.Extensions[name]; ok {
			return true
		}
	}
	return false
}

// Altered reports whether Redact has found something, from ruleset.Blinding on.
func (e *Event) Altered() bool { return e.altered }

// Beside returns what the payload of the event holds besides data and salt from ruleset.Blinding
// on. Each is empty if the event does not have it.
func (e *Event) Beside() (actionSalt, material string) {
	return e.Extensions[attributeActionSalt], e.Extensions[attributeMaterial]
}

// attributesOf returns the extensions that the event of a leaf had: those of the leaf, and the
// members that were extensions before ruleset.Blinding. The caller must not change the map.
func (e *Entry) attributesOf() map[string]string {
	all, own := e.Extensions, false
	for _, name := range movedAttributes {
		value := *e.moved(name)
		if value == "" {
			continue
		}
		if !own {
			all, own = maps.Clone(e.Extensions), true
			if all == nil {
				all = make(map[string]string, len(movedAttributes))
			}
		}
		all[name] = value
	}
	return all
}

// Attributes returns every attribute of the entry's event that has no field of its own in Event, by
// its name: the extensions, and from ruleset.Blinding on the members that are made of attributes.
// The caller may change the map.
func (e *Entry) Attributes() map[string]string {
	all := make(map[string]string, len(e.Extensions)+len(movedAttributes))
	maps.Copy(all, e.attributesOf())
	return all
}

// Attribute returns one of Attributes, or "".
func (e *Entry) Attribute(name string) string {
	if p := e.moved(name); p != nil && *p != "" {
		return *p
	}
	return e.Extensions[name]
}
