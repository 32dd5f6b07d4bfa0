// Package datadir is the data directory of a log in one process: its format, its lock, the log's
// keys and their rotation, its check-up, and the audit of a copy. A folder of keys alone, as a
// sealer on a cluster has it, is read and rotated by the same functions.
package datadir
