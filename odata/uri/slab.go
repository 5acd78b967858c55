package uri

// Slab makes values of one type a few at a time, which costs less than one by
// one. The zero Slab is ready.
type Slab[T any] struct {
	free []T
	next int // how many to make next; 0: not known yet
}

// Expect says that about n values are going to be needed.
func (s *Slab[T]) Expect(n int) { s.next = min(n, 64) }

// New returns a pointer to a zero T.
func (s *Slab[T]) New() *T {
	if len(s.free) == 0 {
		s.make()
	}
	x := &s.free[0]
	s.free = s.free[1:]
	return x
}

func (s *Slab[T]) make() {
	if s.next < 1 {
		s.next = 4
	}
	s.free = make([]T, s.next)
	s.next = min(max(4, 2*s.next), 64)
}
