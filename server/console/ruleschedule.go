package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"leadloop/routing"
)

// weekDays are the days as Windows name them, from Sunday.
var weekDays = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// week is which hours of the week are marked: by day from Sunday, and hour.
type week [7][24]bool

// weekOf marks the hours of windows. It reports false where they do not begin
// and end on whole hours, so that the week cannot show them.
func weekOf(windows []routing.Window) (w week, ok bool) {
	for _, window := range windows {
		from, to, whole := wholeHours(window)
		if !whole {
			return week{}, false
		}
		for day, name := range weekDays {
			if len(window.Days) > 0 && !slices.Contains(window.Days, name) {
				continue
			}
			for h := from; h < to; h++ {
				w[(day+h/24)%7][h%24] = true
			}
		}
	}
	return w, true
}

func wholeHours(w routing.Window) (from, to int, ok bool) {
	hour := func(text string) (int, bool) {
		digits, whole := strings.CutSuffix(text, ":00")
		n, err := strconv.Atoi(digits)
		return n, whole && err == nil
	}
	from, ok = hour(w.From)
	to, ok2 := hour(w.To)
	if to < from {
		to += 24
	}
	return from, to, ok && ok2
}

// windows are those of the hours marked, the days of one span in one window.
func (w week) windows() []routing.Window {
	windows := []routing.Window{}
	for day, name := range weekDays {
		for h := 0; h < 24; h++ {
			if !w[day][h] {
				continue
			}
			from := h
			for h < 24 && w[day][h] {
				h++
			}
			span := routing.Window{From: fmt.Sprintf("%02d:00", from), To: fmt.Sprintf("%02d:00", h)}
			i := slices.IndexFunc(windows, func(o routing.Window) bool { return o.From == span.From && o.To == span.To })
			if i < 0 {
				windows, i = append(windows, span), len(windows)
			}
			windows[i].Days = append(windows[i].Days, name)
		}
	}
	return windows
}

// The ways a rule is open.
const (
	scheduleAlways = "always"
	scheduleHours  = "hours" // in the hours that are marked
	scheduleExact  = "exact" // by windows that hours cannot show, as they are
)

// scheduleOf is how the week shows windows.
func scheduleOf(windows []routing.Window) (how string, w week) {
	if len(windows) == 0 {
		return scheduleAlways, w
	}
	w, ok := weekOf(windows)
	if !ok {
		return scheduleExact, w
	}
	return scheduleHours, w
}

// postedWeek are the hours that the request marks.
func (v *visit) postedWeek() (w week) {
	for _, text := range v.R.PostForm["hour"] {
		day, hour, _ := strings.Cut(text, "-")
		d, err1 := strconv.Atoi(day)
		h, err2 := strconv.Atoi(hour)
		if err1 == nil && err2 == nil && d >= 0 && d < 7 && h >= 0 && h < 24 {
			w[d][h] = true
		}
	}
	return w
}
