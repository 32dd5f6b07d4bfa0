package client

import "time"

// SetRollBackAfter shortens the time for which a server may know less than before.
func SetRollBackAfter(c *Client, d time.Duration) { c.head.rollBackAfter = d }

// SetSilence shortens the time for which a server may send nothing.
func SetSilence(c *Client, d time.Duration) { c.api.silence = d }

// SetWitnessTimeout shortens the time that witnesses have.
func SetWitnessTimeout(c *Client, d time.Duration) { c.witnessTimeout = d }
