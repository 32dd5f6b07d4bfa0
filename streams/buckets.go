package streams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The buckets, which all logs of an account share: keys start with the log's name. Their content is
// derived from SEALED and never authoritative.
const (
	HeadBucket = "HEAD" // <log>: the newest checkpoint, for programs that do not read SEALED
	// <log>/<follower>: the cursor of each follower; losing it costs a replay
	CursorsBucket = "CURSORS"
	ArchiveBucket = "ARCHIVE" // <log>/<segment>/…: objects with the part of SEALED that was trimmed
)

// RetiredTiles is the stream of the bucket TILES, to which earlier releases wrote the full tiles of
// each log's tree. Nothing reads or writes it any more. Ensure, Check and Apply leave it alone.
const RetiredTiles = "KV_TILES"

// Unused returns the streams of earlier releases that exist and that no service uses.
func Unused(ctx context.Context, js jetstream.JetStream) ([]string, error) {
	_, err := js.Stream(ctx, RetiredTiles)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("stream %s: %w", RetiredTiles, err)
	}
	return []string{RetiredTiles}, nil
}

func (c Config) bucket(name, description string) jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{
		Bucket:      name,
		Description: description,
		History:     1,
		Storage:     jetstream.FileStorage,
		Replicas:    c.replicas(),
		Placement:   c.Placement,
	}
}

// streamOf returns the stream that the client library creates for a bucket, for the comparison in
// Check. Any replica may answer reads: the content of a bucket is a hint, or is verified.
func streamOf(b jetstream.KeyValueConfig) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: "KV_" + b.Bucket, Subjects: []string{"$KV." + b.Bucket + ".>"}, Replicas: b.Replicas, Storage: b.Storage,
		Retention: jetstream.LimitsPolicy,
		Discard:   jetstream.DiscardNew, MaxConsumers: -1, MaxMsgs: -1, MaxMsgSize: -1, MaxMsgsPerSubject: int64(b.History),
		Duplicates: 2 * time.Minute,
		DenyDelete: true, AllowRollup: true, AllowDirect: true,
	}
}

// head declares HEAD. It is a cache: the newest put wins, and readers verify the signature.
func (c Config) head() jetstream.KeyValueConfig {
	return c.bucket(HeadBucket, "newest checkpoint of each log")
}

func (c Config) cursors() jetstream.KeyValueConfig {
	return c.bucket(CursorsBucket, "how far each follower has come")
}

// archive is the one bucket that is not derived once SEALED is trimmed: it then holds what SEALED
// no longer has. It is as little believed as that.
func (c Config) archive() jetstream.ObjectStoreConfig {
	return jetstream.ObjectStoreConfig{
		Bucket:      ArchiveBucket,
		Description: "segments of each log",
		Storage:     jetstream.FileStorage,
		Replicas:    c.replicas(),
		Placement:   c.Placement,
	}
}

// streamOfObjects returns the stream that the client library creates for an object store, for the
// comparison in Check.
func streamOfObjects(b jetstream.ObjectStoreConfig) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: "OBJ_" + b.Bucket, Subjects: []string{
			"$O." + b.Bucket + ".C.>", "$O." + b.Bucket + ".M.>",
		}, Replicas: b.Replicas, Storage: b.Storage,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, MaxConsumers: -1, MaxMsgs: -1, MaxMsgSize: -1,
		MaxMsgsPerSubject: -1,
		Duplicates:        2 * time.Minute, AllowRollup: true, AllowDirect: true,
	}
}
