package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/parallel"
	"github.com/sealstream/sealstream/pkg/proof"
)

// ErrFormat reports that an export of this format cannot be verified.
var ErrFormat = errors.New("only a jsonl export can be verified; Unverified has the others")

// Report describes a log that verifies.
type Report struct {
	Log, Origin string
	Checkpoint  proof.Checkpoint // up to which the log was verified
	Keys        []string         // verifier keys of the log: the trusted ones, and those that the log announced
	Events      uint64           // number of entries of agents' events
	Own         uint64           // number of entries that the log itself made
	Payloads    uint64           // number of entries whose data is there and verifies
	Erased      uint64           // number of entries whose data is missing, and that an erasure names
}

// FaultError reports that a log or an export does not verify.
type FaultError struct {
	Kind  string // kind of fault (SPEC 10.1)
	Index uint64 // first bad index; 0 also means the log as a whole
	Err   error  // what is wrong
}

// Error returns the text of Err.
func (e *FaultError) Error() string { return e.Err.Error() }

// Unwrap returns Err, which wraps ErrFork, ErrGap or ErrProof.
func (e *FaultError) Unwrap() error { return e.Err }

// Verify downloads the whole log and checks it: every leaf, hash and signature, all data, that
// nothing is missing, and that the log continues the checkpoints that the client has seen. It also
// counts again what claims says, and returns ErrCounts if a claim is wrong. It costs as much as an
// export.
//
// If the log does not verify, the error is a *FaultError.
func (c *Client) Verify(ctx context.Context, claims ...ClaimedCounts) (Report, error) {
	r, err := c.audit(ctx, io.Discard, claims)
	if err != nil {
		return Report{}, fmt.Errorf("verify: %w", err)
	}
	return r, nil
}

// VerifyExport checks an export in JSON Lines (SPEC 9) without a server, as `sealstream verify`
// does. keys are verifier keys of the log. Without a key, the error is ErrNoKey. In an export with
// a filter, VerifyExport checks the entries that are there. It cannot detect that a match was left
// out.
//
// If the export does not verify, the error is a *FaultError.
func VerifyExport(r io.Reader, keys ...string) (Report, error) {
	if len(keys) == 0 {
		return Report{}, fmt.Errorf("verify export: %w", ErrNoKey)
	}
	report, err := auditExport(audit.Config{Keys: keys}, lines(r))
	if err != nil {
		return Report{}, fmt.Errorf("verify export: %w", err)
	}
	return report, nil
}

