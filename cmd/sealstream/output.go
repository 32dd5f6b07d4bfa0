package main

import (
	"errors"
	"fmt"
	"io"
	"syscall"
)

// output is standard output. It keeps its first error, so that a verb whose output was lost does
// not exit with 0.
type output struct {
	io.Writer
	lost error
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil && o.lost == nil {
		o.lost = err
	}
	return n, err
}

// lost returns the first error of an output. EPIPE is no error: its reader has read what it wanted.
func lost(w io.Writer) error {
	if o, ok := w.(*output); ok && o.lost != nil && !errors.Is(o.lost, syscall.EPIPE) {
		return fmt.Errorf("output: %w", o.lost)
	}
	return nil
}
