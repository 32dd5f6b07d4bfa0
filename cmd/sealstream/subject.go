package main

import (
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/streams/subject"
)

type subjectCmd struct {
	DID    string `arg:"" help:"The agent's DID: the source of its events."`
	Submit bool   `help:"Instead, the subject of requests, which ingest answers with receipts."`
}

func (*subjectCmd) Help() string {
	return "Example:\n  sealstream subject did:web:agent.example.com"
}

// Run prints the subject on which the agent publishes. It contains a token instead of the DID,
// because a DID may contain dots and wildcards, which have a meaning in NATS.
func (c *subjectCmd) Run(a *app) error {
	if c.DID == "" {
		return errors.New("subject: the DID is empty")
	}
	to := subject.Events(a.logName, subject.AgentToken(c.DID))
	if c.Submit {
		to = subject.Submit(a.logName, subject.AgentToken(c.DID))
	}
	if a.json {
		return a.print(map[string]string{"agent_did": c.DID, "token": subject.AgentToken(c.DID), "subject": to})
	}
	_, err := fmt.Fprintln(a.out, to)
	return err
}
