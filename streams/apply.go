package streams

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// applied are the fields that Apply compares and changes in addition to those of Check.
var applied = []string{"Description", "MaxBytes", "Placement"}

// Apply creates missing streams and buckets, changes those that differ from their declaration, and
// returns one line for each change. With dry it changes nothing. It changes the number of replicas
// only if cfg states one. It refuses changes that would drop messages (ErrBelow), and JetStream
// refuses changes that are impossible. After an error, earlier changes stay.
func Apply(ctx context.Context, js jetstream.JetStream, cfg Config, dry bool) (changes []string, err error) {
	list, buckets := cfg.all()
	for _, want := range list {
		lines, err := applyStream(ctx, js, cfg, want, append(slices.Clone(compared), applied...), dry)
		changes = append(changes, lines...)
		if err != nil {
			return changes, err
		}
	}
	for _, b := range buckets {
		want := streamOf(b)
		lines, err := applyBucket(ctx, js, cfg, want, dry, func() error { _, err := js.CreateKeyValue(ctx, b); return err })
		changes = append(changes, lines...)
		if err != nil {
			return changes, err
		}
	}
	o := cfg.archive()
	lines, err := applyBucket(ctx, js, cfg, streamOfObjects(o), dry,
		func() error { _, err := js.CreateObjectStore(ctx, o); return err })
	return append(changes, lines...), err
}

// applyStream creates or changes one stream.
func applyStream(
	ctx context.Context,
	js jetstream.JetStream,
	cfg Config,
	want jetstream.StreamConfig,
	fields []string,
	dry bool,
) ([]string, error) {
	s, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if !dry {
			made, err := js.CreateStream(ctx, want)
			if err != nil {
				return nil, fmt.Errorf("make stream %s: %w", want.Name, cfg.room(err))
			}
			if err := keepShort(ctx, js, made.CachedInfo().Config); err != nil {
				return nil, err
			}
		}
		return []string{fmt.Sprintf("make %s, %d replicas", want.Name, want.Replicas)}, nil
	} else if err != nil {
		return nil, fmt.Errorf("stream %s: %w", want.Name, err)
	}
	if !cfg.states(want.Name) {
		want.MaxBytes = s.CachedInfo().Config.MaxBytes
	}
	return change(ctx, js, cfg, s.CachedInfo(), want, fields, dry)
}

// applyBucket is applyStream for the stream of a bucket, which all logs share.
func applyBucket(
	ctx context.Context,
	js jetstream.JetStream,
	cfg Config,
	want jetstream.StreamConfig,
	dry bool,
	create func() error,
) ([]string, error) {
	s, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if !dry {
			if err := create(); err != nil {
				return nil, fmt.Errorf("make bucket %s: %w", want.Name, cfg.room(err))
			}
		}
		return []string{fmt.Sprintf("make %s, %d replicas", want.Name, want.Replicas)}, nil
	} else if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", want.Name, err)
	}
	return change(ctx, js, cfg, s.CachedInfo(), want, compared, dry)
}

// change sets the fields of a stream that differ from want, and leaves all others as they are.
func change(
	ctx context.Context,
	js jetstream.JetStream,
	cfg Config,
	have *jetstream.StreamInfo,
	want jetstream.StreamConfig,
	fields []string,
	dry bool,
) ([]string, error) {
	if cfg.Replicas > 0 {
		fields = append(slices.Clone(fields), "Replicas")
	}
	if cfg.Placement == nil {
		want.Placement = have.Config.Placement
	}
	next := have.Config
	var lines []string
	to, from := reflect.ValueOf(&next).Elem(), reflect.ValueOf(want)
	for _, field := range fields {
		if drift := compare(want, have.Config, []string{field}); drift != nil {
			lines = append(lines, drift...)
			to.FieldByName(field).Set(from.FieldByName(field))
		}
	}
	if lines == nil {
		return nil, nil
	}
	// A limit below the present size would not only refuse new messages. With some policies it
	// drops old ones.
	if next.MaxBytes > 0 && uint64(next.MaxBytes) < have.State.Bytes {
		return nil, fmt.Errorf("stream %s holds %d bytes; it is not given a limit of %d: %w", want.Name,
			have.State.Bytes, next.MaxBytes, ErrBelow)
	}
	if dry {
		return lines, nil
	}
	made, err := js.UpdateStream(ctx, next)
	if err != nil {
		return nil, fmt.Errorf("change stream %s: %w", want.Name, cfg.room(err))
	}
	return lines, keepShort(ctx, js, made.CachedInfo().Config)
}
