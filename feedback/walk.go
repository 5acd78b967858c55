package feedback

import (
	"crypto/sha256"
	"errors"
	"time"

	"leadloop/routing"
)

// walk is the way of a run through the pages.
//
// Where items come in the order of their times, it goes by time: after a full
// page on from its newest item, which is a first page again. A thing that
// changes meanwhile moves to the end of the list and all behind it up a place;
// by page numbers, one of them would come to a page that is read already.
// Otherwise it goes by numbers or links, and how far it is counts at the end.
type walk struct {
	at      routing.Place
	byTime  bool
	newest  time.Time
	last    [sha256.Size]byte
	done    bool
	problem string // with an item
}

func newWalk(since time.Time, ordered bool) *walk {
	return &walk{at: routing.Place{Since: since}, byTime: ordered}
}

// slack is how far the walk goes back behind a page's newest item: conditions
// leave out the time they name, and times are told in whole seconds.
const slack = time.Second

// on goes past a page. It returns an error, for people, where that leads nowhere.
func (w *walk) on(page *routing.Page) error {
	again := page.Sum == w.last
	w.last = page.Sum
	for _, item := range page.Items {
		if item.OccurredAt.After(w.newest) {
			w.newest = item.OccurredAt
		}
	}
	// The same page from a later time on: the system does not heed the time.
	w.byTime = w.byTime && inOrder(page.Items) && !(again && w.at.Page == 0)
	switch {
	case !page.More:
		w.done = true
	case page.Next != "":
		if page.Next == w.at.Next || again {
			return errors.New("the next page is the same page again")
		}
		w.at.Next = page.Next
	case w.byTime && w.newest.Add(-slack).After(w.at.Since):
		w.at = routing.Place{Since: w.newest.Add(-slack).Truncate(time.Second)}
	case again && w.at.Page > 0:
		return errors.New("the next page is the same page again: does the customer's system heed the number of the page?")
	default:
		w.at.Page++
	}
	return nil
}

// reached is how far all was read; nil where that is not known yet.
func (w *walk) reached() *time.Time {
	if w.newest.IsZero() || !w.done && !w.byTime {
		return nil
	}
	return &w.newest
}

func inOrder(items []routing.Item) bool {
	for i := 1; i < len(items); i++ {
		if items[i].OccurredAt.Before(items[i-1].OccurredAt) {
			return false
		}
	}
	return true
}
