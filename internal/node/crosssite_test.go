package node

import (
	"net/http"
	"strings"
	"testing"
)

// TestCrossSiteReads: a page of another origin reads nothing through a visitor's browser, a person
// follows links, and programs are not concerned.
func TestCrossSiteReads(t *testing.T) {
	n := upForTest(t)
	await(t, n)
	base := "http://" + n.http.Addr().String()
	image := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}
	link := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	for _, c := range []struct {
		path   string
		header []string
		want   int
	}{
		{"/v1/export", image, 403}, {"/v1/entries", image, 403}, {"/v1/verify", image, 403}, {"/v1/stream", image, 403}, {"/v1/alerts/stream", image, 403}, {"/metrics", image, 403},
		{"/v1/export", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 403},
		{"/v1/export", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
		{"/v1/export", link, 403}, {"/v1/verify", link, 403}, {"/v1/stream", link, 403}, {"/api/v1/audit/verify", link, 403}, {"/v1/archive/verify", link, 403},
		{"/v1/entries", []string{"Origin", "https://evil.example.com"}, 403}, {"/v1/entries", []string{"Origin", "null"}, 403}, {"/v1/entries", []string{"Origin", "http://localhost:1"}, 403},
		{"/", link, 200}, {"/v1/entries/0", link, 200},
		{"/v1/export", nil, 200}, {"/v1/export", []string{"Sec-Fetch-Site", "same-origin"}, 200}, {"/v1/export", []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, 200},
		{"/v1/entries", []string{"Origin", base}, 200},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			req, err := http.NewRequestWithContext(t.Context(), method, base+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(c.header); i += 2 {
				req.Header.Set(c.header[i], c.header[i+1])
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != c.want {
				t.Errorf("%s %s %v: %s, want %d", method, c.path, c.header, resp.Status, c.want)
			}
		}
	}
}

// TestRootPage: / is a page of links, each of which leads somewhere, without a script or anything from elsewhere.
func TestRootPage(t *testing.T) {
	n := upForTest(t)
	await(t, n)
	addr := n.http.Addr().String()
	status, body := fetch(addr, "/", nil)
	if status != http.StatusOK || !strings.Contains(string(body), "<h1>Log <code>default</code></h1>") ||
		strings.Contains(string(body), "<script") || strings.Contains(string(body), "http://") ||
		strings.Contains(string(body), "https://") {
		t.Fatalf("%d %s", status, body)
	}
	links := strings.Split(string(body), `href="`)[1:]
	if len(links) < 10 {
		t.Fatalf("%d links", len(links))
	}
	for _, l := range links {
		path, _, _ := strings.Cut(l, `"`)
		resp, err := http.Head("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	for path, want := range map[string]int{"/nothing": 404, "/v1": 404, "/?x=1": 400} {
		resp, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, resp.Status, want)
		}
	}
}
