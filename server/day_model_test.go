package server

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// The model: what docs/routing.md promises of rules, written down once more and
// apart from the product.

// dayCustomer is a customer, how its system behaves, and its rules.
type dayCustomer struct {
	party
	name   string
	manner manner
	system *system
	rules  []*dayRule
}

// dayRule is a rule as the test knows it.
type dayRule struct {
	demand
	id        int64
	name      string
	customer  *dayCustomer
	place     int // among its customer's rules
	connector string
	priority  int
	weight    int
	turns     bool
	isDefault bool
	caps      map[string]int // by period: day, week, month, total
	zone      *time.Location
	schedule  []dayWindow
	starts    *time.Time
	ends      *time.Time
}

// demand is a condition, and what it means.
type demand struct {
	text  string
	holds func(*enquiry) bool
}

// dayWindow is a window of a schedule: minutes of the day, to the next one where
// to is not after from.
type dayWindow struct {
	days     []string // none: every day
	from, to int
}

// open reports whether the rule's schedule is open at the instant at.
func (r *dayRule) open(at time.Time) bool {
	if len(r.schedule) == 0 {
		return true
	}
	at = at.In(r.zone)
	minute := at.Hour()*60 + at.Minute()
	today, yesterday := at.Format("Mon"), at.AddDate(0, 0, -1).Format("Mon")
	for _, w := range r.schedule {
		on := func(day string) bool { return len(w.days) == 0 || slices.Contains(w.days, day) }
		switch overnight := w.to <= w.from; {
		case !overnight && on(today) && w.from <= minute && minute < w.to,
			overnight && on(today) && w.from <= minute,
			overnight && on(yesterday) && minute < w.to:
			return true
		}
	}
	return false
}

// period names the period of a cap that the instant at lies in.
func (r *dayRule) period(kind string, at time.Time) string {
	at = at.In(r.zone)
	switch kind {
	case "day":
		return at.Format("day 2006-01-02")
	case "week":
		return at.AddDate(0, 0, -int(at.Weekday())).Format("week 2006-01-02")
	case "month":
		return at.Format("month 2006-01")
	}
	return kind
}

// slotOf is what a cap counts.
type slotOf struct {
	rule   int64
	period string
}

// drawDemand draws a condition. Each is beside its meaning.
func drawDemand(r *rand.Rand) demand {
	language := r.IntN(2)
	city, other := dayCities[language][r.IntN(5)], dayCities[r.IntN(2)][r.IntN(5)]
	topic := dayTopics[r.IntN(len(dayTopics))]
	n, rooms := 1000*(1+r.IntN(8)), 2+r.IntN(4)
	switch r.IntN(10) {
	case 0:
		return demand{fmt.Sprintf("City eq '%s'", city), func(e *enquiry) bool { return e.city == city }}
	case 1:
		return demand{
			fmt.Sprintf("City in ('%s','%s') and Topic ne '%s'", city, other, topic),
			func(e *enquiry) bool { return (e.city == city || e.city == other) && e.topic != topic },
		}
	case 2:
		return demand{fmt.Sprintf("Topic eq '%s' and Budget ge %d", topic, n), func(e *enquiry) bool { return e.topic == topic && e.budget >= n }}
	case 3:
		return demand{fmt.Sprintf("Budget ge %d and Budget lt %d", n, n+1500), func(e *enquiry) bool { return e.budget >= n && e.budget < n+1500 }}
	case 4:
		return demand{
			fmt.Sprintf("(contains(Message,'דחוף') or contains(Message,'urgent')) and Rooms gt %d", rooms),
			func(e *enquiry) bool {
				return (strings.Contains(e.message, "דחוף") || strings.Contains(e.message, "urgent")) && e.rooms > rooms
			},
		}
	case 5: // no budget is not at least anything
		return demand{fmt.Sprintf("not (Budget ge %d) and City eq '%s'", n, city), func(e *enquiry) bool { return e.budget < n && e.city == city }}
	case 6:
		return demand{
			fmt.Sprintf("Topic in ('%s','none') and (Rooms ge %d or Email eq null)", topic, rooms),
			func(e *enquiry) bool { return e.topic == topic && (e.rooms >= rooms || e.email == "") },
		}
	case 7:
		return demand{
			fmt.Sprintf("tolower(City) eq '%s' or UtmSource eq 'google' and Rooms eq %d", strings.ToLower(city), rooms),
			func(e *enquiry) bool {
				return strings.EqualFold(e.city, city) || e.utm == "google" && e.rooms == rooms
			},
		}
	case 8:
		return demand{
			fmt.Sprintf("endswith(Email,'.co.il') and Topic eq '%s'", topic),
			func(e *enquiry) bool { return strings.HasSuffix(e.email, ".co.il") && e.topic == topic },
		}
	}
	return demand{
		fmt.Sprintf("length(City) gt 6 and Budget le %d", n),
		func(e *enquiry) bool { return utf8.RuneCountInString(e.city) > 6 && e.budget >= 0 && e.budget <= n },
	}
}

