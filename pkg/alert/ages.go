package alert

// ages is a map whose keys stand in the order in which they were last seen. It forgets from the oldest end, in steps that cost nothing for what
// stays.
type ages[T any] struct {
	byKey       map[string]*aged[T]
	first, last *aged[T]
}

type aged[T any] struct {
	key        string
	at         int64 // when it was last seen, in nanoseconds
	value      T
	prev, next *aged[T]
}

func newAges[T any]() *ages[T] { return &ages[T]{byKey: map[string]*aged[T]{}} }

// touch finds or makes a key, which was seen now; now never falls.
func (a *ages[T]) touch(key string, now int64) *aged[T] {
	x := a.byKey[key]
	if x == nil {
		x = &aged[T]{key: key}
		a.byKey[key] = x
	} else {
		a.unlink(x)
	}
	x.at = now
	x.prev, x.next = a.last, nil
	if a.last != nil {
		a.last.next = x
	} else {
		a.first = x
	}
	a.last = x
	return x
}

func (a *ages[T]) unlink(x *aged[T]) {
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		a.first = x.next
	}
	if x.next != nil {
		x.next.prev = x.prev
	} else {
		a.last = x.prev
	}
}

func (a *ages[T]) forget(x *aged[T]) {
	a.unlink(x)
	delete(a.byKey, x.key)
}
