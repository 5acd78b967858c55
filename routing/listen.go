package routing

import (
	"context"
	"time"

	"leadloop/store"
)

// dueChannel is where servers on one PostgreSQL database tell each other that
// routings are due.
const dueChannel = "leadloop_due"

// Servers tell each other at most once in tellPause, and after a lost connection
// listen again after listenPause, twice that, and so on up to lastListenPause.
// Until then, and for whoever misses a word, there is the poll.
const (
	tellPause       = 20 * time.Millisecond
	listenPause     = 100 * time.Millisecond
	lastListenPause = 30 * time.Second
)

// hear wakes Run when another server has routings due, and tells the others when
// this one has, until ctx ends.
func (s *Service) hear(ctx context.Context) {
	if s.db.Dialect() != store.Postgres {
		return
	}
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		s.listen(ctx)
	}()
	s.tellOthers(ctx)
	<-listening
}

func (s *Service) listen(ctx context.Context) {
	for wait := listenPause; ; wait = min(2*wait, lastListenPause) {
		err := s.db.Listen(ctx, dueChannel, func(from string) {
			wait = listenPause
			if from != s.self {
				ring(s.wake)
			}
		})
		if ctx.Err() != nil {
			return
		}
		s.log.Warn("the database no longer tells of other servers' routings; polling meanwhile", "error", err, "again in", wait)
		if !pause(ctx, wait) {
			return
		}
	}
}

func (s *Service) tellOthers(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.tell:
		}
		if err := s.db.Notify(ctx, dueChannel, s.self); err != nil && ctx.Err() == nil {
			s.log.Debug("other servers were not told", "error", err)
		}
		if !pause(ctx, tellPause) {
			return
		}
	}
}

// pause waits for d, and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
