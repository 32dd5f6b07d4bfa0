package main

import (
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams"
)

type subjectCmd struct {
	DID    string `arg:"" help:"The agent's DID: the source of its events."`
	Submit bool   `help:"Instead, the subject of requests, which ingest answers with receipts."`
}

func (*subjectCmd) Help() string {
	return "Example:\n  sealstream subject did:web:agent.example.com"
}

// Run prints the subject on which the agent publishes: never the DID itself, whose dots and wildcards would speak NATS.
func (c *subjectCmd) Run(a *app) error {
	subject := streams.EventsSubject(a.log, entry.AgentToken(c.DID))
	if c.Submit {
		subject = streams.SubmitSubject(a.log, entry.AgentToken(c.DID))
	}
	if a.json {
		return a.print(map[string]string{"agent_did": c.DID, "token": entry.AgentToken(c.DID), "subject": subject})
	}
	_, err := fmt.Fprintln(a.out, subject)
	return err
}
