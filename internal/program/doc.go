// Package program is what the commands have in common: their flags, their settings from the
// environment and from a configuration file, standard error, and what they add to the wiring of
// package node.
package program
