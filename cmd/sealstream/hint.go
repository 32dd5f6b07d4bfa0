package main

// Defaults of --server and --log.
const (
	defaultServer = "http://127.0.0.1:8420"
	defaultLog    = "default"
)

// hintFlags returns the flags that a suggested command needs to reach the same server and log. The
// result begins with a space, or is empty if they are the defaults.
func hintFlags(server, log string) (flags string) {
	if server != defaultServer {
		flags += " --server " + shellWord(server)
	}
	if log != defaultLog {
		flags += " --log " + shellWord(log)
	}
	return flags
}
