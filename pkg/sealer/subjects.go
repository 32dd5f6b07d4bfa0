package sealer

// The subjects on which the sealer writes, and on which administrators speak to it.
func payloadsSubject(log string) string { return "audit." + log + ".payloads" }
func sealedSubject(log string) string   { return "audit." + log + ".sealed" }
func controlSubject(log string) string  { return "audit." + log + ".control" }
