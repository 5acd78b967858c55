package console

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/routing"
)

// TestWeek has windows go to hours and back.
func TestWeek(t *testing.T) {
	work := []string{"Sun", "Mon", "Tue", "Wed", "Thu"}
	for name, c := range map[string]struct{ windows, want []routing.Window }{
		"none":      {nil, []routing.Window{}},
		"work":      {[]routing.Window{{Days: work, From: "09:00", To: "17:00"}}, nil},
		"two spans": {[]routing.Window{{Days: work, From: "09:00", To: "12:00"}, {Days: []string{"Sun", "Fri"}, From: "13:00", To: "24:00"}}, nil},
		"every day": {[]routing.Window{{From: "08:00", To: "09:00"}}, []routing.Window{{Days: weekDays, From: "08:00", To: "09:00"}}},
		"night": {
			[]routing.Window{{Days: []string{"Sat"}, From: "22:00", To: "02:00"}},
			[]routing.Window{{Days: []string{"Sun"}, From: "00:00", To: "02:00"}, {Days: []string{"Sat"}, From: "22:00", To: "24:00"}},
		},
	} {
		if c.want == nil {
			c.want = c.windows
		}
		w, ok := weekOf(c.windows)
		if diff := cmp.Diff(c.want, w.windows()); diff != "" || !ok {
			t.Errorf("%s: %v %s", name, ok, diff)
		}
		if again, _ := weekOf(w.windows()); again != w {
			t.Errorf("%s: other hours the second time", name)
		}
	}
	for _, w := range []routing.Window{{From: "09:30", To: "17:00"}, {From: "09:00", To: "17:01"}} {
		if how, _ := scheduleOf([]routing.Window{w}); how != scheduleExact {
			t.Errorf("%v is %s", w, how)
		}
	}
}
