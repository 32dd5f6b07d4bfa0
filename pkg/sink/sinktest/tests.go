package sinktest

import (
	"context"
	"errors"
	"slices"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
)

const many = 500

func testEmpty(p *place) {
	s := p.open()
	p.holds(s, nil)
	p.write(s, nil)
	p.holds(s, nil)
	p.close(s)
	p.holds(p.open(), nil)
}

func testSingly(p *place) {
	s, list := p.open(), Records(25, 1)
	for _, r := range list {
		p.write(s, []sink.Record{r})
	}
	p.holds(s, list)
}

func testBatches(p *place) {
	s, list := p.open(), Records(many, 1)
	for i, step := 0, 1; i < len(list); step = step*2 + 1 {
		end := min(i+step, len(list))
		p.write(s, list[i:end])
		i = end
	}
	p.holds(s, list)
}

// testRepeats writes entries again: alone, together, and with new ones after them. The sink holds
// each of them once.
func testRepeats(p *place) {
	s, list := p.open(), Records(40, 1)
	p.write(s, list[:10])
	p.write(s, list[:10])
	p.write(s, list[3:4])
	p.write(s, list[9:10])
	p.write(s, list[5:20])
	p.write(s, list[19:21])
	p.write(s, list)
	p.holds(s, list)
	p.close(s)
	s = p.open()
	p.write(s, list)
	p.holds(s, list)
}

func (p *place) refuses(s sink.Sink, records []sink.Record, want error) {
	p.Helper()
	if err := s.Write(p.ctx(), records); !errors.Is(err, want) {
		first, last := records[0].Entry.Index, records[len(records)-1].Entry.Index
		p.Fatalf("Write of indexes %d to %d: %v, want %v", first, last, err, want)
	}
}

// testGap checks that entries with a gap before or between them are refused as a whole.
func testGap(p *place) {
	s, list := p.open(), Records(20, 1)
	if p.Deaf {
		p.Skip("without a cursor a sink cannot tell")
	}
	p.refuses(s, list[1:2], sink.ErrGap)
	p.holds(s, nil)
	p.write(s, list[:5])
	p.refuses(s, list[6:8], sink.ErrGap)
	p.refuses(s, slices.Concat(list[5:7], list[8:10]), sink.ErrGap)
	p.refuses(s, slices.Concat(list[5:7], list[6:7]), sink.ErrGap)
	p.holds(s, list[:5])
	p.write(s, list[5:])
	p.holds(s, list)
}

// testOther checks that entries of another log are refused, also after a restart.
func testOther(p *place) {
	s, list, other := p.open(), Records(20, 1), Records(20, 2)
	if p.Deaf {
		p.Skip("without a cursor a sink cannot tell")
	}
	p.write(s, list[:5])
	p.refuses(s, other[5:8], sink.ErrOther)
	p.refuses(s, other[4:5], sink.ErrOther)
	p.refuses(s, slices.Concat(list[5:7], other[7:9]), sink.ErrOther)
	p.holds(s, list[:5])
	p.close(s)
	s = p.open()
	p.refuses(s, other[5:8], sink.ErrOther)
	p.holds(s, list[:5])
}

func testReopen(p *place) {
	list := Records(60, 1)
	for i := 0; i < len(list); i += 20 {
		s := p.open()
		p.cursorIs(s, after(list[:i]))
		p.write(s, list[i:i+13])
		p.write(s, list[i+13:i+20])
		p.close(s)
	}
	p.holds(p.open(), list)
}

func testReadFrom(p *place) {
	if p.Deaf {
		p.Skip("nothing can be read back")
	}
	s, list := p.open(), Records(50, 1)
	p.write(s, list)
	p.cursorIs(s, after(list))
	for _, from := range []int{0, 1, 17, 49, 50} {
		p.reads(s, uint64(from), list[from:])
	}
	p.reads(s, 1<<40, nil)
	for r, err := range s.Read(p.ctx(), 7) { // breaking the loop must end Read
		if err != nil || r.Entry.Index != 7 {
			p.Fatal(r.Entry.Index, err)
		}
		break
	}
}

