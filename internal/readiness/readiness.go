// Package readiness asks a service whether it is ready, and reads what /readyz says.
package readiness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/settings"
)

// ErrNotReady reports that a service did not answer that it is ready.
var ErrNotReady = errors.New("not ready")

// Check gets a URL, and fails with ErrNotReady unless the status is 200. A health check runs it in
// an image that has no shell.
func Check(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", settings.ErrInvalid, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotReady, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s: status %d", ErrNotReady, url, resp.StatusCode)
	}
	return nil
}

// Page is what /readyz of any service says.
type Page struct {
	Ready      bool        `json:"-"`
	Detail     string      `json:"detail"`     // why it is not ready
	Write      string      `json:"write"`      // "ready", or why no events are accepted; "" where none are
	Read       string      `json:"read"`       // "ready", or why questions are not answered whole
	Durability string      `json:"durability"` // what an acknowledgement means; "" where none is given
	Access     string      `json:"access"`     // httpapi.AccessRequired; "" where callers need no credentials
	Conditions []Condition `json:"conditions"`

	Members map[string]any `json:"-"` // all that it says, as json.RawMessage
}

// Condition is what may be wrong with a service.
type Condition struct {
	Name  string `json:"name"`
	State string `json:"state"`
	Text  string `json:"text,omitempty"`
	Since string `json:"since,omitempty"`
}

// Ask gets the page at a URL of /readyz. An error says that the answer was none, or no such page.
func Ask(ctx context.Context, client *http.Client, url string) (p Page, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		// the error repeats it, and a password in it
		return p, fmt.Errorf("%w: the server's address cannot be read as a URL", settings.ErrInvalid)
	}
	resp, err := client.Do(req)
	if err != nil {
		return p, err
	}
	defer resp.Body.Close()
	p.Ready = resp.StatusCode == http.StatusOK
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return p, fmt.Errorf("answer of /readyz: %w", err)
	}
	var members map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(body, &p), json.Unmarshal(body, &members)); err != nil {
		return p, fmt.Errorf("answer of /readyz: status %d: %w", resp.StatusCode, err)
	}
	p.Members = make(map[string]any, len(members))
	for name, value := range members {
		p.Members[name] = value
	}
	return p, nil
}

// Findings returns what is right and wrong, one finding each.
func (p Page) Findings() []datadir.Finding {
	list := []datadir.Finding{{State: datadir.Good, What: "readiness", Text: "events are accepted"}}
	switch {
	case !p.Ready:
		list[0] = datadir.Finding{State: datadir.Wrong, What: "readiness", Text: p.Detail}
	case p.Write == "" && p.Durability == "":
		list[0].Text = "the service is ready"
	}
	switch p.Read {
	case "", "ready", p.Detail:
	case query.ErrBuilding.Error():
		list = append(list, datadir.Finding{State: datadir.Note, What: "reading", Text: p.Read})
	default:
		list = append(list, datadir.Finding{State: datadir.Wrong, What: "reading", Text: p.Read})
	}
	for _, c := range p.Conditions {
		if c.State != health.OK.String() {
			list = append(list, datadir.Finding{State: datadir.Wrong, What: c.Name, Text: c.Text})
		}
	}
	return list
}
