// Package migrate moves a log from its data directory onto a NATS server or cluster.
package migrate
