package uri

// Slab makes values of one type a few at a time, which costs less than one by
// one. The zero Slab is ready.
type Slab[T any] struct {
	free []T
	size int // of the piece made last
}

// expecting returns a Slab that makes the first n values at once.
func expecting[T any](n int) Slab[T] { return Slab[T]{size: n / 2} }

// New returns a pointer to a zero T.
func (s *Slab[T]) New() *T {
	if len(s.free) == 0 {
		s.size = min(max(4, 2*s.size), 64)
		s.free = make([]T, s.size)
	}
	x := &s.free[0]
	s.free = s.free[1:]
	return x
}
