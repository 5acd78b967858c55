package uri

// Slab makes values of one type a few at a time, which costs less than one by
// one. The zero Slab is ready.
type Slab[T any] struct {
	made []T // the piece made last
	used int // of it
	next int // how many to make next; 0: not known yet
}

// Expect says that about n values are going to be needed.
func (s *Slab[T]) Expect(n int) { s.next = min(n, 64) }

// New returns a pointer to a zero T.
func (s *Slab[T]) New() *T {
	if s.used == len(s.made) {
		s.make()
	}
	s.used++
	return &s.made[s.used-1]
}

func (s *Slab[T]) make() {
	if s.next < 1 {
		s.next = 4
	}
	s.made, s.used = make([]T, s.next), 0
	s.next = min(max(4, 2*s.next), 64)
}

// newCall returns a call together with room for two arguments: few functions take
// more.
func newCall(at At, name string) *Call {
	c := &struct {
		Call
		two [2]Expr
	}{Call: Call{At: at, Func: name}}
	c.Args = c.two[:0]
	return &c.Call
}
