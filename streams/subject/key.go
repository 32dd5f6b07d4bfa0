package subject

// Cosigned returns the key in HEAD of the newest checkpoint that enough witnesses have cosigned.
// The key of the newest checkpoint is the log's name.
func Cosigned(log string) string { return log + "/cosigned" }

// Lease returns the key in HEAD that the active sealer updates while it seals.
func Lease(log string) string { return log + "/lease" }

// Access returns the key in HEAD under which the sealer names the newest access entry of each role
// of services, as a JSON object.
func Access(log string) string { return log + "/access" }

// Sweep returns the key in CURSORS of the sealer's sweep for orphaned payloads.
func Sweep(log string) string { return log + "/sweep" }

// AlertCursor returns the key in CURSORS of the follower that makes alerts.
func AlertCursor(log string) string { return log + "/alerts" }

// WebhookCursor returns the key in CURSORS of a webhook.
func WebhookCursor(log, webhook string) string { return log + "/webhook/" + webhook }

// SinkCursor returns the key in CURSORS of a sink that cannot store its own cursor.
func SinkCursor(log, sink string) string { return log + "/sink-" + sink }
