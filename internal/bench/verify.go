package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/client"
)

// verify measures how fast the whole log is verified: as a server does it out of its streams, and
// as a client does it out of the export of a server that shares its processors.
func (r *rig) verify(ctx context.Context, q *query.Query, out *Reads) error {
	begin := time.Now()
	size, err := r.verifyStreams(ctx)
	if err != nil {
		return err
	}
	out.VerifyPerS = float64(size) / time.Since(begin).Seconds()
	begin = time.Now()
	read, err := r.verifyHTTP(ctx, q)
	if err != nil {
		return err
	}
	out.VerifyHTTPPerS = float64(read) / time.Since(begin).Seconds()
	if read != size {
		return fmt.Errorf("%d entries verified over HTTP, %d out of the streams", read, size)
	}
	return nil
}

// verifyStreams verifies the log out of its streams and returns its size.
func (r *rig) verifyStreams(ctx context.Context) (uint64, error) {
	report, err := store.Audit(ctx, r.log, audit.Config{Keys: []string{r.config.Signer.VerifierKey()}})
	return report.Size, err
}

// verifyHTTP verifies the log as a client does, and returns its size.
func (r *rig) verifyHTTP(ctx context.Context, q *query.Query) (uint64, error) {
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	server := &http.Server{Handler: q.Handler()}
	go server.Serve(at)
	defer server.Close()
	c, err := client.New(client.Config{
		Server: "http://" + at.Addr().String(), Log: "bench", Key: r.config.Signer.VerifierKey(),
	})
	if err != nil {
		return 0, err
	}
	defer c.Close(ctx)
	report, err := c.Verify(ctx)
	return report.Checkpoint.Size, err
}
