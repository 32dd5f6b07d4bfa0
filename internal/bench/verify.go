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
	key := r.config.Signer.VerifierKey()
	begin := time.Now()
	report, err := store.Audit(ctx, r.log, audit.Config{Keys: []string{key}})
	if err != nil {
		return err
	}
	out.VerifyPerS = float64(report.Size) / time.Since(begin).Seconds()
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: q.Handler()}
	go server.Serve(at)
	defer server.Close()
	c, err := client.New(client.Config{Server: "http://" + at.Addr().String(), Log: "bench", Key: key})
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	begin = time.Now()
	read, err := c.Verify(ctx)
	if err != nil {
		return err
	}
	out.VerifyHTTPPerS = float64(read.Checkpoint.Size) / time.Since(begin).Seconds()
	if read.Checkpoint.Size != report.Size {
		return fmt.Errorf("%d entries verified over HTTP, %d out of the streams", read.Checkpoint.Size, report.Size)
	}
	return nil
}