// auditExport audits the lines of an export.
func auditExport(cfg audit.Config, export iter.Seq2[[]byte, error]) (Report, error) {
	r, err := audit.ParsedExport(cfg, parallel.Map(audit.Blocks(export), parallel.Ahead(), audit.ParseLines))
	if err != nil {
		return Report{}, asFault(err)
	}
	cp, err := proof.OpenCheckpoint(r.Checkpoint, r.Keys...)
	if err != nil {
		return Report{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return Report{r.Log, r.Origin, cp, r.Keys, r.Events, r.Own, r.Payloads, r.Erased}, nil
}

// Export writes the whole log to w, and checks it as Verify does. format must be "jsonl", the
// format that verifiers read. For any other, the error is ErrFormat. After an error, do not trust
// what was written.
func (c *Client) Export(ctx context.Context, w io.Writer, format string) error {
	if format != "jsonl" {
		return fmt.Errorf("export as %.40q: %w", format, ErrFormat)
	}
	if _, err := c.audit(ctx, w, nil); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

func (c *Client) audit(ctx context.Context, w io.Writer, claims []ClaimedCounts) (Report, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	keys, err := c.trusted(ctx)
	if err != nil {
		return Report{}, err
	}
	var r Report
	var counts []*recount
	var size uint64 // that the export says it has
	known := c.head.known()
	once := func() (err error) {
		counts = newRecounts(claims)
		body, err := c.api.export(ctx, c.server(), url.Values{"format": {"jsonl"}})
		if err != nil {
			return err
		}
		defer body.Close()
		export := exportLines(body, w, counts, func(m proof.Manifest) error {
			if newer := c.newer(ctx, keys, m); newer != nil {
				keys = newer
				return errNewer
			}
			if size = m.Size; len(known) == 0 {
				return nil
			}
			return behind(m.Size, known[0].Size)
		})
		r, err = auditExport(audit.Config{Keys: keys.Keys(), Known: known}, export)
		return err
	}
	err = c.head.retryBehind(ctx, func() error {
		err := once()
		if errors.Is(err, errNewer) { // nothing was written yet
			err = once()
		}
		return err
	})
	if errors.Is(err, errBehind) && errors.Is(err, ErrFork) {
		err = &FaultError{Kind: string(audit.KindCut), Index: size, Err: err}
	}
	if err != nil {
		return Report{}, err
	}
	if err := c.head.see(ctx, r.Checkpoint); err != nil {
		return Report{}, err
	}
	for _, n := range counts {
		if err := n.check(r.Checkpoint.Size); err != nil {
			return Report{}, err
		}
	}
	return r, nil
}

// export opens an export, when the server has a place for it.
func (a *httpAPI) export(ctx context.Context, base string, query url.Values) (body io.ReadCloser, err error) {
	err = a.retry(ctx, "GET /v1/export", func() error {
		resp, err := a.open(ctx, base, "/v1/export", query, "", a.silence)
		if err == nil {
			body = resp.Body
		}
		return err
	})
	return body, err
}

// asFault puts the verdict of an audit into the words of this package.
func asFault(err error) error {
	kind, name := audit.KindOf(err), ErrProof
	switch kind {
	case "":
		return err
	case audit.KindCut, audit.KindRewritten, audit.KindOtherLog:
		name = ErrFork
	case audit.KindMissing:
		name = ErrGap
	}
	fault := &FaultError{Kind: string(kind), Err: fmt.Errorf("%w: %w", name, err)}
	if m, ok := errors.AsType[*audit.MismatchError](err); ok {
		fault.Index = m.Index
	}
	return fault
}

// exportLines yields the lines of an export of the whole log, copies them to w, and has their
// entries counted. Nothing is copied of an export whose manifest fails begin.
func exportLines(
	r io.Reader,
	w io.Writer,
	counts []*recount,
	begin func(proof.Manifest) error,
) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		first, out := true, bufio.NewWriterSize(w, 1<<20)
		for line, err := range lines(r) {
			if err == nil && first {
				err = checkManifest(line, begin)
			}
			if err == nil {
				out.Write(line)
				err = out.WriteByte('\n') // it has the error of Write, too
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !first && len(counts) > 0 {
				count(line, counts)
			}
			if !yield(line, nil) {
				return
			}
			first = false
		}
		if err := out.Flush(); err != nil {
			yield(nil, err)
		}
	}
}

// checkManifest has a manifest checked. A line that is none is the audit's to refuse.
func checkManifest(line []byte, begin func(proof.Manifest) error) error {
	m, err := proof.ParseManifest(line)
	switch {
	case err != nil:
		return nil
	case !m.Whole():
		return fmt.Errorf("%w: the server gives only a part of its log", ErrGap)
	}
	return begin(m)
}

// lines yields the lines of r without their line feeds, and at last the error that ended them. A
// line is valid until the next one.
func lines(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for in := bufio.NewReaderSize(r, 1<<20); ; {
			line, err := readLine(in)
			switch {
			case err == io.EOF && len(line) == 0:
				return
			case err != nil && err != io.EOF:
				yield(nil, err)
				return
			}
			if !yield(bytes.TrimSuffix(line, []byte("\n")), nil) {
				return
			}
		}
	}
}

// readLine reads a line with its line feed, of maxAnswer bytes at most.
func readLine(in *bufio.Reader) (line []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > maxAnswer {
			return nil, fmt.Errorf("%w: a line of more than %d bytes: %w", ErrProof, maxAnswer, bufio.ErrTooLong)
		}
		if len(line) == 0 && err != bufio.ErrBufferFull {
			return part, err
		}
		if line = append(line, part...); err != bufio.ErrBufferFull {
			return line, err
		}
	}
}

// count counts a line. One that is none is the audit's to refuse.
func count(line []byte, counts []*recount) {
	_, e, err := proof.ParseExportLine(line)
	for _, n := range counts {
		if err == nil {
			n.add(&e)
		}
	}
}
