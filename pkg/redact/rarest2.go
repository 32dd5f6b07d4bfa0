package redact

import "sync"

// sample is typical text of events. Its pairs of characters tell which pairs of a literal are rare.
const sample = `{"specversion":"1.0","id":"01890a5d-ac96-774b-bcce-000000000017","source":"did:web:agents.example.com:buyer","type":"ai.agentmesh.tool.invoked",
"time":"2026-11-23T10:00:00.123456789Z","subject":"search_flights","action":"allow","outcome":"success","sessionid":"session-17","data":{"arguments":{"query":
"The agent asked the server for the list of all customers who had an open order in the last thirty days, and was given the first page of the results.",
"text":"lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua. Ut enim ad minim veniam, quis
nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat. Duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu
fugiat nulla pariatur. Excepteur sint occaecat cupidatat non proident, sunt in culpa qui officia deserunt mollit anim id est laborum. lorem ipsum lorem ipsum",
"message":"Please summarise this document and tell me which of the requirements have changed since the previous version; then write a short answer to the person
who asked. It should name every file that was read, what was found there, and how long the process took. If something is missing, say so, and do not guess.",
"result":{"status":"completed","duration_ms":1532,"items":[{"name":"report.pdf","size":48213,"created_at":"2026-11-23T10:00:00Z","content_type":"application/json"}],
"url":"https://www.example.com/api/v1/documents/12345?page=2&limit=100","model":"assistant-large","prompt_count":1234,"error":null,"ok":true}}}
func (s *Server) handle(w http.ResponseWriter, r *http.Request) error { if err := s.check(r.Context(), id); err != nil { return fmt.Errorf("check: %w", err) } return nil }
Allow a long log to load slowly; follow the flow below, close the block, explore the local locale, download, upload, lock and unlock each location, hello world, compile, place, face, race,
INFO 2026-11-23 10:00:00 worker started, waiting for connections on port 8080; request GET /v1/entries HTTP/1.1 200 took 12ms user-agent: Mozilla/5.0 (compatible)`

var pairsOfSample = sync.OnceValue(func() map[uint16]int {
	n := map[uint16]int{}
	for i := 0; i+1 < len(sample); i++ {
		n[pairOf(sample[i], sample[i+1])]++
	}
	return n
})

// rarest2 returns the start of the three characters of a literal of set 2 that are rarest in the
// sample.
func rarest2(text string) int {
	best, at := 1<<30, 0
	for i := 0; i+3 <= len(text); i++ {
		score := 0
		for _, k := range []int{i, i + 1} {
			score += 64 * pairsOfSample()[pairOf(text[k], text[k+1])]
		}
		if score += rarity(text[i : i+3]); score < best {
			best, at = score, i
		}
	}
	return at
}
