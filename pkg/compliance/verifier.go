package compliance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Verifier looks for evidence in a log.
type Verifier struct {
	Source    Source        // answers questions about the log
	Framework Framework     // what to look for
	Keys      []string      // verifier keys of the log, required; get them from elsewhere than the server
	Window    Window        // when the entries were received
	Version   string        // version of this program, for the attestation
	Platform  string        // operating system and architecture, for the attestation; empty means this one's
	Signer    *proof.Signer // signs the attestation; nil leaves it unsigned
}

// WindowOf returns the window that ends now and is as long as span. A span of 0 means from the
// beginning.
func WindowOf(now time.Time, span time.Duration) Window {
	w := Window{To: canonical.FormatReceived(now)}
	if span > 0 {
		w.From = canonical.FormatReceived(now.Add(-span))
	}
	return w
}

// NewWindow returns the window between two RFC 3339 times. An empty text leaves that end open.
func NewWindow(from, to string) (w Window, err error) {
	for _, t := range []struct {
		name, text string
		into       *string
	}{{"from", from, &w.From}, {"to", to, &w.To}} {
		if t.text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, t.text)
		if err != nil {
			return w, fmt.Errorf("%s: %.60q is no RFC 3339 time", t.name, t.text)
		}
		*t.into = canonical.FormatReceived(at)
	}
	if w.From != "" && w.To != "" && w.From > w.To {
		return w, errors.New("from lies after to")
	}
	return w, nil
}

// ErrSigner reports that the signing key is not a key of the log. Nobody who has only the log's
// keys could verify such an attestation.
var ErrSigner = errors.New("the signing key is none of the log's")

// Verify evaluates the framework under the log's newest checkpoint. It verifies the proof of every
// entry that it cites, with the keys.
func (v Verifier) Verify(ctx context.Context) (Attestation, error) {
	note, err := v.Source.Checkpoint(ctx)
	if err != nil {
		return Attestation{}, err
	}
	return v.VerifyAt(ctx, note)
}

// VerifyAt is Verify under the given checkpoint.
func (v Verifier) VerifyAt(ctx context.Context, note []byte) (Attestation, error) {
	if v.Signer != nil && !slices.Contains(v.Keys, v.Signer.VerifierKey()) {
		return Attestation{}, ErrSigner
	}
	cp, err := proof.OpenCheckpoint(note, v.Keys...)
	if err != nil {
		return Attestation{}, fmt.Errorf("%w: %w", ErrSource, err)
	}
	v.Source = remember(v.Source)
	health, err := v.Source.Health(ctx)
	if err != nil {
		return Attestation{}, err
	}
	a := Attestation{
		Schema: Schema, Framework: v.Framework.ID, FrameworkTitle: v.Framework.Title, FrameworkVersion: v.Framework.Version,
		Badge:  v.Framework.Badge,
		Window: v.Window, TreeSize: cp.Size, Checkpoint: string(note), LogValid: health.Index.Valid, Version: v.Version,
		Platform: v.platform(), Controls: []Finding{}, Proofs: []Proof{},
	}
	if health.Index.Error != nil {
		a.LogError = *health.Index.Error
	}
	s := search{Verifier: v, cp: cp, cited: map[uint64]entry.Entry{}, paths: map[uint64]func() (proof.Path, error){}}
	for _, c := range v.Framework.Controls {
		f, err := s.control(ctx, c)
		if err != nil {
			return Attestation{}, fmt.Errorf("control %s: %w", c.ID, err)
		}
		f.Verdict, f.Reasons = f.judge(s.cited)
		a.Controls = append(a.Controls, f)
	}
	if a.Proofs, err = s.prove(); err != nil {
		return Attestation{}, err
	}
	a.total()
	if err := a.checkContent(v.Keys); err != nil {
		return Attestation{}, fmt.Errorf("%w: %w", ErrSource, err)
	}
	return a, a.Sign(v.Signer)
}

