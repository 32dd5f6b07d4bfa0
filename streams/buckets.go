package streams

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The buckets, which all logs of an account share: keys begin with the log's name. What stands in them is derived from SEALED and never
// the truth.
const (
	HeadBucket    = "HEAD"    // <log>: the newest checkpoint, for those who do not read SEALED
	TilesBucket   = "TILES"   // <log>/tile/…: full tiles of hashes under their C2SP paths, each written once
	CursorsBucket = "CURSORS" // <log>/<follower>: how far each follower has come; losing it costs a replay
	ArchiveBucket = "ARCHIVE" // <log>/<segment>/…: objects, from which SEALED is whole after it was trimmed
)

func (c Config) bucket(name, description string) jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{Bucket: name, Description: description, History: 1, Storage: jetstream.FileStorage, Replicas: c.replicas(), Placement: c.Placement}
}

// streamOf is the stream that the client library makes of a bucket; Check compares with it. A bucket answers from any replica: what stands in one is
// a hint, or is verified.
func streamOf(b jetstream.KeyValueConfig) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: "KV_" + b.Bucket, Subjects: []string{"$KV." + b.Bucket + ".>"}, Replicas: b.Replicas, Storage: b.Storage, Retention: jetstream.LimitsPolicy,
		Discard: jetstream.DiscardNew, MaxConsumers: -1, MaxMsgs: -1, MaxMsgSize: -1, MaxMsgsPerSubject: int64(b.History), Duplicates: 2 * time.Minute,
		DenyDelete: true, AllowRollup: true, AllowDirect: true,
	}
}

// head is a cache: the newest put wins, and the signature inside is what is believed.
func (c Config) head() jetstream.KeyValueConfig {
	return c.bucket(HeadBucket, "newest checkpoint of each log")
}

// tiles are written once; one that differs from the log is an alarm.
func (c Config) tiles() jetstream.KeyValueConfig {
	return c.bucket(TilesBucket, "full tiles of each log's tree")
}

func (c Config) cursors() jetstream.KeyValueConfig {
	return c.bucket(CursorsBucket, "how far each follower has come")
}

// archive is the one bucket that is not derived once SEALED is trimmed: it then holds what SEALED no longer has. It is as little believed as that.
func (c Config) archive() jetstream.ObjectStoreConfig {
	return jetstream.ObjectStoreConfig{Bucket: ArchiveBucket, Description: "segments of each log", Storage: jetstream.FileStorage, Replicas: c.replicas(), Placement: c.Placement}
}

// streamOfObjects is the stream that the client library makes of an object store; Check compares with it.
func streamOfObjects(b jetstream.ObjectStoreConfig) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: "OBJ_" + b.Bucket, Subjects: []string{"$O." + b.Bucket + ".C.>", "$O." + b.Bucket + ".M.>"}, Replicas: b.Replicas, Storage: b.Storage,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, MaxConsumers: -1, MaxMsgs: -1, MaxMsgSize: -1, MaxMsgsPerSubject: -1,
		Duplicates: 2 * time.Minute, AllowRollup: true, AllowDirect: true,
	}
}