// testErasedBefore writes entries whose data was erased between others.
func testErasedBefore(p *place) {
	s, list := p.open(), Records(30, 1)
	for i := range list {
		if i%3 == 0 {
			list[i].Payload = nil
		}
	}
	p.write(s, list)
	p.holds(s, list)
}

func testErase(p *place) {
	s, list := p.open(), Records(30, 1)
	e, ok := s.(sink.Eraser)
	if !ok {
		p.Skip("this sink is not an Eraser")
	}
	p.write(s, list)
	for range 2 {
		if err := e.Erase(p.ctx(), []uint64{2, 3, 29, 1000}); err != nil {
			p.Fatal(err)
		}
	}
	for _, i := range []int{2, 3, 29} {
		list[i].Payload = nil
	}
	p.holds(s, list)
	p.close(s)
	p.holds(p.open(), list)
}

func testCancel(p *place) {
	s, list := p.open(), Records(10, 1)
	p.write(s, list[:5])
	ctx, cancel := context.WithCancel(p.ctx())
	cancel()
	if err := s.Write(ctx, list[5:]); !errors.Is(err, context.Canceled) {
		p.Fatalf("Write: %v", err)
	}
	p.write(s, list) // the cancelled write may have written some of them
	p.holds(s, list)
}

func testClosed(p *place) {
	s, list := p.open(), Records(10, 1)
	p.write(s, list[:5])
	p.close(s)
	if err := s.Write(p.ctx(), list[5:]); !errors.Is(err, sink.ErrClosed) {
		p.Fatalf("Write: %v, want ErrClosed", err)
	}
	p.holds(p.open(), list[:5])
}

// testSecond checks that a second writer is refused, or does no harm if the place is shared.
func testSecond(p *place) {
	s, list := p.open(), Records(10, 1)
	p.write(s, list[:5])
	other, err := p.Open(p.ctx())
	if !p.Shared {
		if !errors.Is(err, sink.ErrLocked) {
			p.Fatalf("a second writer: %v, want ErrLocked", err)
		}
		p.write(s, list[5:])
		p.holds(s, list)
		return
	}
	if err != nil {
		p.Fatal(err)
	}
	defer other.Close()
	p.write(other, list[:8])
	p.write(s, list[5:])
	p.write(other, list[8:])
	p.holds(s, list)
}

// testTampered checks that Verify finds an entry that was changed in the place: it names that entry
// or the next one.
func testTampered(p *place) {
	if p.Tamper == nil {
		p.Skip("the place cannot be tampered with")
	}
	s, list := p.open(), Records(12, 1)
	p.write(s, list)
	p.holds(s, list)
	p.close(s)
	const index = 6
	p.Tamper(p.T, index)
	s, err := p.Open(p.ctx())
	if err == nil {
		defer s.Close()
		err = s.Verify(p.ctx())
	}
	bad, ok := errors.AsType[*sink.InvalidError](err)
	if !ok || bad.Index != index && bad.Index != index+1 {
		p.Fatalf("Verify: %v; want an *InvalidError at index %d", err, index)
	}
}

// testBeside reads and verifies while entries are written. It must find a valid prefix each time.
func testBeside(p *place) {
	s, list := p.open(), Records(many, 1)
	if p.Deaf || p.Alone {
		p.Skip("nothing can be read meanwhile")
	}
	done := make(chan error, 1)
	go func() {
		for i := 0; i < len(list); i += 10 {
			if err := s.Write(p.ctx(), list[i:i+10]); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				p.Fatal(err)
			}
			running = false
		default:
		}
		next := uint64(0)
		for r, err := range s.Read(p.ctx(), 0) {
			if err != nil || r.Entry.Index != next ||
				entry.LeafHash(r.Entry.Leaf) != list[next].Entry.EntryHash {
				p.Fatalf("index %d: %+v, %v", next, r.Entry, err)
			}
			next++
		}
		if err := s.Verify(p.ctx()); err != nil {
			p.Fatal(err)
		}
	}
	p.holds(s, list)
}
