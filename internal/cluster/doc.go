// Package cluster configures a NATS server or cluster for one log: the settings of its servers, the
// users of the services and of the agents, and the streams.
package cluster
