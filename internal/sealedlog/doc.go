// Package sealedlog defines the messages of the streams SEALED and PAYLOADS (SPEC 6 and 7): how a
// batch of leaves is written and read. It checks their form. Package audit checks their content.
package sealedlog
