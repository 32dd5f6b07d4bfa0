// Package agtapi serves the HTTP API of the agent-governance-toolkit's audit collector from a log.
// What its clients send is sealed like any other event, and what they ask is answered from the log.
package agtapi
