// Package tlsfiles reads certificates and private keys from PEM files, for HTTP servers and
// clients. A server reads changed files again without a restart.
package tlsfiles
