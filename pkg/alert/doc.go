// Package alert tells people what a log holds that they should know at once. It is a follower of SEALED, which publishes one CloudEvent for
// each entry of a few event types and for each match of a rule, and a dispatcher that sends these on to webhooks.
//
//	SEALED ─store.Follower (verified)─▶ engine (rules, windows) ─▶ ALERTS ─▶ NATS subscribers, webhooks, `sealstream alerts`
//
// Each alert stands on ALERTS exactly once. Its id follows from the log, the entry and the rule; whoever publishes has read ALERTS to its end,
// and writes with the expected last sequence: so a message is appended only by someone who knows that its id is not there. What was done is
// saved behind the acknowledgement, never before it. A crash anywhere, or a second follower beside the first, costs a repeated reading.
//
// Webhooks get each alert at least once: a crash between the answer and the saved cursor sends one again, under the same webhook-id.
//
// No compatibility is promised for this package yet.
package alert
