package cluster

import (
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/streams"
)

// StreamFlags are what an installation decides of a log's streams.
type StreamFlags struct {
	EventsMaxBytes   settings.Bytes `help:"Size limit of EVENTS. 0 keeps the limit of an existing stream and creates a new one with 2GiB." default:"0" placeholder:"SIZE"`
	SealedMaxBytes   settings.Bytes `help:"Size limit of SEALED. 0: as above, with 16GiB." default:"0" placeholder:"SIZE"`
	PayloadsMaxBytes settings.Bytes `help:"Size limit of PAYLOADS. 0: as above, with 32GiB." default:"0" placeholder:"SIZE"`
	AlertsMaxBytes   settings.Bytes `help:"Size limit of ALERTS. 0: as above, with 1GiB." default:"0" placeholder:"SIZE"`
	PlacementCluster string         `help:"Name of the NATS cluster to create the streams in. Default: any." placeholder:"NAME"`
	PlacementTag     []string       `help:"Tag of the servers to create the streams on." placeholder:"TAG"`
}

// Config is the declaration of the log's streams with these settings.
func (f StreamFlags) Config(log string, replicas int) streams.Config {
	return streams.Config{Log: log, Replicas: replicas, Placement: streams.Place(f.PlacementCluster, f.PlacementTag),
		EventsMaxBytes: int64(
			f.EventsMaxBytes,
		), SealedMaxBytes: int64(f.SealedMaxBytes), PayloadsMaxBytes: int64(f.PayloadsMaxBytes),
		AlertsMaxBytes: int64(f.AlertsMaxBytes)}
}
