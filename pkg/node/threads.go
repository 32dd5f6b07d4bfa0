package node

import "github.com/sealstream/sealstream/pkg/internal/natsd"

// Threads lets a program that is nothing but a log with its own NATS server run more threads than processors, unless GOMAXPROCS is set: those that wait
// for the disk count as running. It is for main, once; Embedded leaves its host's settings alone.
func Threads() { natsd.Threads() }
