// Package streams declares the topology of a log on JetStream: each stream and bucket in a file of
// its own, with the reasons for its settings. No other package names one.
//
//	agent ─▶ EVENTS ─▶ sealer ─▶ SEALED + PAYLOADS ─▶ followers ─▶ ALERTS, CURSORS, ARCHIVE
//	                     └─▶ HEAD
//
// Ensure creates what is missing and never changes what exists. Check reports what differs from the
// declaration. Changing a stream is an administrator's decision, since a change may drop messages.
// Resize changes limits alone, for `up`, which owns its streams.
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

// Config holds an installation's choices for a log's streams.
type Config struct {
	Log string // name of the log
	// replicas of each stream; 0 means 1 for a new stream, and no change to an existing one
	Replicas int
	// EventsMaxBytes is the size at which EVENTS refuses messages. 0 means 2 GiB for a new stream,
	// and no change to an existing one.
	EventsMaxBytes   int64
	SealedMaxBytes   int64                // likewise for SEALED; 16 GiB
	PayloadsMaxBytes int64                // likewise for PAYLOADS; 32 GiB
	AlertsMaxBytes   int64                // likewise for ALERTS; 1 GiB
	Placement        *jetstream.Placement // placement in a cluster; nil means anywhere
}

// Place returns a placement by the name of a cluster and the tags of its servers, or nil if neither
// is given.
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

// durable returns the settings that all streams share: file storage, no compression (so that people
// can find a message in the files), no maximum age, refusal of messages when full, and reads by the
// leader.
func (c Config) durable(name, description string, subjects ...string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: name, Description: description, Subjects: subjects, Replicas: c.replicas(), Placement: c.Placement,
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		Compression:  jetstream.NoCompression,
		MaxConsumers: -1, MaxMsgs: -1, MaxMsgsPerSubject: -1, AllowDirect: false,
		// The minimum that a server accepts. Nothing in this project sends Nats-Msg-Id. EVENTS, to
		// which others publish, has no window.
		Duplicates: minDuplicates,
	}
}

// all returns the streams and buckets of a log.
func (c Config) all() ([]jetstream.StreamConfig, []jetstream.KeyValueConfig) {
	return []jetstream.StreamConfig{c.events(), c.sealed(), c.payloads(), c.alerts()},
		[]jetstream.KeyValueConfig{c.head(), c.cursors()}
}

// Declared returns the streams of a log, without the buckets.
func Declared(cfg Config) []jetstream.StreamConfig {
	list, _ := cfg.all()
	return list
}

// Ensure creates the streams and buckets that do not exist. It changes nothing that exists: see
// Check.
func Ensure(ctx context.Context, js jetstream.JetStream, cfg Config) error {
	list, buckets := cfg.all()
	for _, s := range list {
		if _, err := js.Stream(ctx, s.Name); err == nil {
			continue
		} else if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("stream %s: %w", s.Name, err)
		}
		made, err := js.CreateStream(ctx, s)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			continue
		} else if err != nil {
			return fmt.Errorf("make stream %s: %w", s.Name, cfg.room(err))
		}
		if err := keepShort(ctx, js, made.CachedInfo().Config); err != nil {
			return err
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

// DriftError lists the settings of streams that differ from their declaration: FIELD of STREAM.
type DriftError struct{ Fields []string }

func (e *DriftError) Error() string {
	return "streams have drifted from their declaration: " + strings.Join(e.Fields, "; ")
}

// Check compares the streams and buckets with their declaration. A DriftError lists differences
// that would lose, rewrite, reorder or hide messages. Sizes, placement and descriptions are up to
// the installation and are not compared. The number of replicas is compared only if cfg states one.
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
		have := s.CachedInfo().Config
		if want.Name == EventsName(cfg.Log) && hasWindow(have) {
			want = withWindow(want) // see CloseWindow
		}
		if want.Name == EventsName(cfg.Log) && !hasServices(have, cfg.Log) {
			want = withoutServices(want, cfg.Log) // see AllowServices
		}
		drift = append(drift, compare(want, have, fields)...)
	}
	if drift != nil {
		return &DriftError{drift}
	}
	return nil
}

// compared are the fields of a jetstream.StreamConfig that Check compares.
var compared = []string{
	"Subjects",
	"Retention",
	"Discard",
	"DiscardNewPerSubject",
	"MaxMsgs",
	"MaxAge",
	"MaxMsgsPerSubject",
	"MaxMsgSize",
	"MaxConsumers",
	"Storage",
	"NoAck",
	"Duplicates",
	"Mirror",
	"Sources",
	"Sealed",
	"DenyDelete",
	"DenyPurge",
	"AllowRollup",
	"Compression",
	"SubjectTransform",
	"RePublish",
	"AllowDirect",
	"AllowMsgTTL",
	"SubjectDeleteMarkerTTL",
	"AllowMsgCounter",
	"AllowAtomicPublish",
	"AllowMsgSchedules",
	"PersistMode",
	"AllowBatchPublish",
}

func compare(want, have jetstream.StreamConfig, fields []string) []string {
	want.Subjects, have.Subjects = slices.Sorted(slices.Values(want.Subjects)), slices.Sorted(slices.Values(have.Subjects))
	var drift []string
	w, h := reflect.ValueOf(want), reflect.ValueOf(have)
	for _, field := range fields {
		a, b := w.FieldByName(field), h.FieldByName(field)
		if field == "AllowAtomicPublish" && a.Bool() && !b.Bool() {
			// created by an older release or on an older server: alerts are then written one by one
			continue
		}
		if !reflect.DeepEqual(a.Interface(), b.Interface()) && !(isEmpty(a) && isEmpty(b)) {
			drift = append(drift, fmt.Sprintf("%s of %s is %s, not %s", field, want.Name, show(b), show(a)))
		}
	}
	return drift
}

// isEmpty reports whether a value is an absent or empty list, which are the same.
func isEmpty(v reflect.Value) bool { return v.Kind() == reflect.Slice && v.Len() == 0 }

func show(v reflect.Value) string {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if sources, ok := v.Interface().([]*jetstream.StreamSource); ok { // %v would print addresses
		var list []jetstream.StreamSource
		for _, s := range sources {
			list = append(list, *s)
		}
		return fmt.Sprintf("%+v", list)
	}
	return fmt.Sprintf("%+v", v.Interface())
}
