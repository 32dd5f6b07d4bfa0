package alert

// ages is a map whose keys are ordered by the time at which they were last seen. Removing the
// oldest costs nothing for the others.
type ages[T any] struct {
	byKey       map[string]*aged[T]
	first, last *aged[T]
}

type aged[T any] struct {
	key        string
	at         int64 // when it was last seen, in nanoseconds since 1970
	value      T
	prev, next *aged[T]
}

func newAges[T any]() *ages[T] { return &ages[T]{byKey: map[string]*aged[T]{}} }

// touch returns the element of a key, and creates it if needed. now is the time, which never
// decreases.
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

func (a *ages[T]) remove(x *aged[T]) {
	a.unlink(x)
	delete(a.byKey, x.key)
}
