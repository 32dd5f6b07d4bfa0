// Package logtest has the fixtures of tests: keys, an embedded NATS server, a log with its sealer,
// and events in it.
//
// Everything that it starts ends with the test, and everything that goes wrong fails the test. Only
// tests import it.
package logtest
