package client

import "time"

// SetRollBackAfter shortens the time for which a server may know less than before.
func SetRollBackAfter(c *Client, d time.Duration) { c.head.rollBackAfter = d }

// Patience shortens the time that witnesses have.
func Patience(c *Client, d time.Duration) { c.patience = d }
