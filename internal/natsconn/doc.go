// Package natsconn connects to a NATS server by flags, a nats context or a URL. It sends no
// password to another machine without TLS, and waits while a cluster elects its leaders.
package natsconn
