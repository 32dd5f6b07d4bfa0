package sealer

// plant puts the plan's bug into a sealer.
func (w *world) plant(c *client, cfg *Config) {}