func (v Verifier) platform() string {
	if v.Platform != "" {
		return v.Platform
	}
	return runtime.GOOS + "/" + runtime.GOARCH + " " + runtime.Version()
}

// search is one evaluation.
type search struct {
	Verifier
	cp    proof.Checkpoint
	cited map[uint64]entry.Entry
	paths map[uint64]func() (proof.Path, error) // of those cited
}

// cite notes that an entry is evidence.
func (s *search) cite(e Found) { s.cited[e.Index], s.paths[e.Index] = e.Entry, e.Path }

// find is Source.Find for the entries that the checkpoint covers.
func (s *search) find(ctx context.Context, f api.Filter, w Window, from *uint64, limit int) ([]Found, error) {
	return s.Source.Find(ctx, f, w, s.cp.Size, from, limit)
}

func (s *search) control(ctx context.Context, c Control) (f Finding, err error) {
	f = newFinding(c)
	until := Window{To: s.Window.To} // a declaration holds until there is another one
	if c.Component != "" {
		declared := api.Filter{Type: []string{DeclarationType}, Resource: []string{componentResource(c.Component)}}
		if f.Declared, err = s.newest(ctx, declared, until); err != nil {
			return f, err
		}
	}
	exempt := api.Filter{Type: []string{ApplicabilityType}, Resource: []string{controlResource(s.Framework.ID, c.ID)}}
	if f.NotApplicable, err = s.newest(ctx, exempt, until); err != nil {
		return f, err
	}
	for i := range f.Evidence {
		if err := s.evidence(ctx, &f.Evidence[i]); err != nil {
			return f, err
		}
	}
	for i := range f.Negative {
		if err := s.negative(ctx, &f.Negative[i]); err != nil {
			return f, err
		}
	}
	return f, nil
}

// newest cites the newest entry that a filter matches.
func (s *search) newest(ctx context.Context, f api.Filter, w Window) (*uint64, error) {
	list, err := s.find(ctx, f, w, nil, 1)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	s.cite(list[0])
	return &list[0].Index, nil
}

// evidence cites the newest entries, of as many agents as required.
func (s *search) evidence(ctx context.Context, e *EvidenceFinding) error {
	counts, err := s.Source.Counts(ctx, e.Filter, s.Window, s.cp.Size, e.Agents)
	if err != nil {
		return err
	}
	if e.Matches = counts.Matches; e.Matches == 0 {
		return nil
	}
	list, err := s.find(ctx, e.Filter, s.Window, nil, e.AtLeast)
	if err != nil {
		return err
	}
	picked := map[uint64]Found{}
	for _, top := range counts.Top {
		if e.Agents == 1 {
			break
		}
		f := e.Filter
		f.Agent = []string{top.Agent}
		one, err := s.find(ctx, f, s.Window, nil, 1)
		if err != nil {
			return err
		}
		for _, x := range one {
			picked[x.Index] = x
		}
	}
	for i := len(list) - 1; i >= 0 && len(picked) < e.AtLeast; i-- {
		picked[list[i].Index] = list[i]
	}
	if shown := uint64(len(picked)); shown < min(e.Matches, uint64(e.AtLeast)) || shown > e.Matches {
		return fmt.Errorf("%w: it counts %d entries for %q and shows %d", ErrSource, e.Matches, e.What, shown)
	}
	for _, x := range picked {
		s.cite(x)
	}
	e.Cited = slices.Sorted(maps.Keys(picked))
	return nil
}

// Bounds of what is looked at one by one. What is beyond counts as unhandled.
const (
	maxNegative = 10000
	negativeHop = 1000
	maxExamples = 10
)