// judgement is what the model expects a decision to come to for a rule.
type judgement struct {
	*dayRule
	code string
	by   int64 // the rule it lost to
	// of what the model cannot know, as the product says
	turn   *int64
	breaks bool // its circuit breaker was open
	draw   float64
}

// occurrence is one decision to be judged, with what the model is told of the
// moment.
type occurrence struct {
	at     time.Time
	lead   uuid.UUID
	places int            // customers that may have the lead; 0: any number
	live   int            // that have it
	served map[int64]bool // that ever had it
	told   map[int64]*seenVerdict
	full   func(*dayRule) bool
}

// obstacle is what keeps a rule from a lead, whoever else wants it; "" nothing.
func (o *occurrence) obstacle(r *dayRule) string {
	switch {
	case o.told[r.id] != nil && o.told[r.id].Code == "paused":
		return "paused" // it is checked apart whether it was
	case r.starts != nil && o.at.Before(*r.starts):
		return "not_started"
	case r.ends != nil && !o.at.Before(*r.ends):
		return "ended"
	case !r.open(o.at):
		return "shut"
	case o.full(r):
		return "full"
	}
	return ""
}

// judge gives what the decision must come to for each rule whose condition holds.
func (o *occurrence) judge(held []*dayRule) map[int64]*judgement {
	all := map[int64]*judgement{}
	var groups [4][]*judgement // ordinary, failing, default, failing default
	for _, r := range held {
		j := &judgement{dayRule: r, code: o.obstacle(r), draw: drawOf(o.lead, r)}
		all[r.id] = j
		if j.code != "" {
			continue
		}
		if v := o.told[r.id]; v != nil {
			j.turn, j.breaks = v.Turn, v.Breaker != nil
		}
		group := 0
		if r.isDefault {
			group = 2
		}
		if j.breaks {
			group++
		}
		groups[group] = append(groups[group], j)
	}
	got, last := map[int64]bool{}, (*judgement)(nil)
	for i, group := range groups {
		if i >= 2 && (last != nil && !last.isDefault || o.live > 0) {
			for _, j := range group {
				j.code = "needless"
			}
			continue
		}
		last = o.deal(group, got, last)
	}
	return all
}

// deal gives the lead to the rules of a group, in their order, while there are
// places, and returns the last that got it.
func (o *occurrence) deal(group []*judgement, got map[int64]bool, last *judgement) *judgement {
	rotating := map[int]bool{}
	for _, j := range group {
		rotating[j.priority] = rotating[j.priority] || j.turns
	}
	slices.SortFunc(group, func(a, b *judgement) int {
		order := cmp.Compare(a.priority, b.priority)
		switch {
		case order != 0:
		case !rotating[a.priority]:
			order = cmp.Compare(a.draw, b.draw)
		case a.turn != nil && b.turn != nil:
			order = cmp.Compare(*a.turn, *b.turn)
		}
		return cmp.Or(order, cmp.Compare(a.id, b.id))
	})
	for _, j := range group {
		switch customer := j.customer; {
		case got[j.customerID()] || o.served[customer.number()]:
			j.code = "served"
		case o.places > 0 && o.live+len(got) >= o.places:
			j.code, j.by = "no_place", 0
			if last != nil {
				j.by = last.id
				switch {
				case last.priority < j.priority:
					j.code = "lost_to_tier"
				case j.breaks && !last.breaks:
					j.code = "lost_to_healthy"
				case rotating[j.priority]:
					j.code = "lost_in_turn"
				default:
					j.code = "lost_in_draw"
				}
			}
		default:
			j.code = "chosen"
			got[j.customerID()] = true
			last = j
		}
	}
	return last
}

func (j *judgement) customerID() int64 { return j.customer.number() }

func (c *dayCustomer) number() int64 { return idOf(c.id) }

// drawOf is the draw of docs/routing.md: -ln(u) / weight, where u is made of the
// first 53 bits of the SHA-256 of the lead's id and the rule's id.
func drawOf(lead uuid.UUID, r *dayRule) float64 {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(lead[:], uint64(r.id)))
	u := (float64(binary.BigEndian.Uint64(sum[:])/2048) + 0.5) / math.Pow(2, 53)
	return -math.Log(u) / float64(r.weight)
}
