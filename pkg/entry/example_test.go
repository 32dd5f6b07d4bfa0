package entry_test

import (
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
)

// What is refused is refused with the attribute at fault.
func ExampleParseEvent() {
	_, err := entry.ParseEvent([]byte(`{"specversion":"1.0","id":"1","source":"did:mesh:alice","type":"x.y",` +
		`"action":"permit"}`))
	fmt.Println(err)
	_, err = entry.ParseEvent([]byte(`{"specversion":"1.0","id":"1","id":"2","source":"did:mesh:alice","type":"x.y"}`))
	fmt.Println(err)
	// Output:
	// action: "permit" is none of allow, deny, audit, quarantine, warning
	// id: duplicate member name in JSON
}

// Anyone can check an entry from the bytes of its leaf.
func ExampleEntry_Verify() {
	const leaf = `{"agent_did":"did:mesh:alice","cloudevent_type":"x.y","entry_id":"1","event_type":"x.y",` +
		`"index":0,"input_epoch":1,"input_seq":1,"log":"default","outcome":"denied","position":0,` +
		`"previous_hash":"0000000000000000000000000000000000000000000000000000000000000000",` +
		`"received_at":"2026-11-24T08:30:00.000000000Z","timestamp":"2026-11-24T08:30:00.000000000Z","v":1}`
	e, err := entry.ParseEntry([]byte(leaf))
	fmt.Println(err, e.Verify())
	e.Outcome = "success"
	fmt.Println(e.Verify())
	// Output:
	// <nil> true
	// false
}
