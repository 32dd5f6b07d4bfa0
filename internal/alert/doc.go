// Package alert reports what people should know about a log at once. It consists of a follower of
// SEALED, which publishes one CloudEvent for each entry of a few event types and for each match of
// a rule, and of a dispatcher that delivers these to webhooks.
//
//	SEALED ─store.Follower (verified)─▶ engine (rules, windows) ─▶ ALERTS ─▶ subscribers, webhooks, `sealstream alerts`
//
// Each alert is on ALERTS exactly once. Its id is derived from the log, the entry and the rule. A
// publisher has read ALERTS to its end and appends with the expected last sequence, so it knows
// that the id is not there. The state is saved after the acknowledgement, never before it. A crash
// at any point, or a second follower beside the first, costs only repeated reading.
//
// Webhooks get each alert at least once. A crash between the answer and the saved cursor sends the
// alert again, under the same webhook-id.
package alert
