package conformance_test

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// handOvers are logs that change their key (SPEC 5.1, 8). Whoever checks them knows the first one alone.
func (v *batchVectors) handOvers(t *testing.T) {
	s, keys := v.handOver(t, "keys handed on",
		"each key signs from the batch after the config that names it, up to the one with the config that no "+
			"longer does")
	s.announce(4, keys[0], keys[1])
	s.good(s.batch(4, sealedlog.PlaceEnd))
	s.by = keys[:2]
	s.event(5, 0, "5")
	s.good(s.batch(5, sealedlog.PlaceEnd))
	s.announce(6, keys[1])
	s.event(7, 0, "6") // in the batch of the config: signed as before
	s.good(s.batch(7, sealedlog.PlaceEnd))
	s.by = keys[1:2]
	s.event(8, 0, "7")
	s.good(s.batch(8, sealedlog.PlaceEnd))
	s.announce(9, keys[2], keys[1])
	s.announce(10, keys[2])
	s.good(s.batch(10, sealedlog.PlaceEnd))
	s.by = keys[2:]
	s.event(11, 0, "8")
	s.good(s.batch(11, sealedlog.PlaceEnd))
	s.end()

	one, keys := v.handOver(t, "one of two signs", "a checkpoint needs one key that is in force and trusted")
	one.announce(4, keys[1], keys[0])
	one.good(one.batch(4, sealedlog.PlaceEnd))
	one.by = keys[1:2]
	one.event(5, 0, "5")
	one.good(one.batch(5, sealedlog.PlaceEnd))
	one.end()

	for _, c := range []struct {
		name, about string
		at          uint64
		forge       func(s *chainStory, keys []string)
	}{
		{"bad: retired key", "a key that no config in force names signs", 7, func(s *chainStory, keys []string) {
			s.announce(4, keys[0], keys[1])
			s.announce(5, keys[1])
			s.good(s.batch(5, sealedlog.PlaceEnd))
			s.event(6, 0, "5")
		}},
		{"bad: key before its time", "the batch with the config is signed by the new key alone", 5, func(s *chainStory, keys []string) {
			s.announce(4, keys[0], keys[1])
			s.by = keys[1:2]
		}},
		{"bad: unknown key", "a key that no config has named signs", 5, func(s *chainStory, keys []string) { s.event(4, 0, "5"); s.by = keys[2:] }},
		{"bad: no overlap", "no key of the config before goes on", 5, func(s *chainStory, keys []string) { s.announce(4, keys[1]) }},
		{"bad: key twice", "a config names a key twice", 5, func(s *chainStory, keys []string) { s.announce(4, keys[0], keys[1], keys[1]) }},
	} {
		s, keys := v.handOver(t, c.name, c.about)
		c.forge(s, keys)
		s.bad(c.at, s.batch(s.entries[len(s.entries)-1].InputSeq, sealedlog.PlaceEnd))
	}
}

// handOver begins a story under the first of three keys.
func (v *batchVectors) handOver(t *testing.T, name, about string) (*chainStory, []string) {
	s := v.story(t, name, about)
	skeys := make([]string, 3)
	for i := range skeys {
		skeys[i] = vectorSKey(s.signer.Origin(), bytes.Repeat([]byte{byte(i + 1)}, ed25519.SeedSize))
	}
	signer, err := proof.NewSigner(skeys...)
	if err != nil {
		t.Fatal(err)
	}
	keys := signer.VerifierKeys()
	s.signer, s.by = signer, keys[:1]
	s.rest()
	s.good(s.last())
	return s, keys
}

// announce seals a config that names keys.
func (s *chainStory) announce(seq uint64, keys ...string) {
	previous := s.config
	for _, e := range s.entries[s.pending:] {
		if e.EventType == entry.TypeConfig {
			previous = e.Index
		}
	}
	c := s.configDetail(false)
	c.Keys, c.Previous = keys, &previous
	s.own(seq, 0, entry.TypeConfig, c)
}
