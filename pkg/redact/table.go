package redact

import (
	"encoding/json"
	"sync"
)

// table2 is set 2 as data, for implementations in other languages and for its hash.
type table2 struct {
	Set      int               `json:"set"`
	Classes  map[string]string `json:"classes"`
	Shapes   [][]any           `json:"shapes"` // kind, start, form, match, fold, strict
	Issuers  [][2]string       `json:"issuers"`
	Names    [][2]string       `json:"names"`
	NotNames []string          `json:"not_names"`
	Anchors  []string          `json:"anchors"`
	Numeric  []string          `json:"numeric"`
	Pairs    []string          `json:"pair_names"`
	Values   []string          `json:"pair_values"`
	About    []string          `json:"about"`
	Generic  map[string]string `json:"generic"`
	NotGen   []string          `json:"not_generic"`
	Version  string            `json:"matchers"`
}

// matchersVersion is the version of the matchers. What they find is part of the set: to change it
// after a release, make a new set.
const matchersVersion = "2"

// Table returns set 2 as JSON. The Python SDK uses the same table, with matchers that do the same
// as those of this package.
func Table() []byte {
	t := table2{
		Set:      2,
		Classes:  map[string]string{},
		NotNames: notNames2,
		Anchors:  anchors2,
		Numeric:  numeric1,
		Pairs:    pairNames2,
		Values:   pairValues2,
		About:    about2,
		Generic:  generic,
		NotGen:   notGeneric,
		Version:  matchersVersion,
	}
	for name, c := range classes2 {
		t.Classes[name] = c.String()
	}
	for _, s := range shapes2 {
		t.Shapes = append(t.Shapes, []any{s.kind, s.start, s.form, s.match, s.fold, s.strict})
	}
	for _, is := range issuers2 {
		t.Issuers = append(t.Issuers, [2]string{is.word, is.form})
	}
	for _, n := range names2 {
		t.Names = append(t.Names, [2]string{n.name, n.kind})
	}
	out, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings always encode
	}
	return out
}

// describe2 returns set 2 as text: the JSON of Table.
var describe2 = sync.OnceValue(Table)

// String returns the characters of a class, in order.
func (c *class) String() string {
	var b []byte
	for i, in := range c {
		if in {
			b = append(b, byte(i))
		}
	}
	return string(b)
}
