package main

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	columns := []column{{title: "N"}, {title: "AGENT", least: 8}, {title: "RESOURCE", least: 6}}
	fill := func(width int) string {
		x := table{style: style{width: width}, columns: columns}
		x.add("", "1", "did:web:agent-1.example.com", "/tools/"+strings.Repeat("x", 40))
		x.add("", "12345", "did:web:b", "/a")
		var b strings.Builder
		if err := x.write(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for width, want := range map[int]string{
		0: "N      AGENT                        RESOURCE\n" +
			"1      did:web:agent-1.example.com  /tools/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n" +
			"12345  did:web:b                    /a\n",
		40: "N      AGENT            RESOURCE\n" +
			"1      did:web:agent-…  /tools/xxxxxxxx…\n" +
			"12345  did:web:b        /a\n",
		25: "N      AGENT     RESOURCE\n" +
			"1      did:web…  /tools/…\n" +
			"12345  did:web…  /a\n",
	} {
		if got := fill(width); got != want {
			t.Errorf("%d columns:\n%s", width, got)
		}
	}
}