// negative counts what should not be there and has no later handling.
func (s *search) negative(ctx context.Context, n *NegativeFinding) error {
	counts, err := s.Source.Counts(ctx, n.Filter, s.Window, s.cp.Size, 0)
	if err != nil {
		return err
	}
	n.Matches = counts.Matches
	unhandled, looked, err := unhandled(ctx, s.find, n.Filter, n.Handled, n.Same, s.Window, n.Matches)
	if err != nil {
		return err
	}
	n.Unhandled = uint64(len(unhandled)) + n.Matches - looked
	for _, e := range unhandled[:min(len(unhandled), maxExamples)] {
		s.cite(e)
		n.Cited = append(n.Cited, e.Index)
	}
	return nil
}

type finder func(ctx context.Context, f api.Filter, w Window, from *uint64, limit int) ([]Found, error)

// unhandled returns those of the first entries that a filter matches that no later entry of the
// same trace, session or agent handles. It also returns how many entries it looked at.
func unhandled(
	ctx context.Context,
	find finder,
	filter api.Filter,
	handled *api.Filter,
	same string,
	w Window,
	matches uint64,
) (list []Found, looked uint64, err error) {
	h := handlings{find: find, filter: handled, same: same, w: Window{To: w.To}, last: map[string]uint64{}}
	for from := uint64(0); looked < min(matches, maxNegative); {
		page, err := find(ctx, filter, w, &from, negativeHop)
		if err != nil {
			return nil, 0, err
		}
		if len(page) == 0 {
			break
		}
		if err := h.learn(ctx, page); err != nil {
			return nil, 0, err
		}
		for _, e := range page {
			if h.last[sharedOf(e.Entry, same)] <= e.Index {
				list = append(list, e)
			}
		}
		looked += uint64(len(page))
		from = page[len(page)-1].Index + 1
	}
	return list, min(looked, matches), nil
}

// handlings knows, for each trace, session or agent, the newest entry that handles.
type handlings struct {
	find   finder
	filter *api.Filter // nil: nothing handles
	same   string
	w      Window
	last   map[string]uint64 // 0, which is the log's own config: none
}

// handlingKeys is how many keys one question names.
const handlingKeys = 100

// learn asks for the keys of a page's entries that are not known yet.
func (h *handlings) learn(ctx context.Context, page []Found) error {
	if h.filter == nil {
		return nil
	}
	var keys []string
	for _, e := range page {
		key := sharedOf(e.Entry, h.same)
		if _, known := h.last[key]; !known && key != "" {
			h.last[key] = 0
			keys = append(keys, key)
		}
	}
	for some := range slices.Chunk(keys, handlingKeys) {
		full, err := h.ask(ctx, some, negativeHop)
		for i := 0; full && err == nil && i < len(some); i++ {
			if h.last[some[i]] == 0 { // its newest may stand before the page
				_, err = h.ask(ctx, some[i:i+1], 1)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ask records the newest entries that handle. full means that there may be more.
func (h *handlings) ask(ctx context.Context, keys []string, limit int) (full bool, err error) {
	f := *h.filter
	switch h.same {
	case "trace":
		f.Trace = keys
	case "session":
		f.Session = keys
	default:
		f.Agent = keys
	}
	list, err := h.find(ctx, f, h.w, nil, limit)
	for _, e := range list {
		h.last[sharedOf(e.Entry, h.same)] = e.Index // ascending
	}
	return len(list) == limit, err
}

func sharedOf(e entry.Entry, same string) string {
	switch same {
	case "trace":
		return e.TraceID
	case "session":
		return e.SessionID
	}
	return e.AgentDID
}

// prove returns the proof of every cited entry, which is checked with the whole attestation.
func (s *search) prove() ([]Proof, error) {
	list := []Proof{}
	for _, index := range slices.Sorted(maps.Keys(s.cited)) {
		path, err := s.paths[index]()
		if err != nil {
			return nil, fmt.Errorf("%w: proof of index %d: %w", ErrSource, index, err)
		}
		list = append(list, Proof{index, string(s.cited[index].Leaf), path})
	}
	return list, nil
}
