package server

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// enquiry is a lead of the day as the test knows it: what a person told, before
// any form or platform wrapped it up.
type enquiry struct {
	ref         string // in the lead's property Ref, and nobody else's
	kind        string // of the Source it goes to
	first, last string
	phone       string // as it is typed; e164 is what it comes to
	e164        string
	email       string // "" of who gave none
	city        string
	topic       string
	message     string
	utm         string
	budget      int // -1 of who gave none
	rooms       int
	far         string // the platform's own id, the lead's ExternalID
	test        bool   // sent to try the form
	repeats     bool   // by a person who asked before, through a Source that looks for those
}

// What people in the two languages of the day tell.
var (
	dayFirst  = [2][]string{{"נועה", "אורי", "תמר", "יעל", "דוד", "רונית", "משה"}, {"Dana", "Avi", "Ruth", "John", "Maya", "Zoë", "O'Neil"}}
	dayLast   = [2][]string{{"לוי", "כהן", "בן דוד", "אלון", "גל"}, {"Levi", "Cohen", "Smith", "van Dijk", "Barak"}}
	dayCities = [2][]string{{"חיפה", "עכו", "תל אביב", "ירושלים", "באר שבע"}, {"Haifa", "Acre", "Tel Aviv", "London", "New York"}}
	dayTopics = []string{"solar", "roof", "heating", "kitchen", "מזגן"}
	dayAsks   = [2][]string{{"אשמח להצעת מחיר", "דחוף! המזגן מטפטף", "נא לחזור אחרי 17:00 & לא בשבת"}, {"Please call me", "urgent: 5\" of water on the floor", "100% sure, <b>call</b> + mail"}}
	dayUtm    = []string{"google", "google", "facebook", "news", "news", "rotate"}
)

// share is how many of a hundred enquiries come in by each kind of Source, and
// how many customers such a Source lets have one.
var share = []struct {
	kind   string
	of100  int
	places int
}{
	{"json", 20, 1},
	{"form", 12, 2},
	{"google-ads", 12, 1},
	{"meta", 12, 3},
	{"linkedin", 3, 0},
	{"typeform", 10, 2},
	{"elementor", 10, 1},
	{"salesforce-web-to-lead", 8, 1},
	{"leadmanager", 7, 2},
	{"csv", 3, 1},
	{"xlsx", 3, 1},
}

// enquiries are n of them, the same for the same numbers.
func enquiries(n int, r *rand.Rand) []*enquiry {
	all := make([]*enquiry, n)
	asked := []*enquiry{} // through the form of elementor, which looks for duplicates
	for i := range all {
		e := newEnquiry(i, r)
		all[i] = e
		if e.kind != "elementor" {
			continue
		}
		if len(asked) > 0 && r.IntN(8) == 0 {
			who := asked[r.IntN(len(asked))]
			e.repeats, e.first, e.last, e.phone, e.e164, e.email = true, who.first, who.last, who.phone, who.e164, who.email
			continue
		}
		asked = append(asked, e)
	}
	return all
}

func newEnquiry(i int, r *rand.Rand) *enquiry {
	language := r.IntN(2)
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	e := &enquiry{
		ref: fmt.Sprintf("day-%05d", i), first: pick(dayFirst[language]), last: pick(dayLast[language]), city: pick(dayCities[language]),
		topic: pick(dayTopics), message: pick(dayAsks[language]), utm: pick(dayUtm), rooms: 1 + r.IntN(6), budget: -1,
	}
	// The last seven digits are its own: nobody else's phone is the same.
	digits := fmt.Sprintf("5%d%07d", 2*(i%2), 1_000_000+i*37%8_999_999)
	e.e164 = "+972" + digits
	e.phone = []string{"0" + digits[:2] + "-" + digits[2:], "+972 " + digits[:2] + " " + digits[2:5] + " " + digits[5:]}[language]
	if r.IntN(5) > 0 {
		e.email = fmt.Sprintf("%s@%s", e.ref, pick([]string{"example.com", "example.co.il"}))
	}
	if r.IntN(10) > 0 {
		e.budget = 100 * r.IntN(100)
	}
	of := r.IntN(100)
	for _, s := range share {
		if of -= s.of100; of < 0 {
			e.kind = s.kind
			break
		}
	}
	switch e.kind {
	case "json", "google-ads", "linkedin", "typeform", "csv", "xlsx":
		e.far = "far-" + e.ref
	case "meta":
		e.far = fmt.Sprintf("90071992547%08d", i) // longer than a float64 is exact for
	}
	e.test = (e.kind == "google-ads" || e.kind == "linkedin") && r.IntN(20) == 0
	return e
}

func (e *enquiry) fullName() string { return e.first + " " + e.last }

// field is one that a form has.
type formField struct{ name, value string }

// fields are the form's, by what it calls those of a person; the rest have the
// names the rules use. What was not given is left out.
func (e *enquiry) fields(name, phone, email, city, message, utm string) []formField {
	all := []formField{
		{name, e.fullName()},
		{phone, e.phone},
		{email, e.email},
		{city, e.city},
		{message, e.message},
		{utm, e.utm},
		{"Topic", e.topic},
		{"Budget", e.money()},
		{"Rooms", fmt.Sprint(e.rooms)},
		{"Ref", e.ref},
	}
	var given []formField
	for _, f := range all {
		if f.name != "" && f.value != "" {
			given = append(given, f)
		}
	}
	return given
}

// money is the budget as text, "" where none was given.
func (e *enquiry) money() string {
	if e.budget < 0 {
		return ""
	}
	return fmt.Sprint(e.budget)
}

// storedWrong says what of the lead that the server has is not what was sent.
func (e *enquiry) storedWrong(l *seenLead) string {
	var wrong []string
	check := func(name, got, want string) {
		if got != want {
			wrong = append(wrong, fmt.Sprintf("%s is %q, sent was %q", name, got, want))
		}
	}
	first, rest, _ := strings.Cut(e.fullName(), " ")
	check("FirstName", l.FirstName, first)
	check("LastName", l.LastName, rest)
	check("Phone", l.Phone, e.e164)
	check("Email", l.Email, e.email)
	check("City", l.City, e.city)
	check("Message", l.Message, e.message)
	check("UtmSource", l.UtmSource, e.utm)
	check("Topic", l.Topic, e.topic)
	check("Budget", plainNumber(l.Budget), e.money())
	check("Rooms", plainNumber(l.Rooms), fmt.Sprint(e.rooms))
	if e.far != "" {
		check("ExternalID", l.ExternalID, e.far)
	}
	if l.IsTest != e.test {
		wrong = append(wrong, fmt.Sprintf("IsTest is %v", l.IsTest))
	}
	return strings.Join(wrong, "; ")
}

// plainNumber is a number that came as one or as text.
func plainNumber(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
