package vitals

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/store"
)

const (
	warnAt   = 80 // percent of a stream's limit
	urgentAt = 95
	calmer   = 3 // percent below which a condition is taken back

	waitWarn     = 5 * time.Second // age of the oldest event that is not sealed
	waitUrgent   = 30 * time.Second
	troubleWarn  = 2 * time.Second // of a sealer that cannot commit, for another reason than a full stream
	troubleFails = 30 * time.Second
)

// judgeSize sets the condition of a stream's size.
func (v *Monitor) judgeSize(name string, s store.Size) {
	was, used := v.cfg.Board.State(name), s.Used()
	state := health.OK
	switch {
	case used >= urgentAt, was >= health.Urgent && used >= urgentAt-calmer:
		state = health.Urgent
	case used >= warnAt, was >= health.Warning && used >= warnAt-calmer:
		state = health.Warning
	}
	full, text := s.Full(), ""
	if v.ingest != nil && (name == "sealed" || name == "payloads") {
		sealed, payloads := v.ingest.Room()
		full = name == "sealed" && sealed != "" || name == "payloads" && payloads != ""
		if v.ingest.Short() == name {
			state = health.Urgent
		}
	}
	if full {
		if state = health.Urgent; name == "events" || name == "sealed" || name == "payloads" {
			state = health.Failing
		}
	}
	if state > health.OK {
		text = fmt.Sprintf(
			"%s holds %s of at most %s (%d %%)",
			strings.ToUpper(name),
			settings.Bytes(s.Bytes).Short(),
			settings.Bytes(s.Limit).Short(),
			used,
		)
		switch {
		case state == health.Failing:
			text += ": it is full, and no more events are taken"
		case state == health.Urgent && used < urgentAt-calmer:
			text += ": events were refused for lack of room"
		}
		text += "; " + v.remedyFor(name)
	}
	v.cfg.Board.Set(name, state, text)
}

// remedyFor says how an administrator gives a stream more room.
func (v *Monitor) remedyFor(name string) string {
	switch name {
	case "events", "sealed", "payloads", "alerts":
		return fmt.Sprintf(v.cfg.Remedy, name)
	}
	return "raise the max_bytes of its stream"
}

// judgeDrift tells of limits that are not what the settings state.
func (v *Monitor) judgeDrift(s store.Vitals) {
	var drift []string
	for _, x := range []struct {
		name   string
		stated int64
	}{
		{"events", v.cfg.Stated.EventsMaxBytes}, {"sealed", v.cfg.Stated.SealedMaxBytes},
		{"payloads", v.cfg.Stated.PayloadsMaxBytes}, {"alerts", v.cfg.Stated.AlertsMaxBytes},
	} {
		if limit := s.Sizes[x.name].Limit; x.stated > 0 && uint64(x.stated) != limit {
			drift = append(
				drift,
				fmt.Sprintf(
					"the limit of %s is %s, and the settings state %s",
					strings.ToUpper(x.name),
					settings.Bytes(limit).Short(),
					settings.Bytes(x.stated).Short(),
				),
			)
		}
	}
	if drift == nil {
		v.cfg.Board.Set("limits", health.OK, "")
		return
	}
	v.cfg.Board.Set(
		"limits",
		health.Warning,
		strings.Join(drift, "; ")+": change the settings, or apply them with sealstream admin apply",
	)
}

// judgeSealer sets the condition of the sealer in this process.
func (v *Monitor) judgeSealer(s sealer.Status) {
	lasted := time.Since(s.Since)
	switch {
	case s.Err == nil || lasted < troubleWarn && !errors.Is(s.Err, store.ErrFull):
		v.cfg.Board.Set("sealer", health.OK, "")
	case errors.Is(s.Err, store.ErrFull) || lasted >= troubleFails:
		v.cfg.Board.Set(
			"sealer",
			health.Failing,
			fmt.Sprintf("nothing is sealed since %s: %v", s.Since.UTC().Format(time.RFC3339), s.Err),
		)
	default:
		v.cfg.Board.Set(
			"sealer",
			health.Warning,
			fmt.Sprintf("nothing is sealed since %s: %v", s.Since.UTC().Format(time.RFC3339), s.Err),
		)
	}
}

// judgeBacklog sets the condition of events that wait to be sealed, whoever should seal them.
func (v *Monitor) judgeBacklog(s store.Vitals) {
	age := s.Waited()
	state, text := health.OK, ""
	if age >= waitWarn && time.Since(v.began) >= waitWarn { // what waited for a start is sealed in a moment
		state = health.Warning
		if age >= waitUrgent {
			state = health.Urgent
		}
		text = fmt.Sprintf(
			"events have waited %s to be sealed: %d messages from EVENTS sequence %d on",
			age.Round(time.Second),
			s.Waiting,
			s.Last-s.Waiting+1,
		)
		if v.sealer == nil {
			text += "; is the sealer running?"
		}
	}
	v.cfg.Board.Set("backlog", state, text)
}

// AboutWriting are the conditions that say nothing of whether a process can read, or tell what it
// reads.
var AboutWriting = []string{
	"events",
	"sealed",
	"payloads",
	"alerts",
	"head",
	"tiles",
	"cursors",
	"archive",
	"limits",
	"sealer",
	"backlog",
	"streams",
}
