// Package streams declares the topology of a log on JetStream: each stream and bucket in a file of its own, with the reasons for its
// settings. Nothing else in the project names one.
//
//	agent ─▶ EVENTS ─▶ sealer ─▶ SEALED + PAYLOADS ─▶ followers ─▶ ALERTS, CURSORS, ARCHIVE
//	                     └─▶ HEAD, TILES
//
// Ensure makes what is missing and never changes what exists; Check says what has drifted. Changing a stream is an
// administrator's decision: whoever may update a stream may also drop its messages.
package streams

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Config is what an installation decides of a log's streams.
type Config struct {
	Log              string               // name of the log
	Replicas         int                  // copies of each stream; 0: 1
	EventsMaxBytes   int64                // when EVENTS refuses more; 0: 2 GiB
	SealedMaxBytes   int64                // 0: 16 GiB
	PayloadsMaxBytes int64                // 0: 32 GiB
	AlertsMaxBytes   int64                // 0: 1 GiB
	Placement        *jetstream.Placement // where in a cluster; nil: anywhere
}

// Place is a placement by the name of a cluster and the tags of its servers, or nil if neither is given.
func Place(cluster string, tags []string) *jetstream.Placement {
	if cluster == "" && len(tags) == 0 {
		return nil
	}
	return &jetstream.Placement{Cluster: cluster, Tags: tags}
}

func (c Config) replicas() int { return max(c.Replicas, 1) }

func orDefault(n, def int64) int64 {
	if n == 0 {
		return def
	}
	return n
}

// durable is what all streams have in common: files, no compression (so that a person finds a message in them), no ageing, refusal
// instead of silence when full, and reads that the leader answers.
func (c Config) durable(name, description string, subjects ...string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: name, Description: description, Subjects: subjects, Replicas: c.replicas(), Placement: c.Placement,
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, Compression: jetstream.NoCompression,
		MaxConsumers: -1, MaxMsgs: -1, MaxMsgsPerSubject: -1, AllowDirect: false,
		// The least that a server takes. Nothing here sends Nats-Msg-Id: its window swallows other people's messages.
		Duplicates: minDuplicates,
	}
}

// all are the streams and buckets of a log.
func (c Config) all() ([]jetstream.StreamConfig, []jetstream.KeyValueConfig) {
	return []jetstream.StreamConfig{c.events(), c.sealed(), c.payloads(), c.alerts()},
		[]jetstream.KeyValueConfig{c.head(), c.tiles(), c.cursors()}
}

// Declared are the streams of a log, without the buckets.
func Declared(cfg Config) []jetstream.StreamConfig {
	list, _ := cfg.all()
	return list
}

// Ensure makes the streams and buckets that do not exist. What exists stays as it is, whatever it looks like: see Check.
func Ensure(ctx context.Context, js jetstream.JetStream, cfg Config) error {
	list, buckets := cfg.all()
	for _, s := range list {
		if _, err := js.Stream(ctx, s.Name); err == nil {
			continue
		} else if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("stream %s: %w", s.Name, err)
		}
		if _, err := js.CreateStream(ctx, s); err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return fmt.Errorf("make stream %s: %w", s.Name, cfg.room(err))
		}
	}
	for _, b := range buckets {
		if _, err := js.KeyValue(ctx, b.Bucket); err == nil {
			continue
		} else if !errors.Is(err, jetstream.ErrBucketNotFound) {
			return fmt.Errorf("bucket %s: %w", b.Bucket, err)
		}
		if _, err := js.CreateKeyValue(ctx, b); err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
			return fmt.Errorf("make bucket %s: %w", b.Bucket, cfg.room(err))
		}
	}
	objects := cfg.archive()
	if _, err := js.ObjectStore(ctx, objects.Bucket); err == nil {
		return nil
	} else if !errors.Is(err, jetstream.ErrBucketNotFound) {
		return fmt.Errorf("bucket %s: %w", objects.Bucket, err)
	}
	if _, err := js.CreateObjectStore(ctx, objects); err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
		return fmt.Errorf("make bucket %s: %w", objects.Bucket, cfg.room(err))
	}
	return nil
}

// DriftError lists the settings of streams that are not the declared ones: FIELD of STREAM.
type DriftError struct{ Fields []string }

func (e *DriftError) Error() string {
	return "streams have drifted from their declaration: " + strings.Join(e.Fields, "; ")
}

// Check compares the streams and buckets with their declaration, and says with a DriftError what would lose, rewrite, reorder or hide messages.
// Sizes, placement and descriptions are the installation's business and are not compared; the number of replicas is only if cfg has one.
func Check(ctx context.Context, js jetstream.JetStream, cfg Config) error {
	list, buckets := cfg.all()
	for _, b := range buckets {
		list = append(list, streamOf(b))
	}
	list = append(list, streamOfObjects(cfg.archive()))
	fields := compared
	if cfg.Replicas > 0 {
		fields = append(slices.Clone(compared), "Replicas")
	}
	var drift []string
	for _, want := range list {
		s, err := js.Stream(ctx, want.Name)
		if err != nil {
			return fmt.Errorf("stream %s: %w", want.Name, err)
		}
		drift = append(drift, compare(want, s.CachedInfo().Config, fields)...)
	}
	if drift != nil {
		return &DriftError{drift}
	}
	return nil
}

// compared are the fields of a jetstream.StreamConfig that Check looks at.
var compared = []string{"Subjects", "Retention", "Discard", "DiscardNewPerSubject", "MaxMsgs", "MaxAge", "MaxMsgsPerSubject", "MaxMsgSize",
	"MaxConsumers", "Storage", "NoAck", "Duplicates", "Mirror", "Sources", "Sealed", "DenyDelete", "DenyPurge", "AllowRollup", "Compression",
	"SubjectTransform", "RePublish", "AllowDirect", "AllowMsgTTL", "SubjectDeleteMarkerTTL", "AllowMsgCounter", "AllowAtomicPublish", "AllowMsgSchedules", "PersistMode",
	"AllowBatchPublish"}

func compare(want, have jetstream.StreamConfig, fields []string) []string {
	want.Subjects, have.Subjects = slices.Sorted(slices.Values(want.Subjects)), slices.Sorted(slices.Values(have.Subjects))
	var drift []string
	w, h := reflect.ValueOf(want), reflect.ValueOf(have)
	for _, field := range fields {
		a, b := w.FieldByName(field), h.FieldByName(field)
		if field == "AllowAtomicPublish" && a.Bool() && !b.Bool() {
			continue // a stream that is older than the wish, or whose server is: what would be a batch goes one by one
		}
		if !reflect.DeepEqual(a.Interface(), b.Interface()) && !(isEmpty(a) && isEmpty(b)) {
			drift = append(drift, fmt.Sprintf("%s of %s is %s, not %s", field, want.Name, show(b), show(a)))
		}
	}
	return drift
}

// isEmpty: an absent list and an empty one are the same.
func isEmpty(v reflect.Value) bool { return v.Kind() == reflect.Slice && v.Len() == 0 }

func show(v reflect.Value) string {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	return fmt.Sprintf("%+v", v.Interface())
}
