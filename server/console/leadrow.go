package console

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// leadProperty is a property that every lead may have; its message is
// lead.<name>. Code ones are read from left to right.
type leadProperty struct {
	name string
	code bool
}

var leadProperties = []leadProperty{
	{"FirstName", false},
	{"LastName", false},
	{"Phone", true},
	{"Email", true},
	{"City", false},
	{"Message", false},
	{"Campaign", false},
	{"UtmSource", false},
	{"UtmMedium", false},
	{"UtmCampaign", false},
	{"UtmTerm", false},
	{"UtmContent", false},
	{"ExternalID", true},
	{"ID", true},
}

// leadColumns are the columns that can be chosen beside dynamic properties, and
// usualColumns those that are shown unless others are.
var (
	leadColumns  = []string{"Name", "Phone", "Email", "City", "Message", "Source", "State", "Customers", "Reason", "FeedbackAt", "ReceivedAt", "Campaign", "UtmSource", "UtmMedium", "UtmCampaign", "UtmTerm", "UtmContent", "ExternalID", "ID"}
	usualColumns = []string{"Name", "Phone", "Source", "State", "Customers", "Reason", "ReceivedAt"}
)

// maxColumns bounds how many columns are shown at once.
const maxColumns = 40

// leadRow is a lead of the list. Its own properties are in Values, also those that
// only some leads have.
type leadRow struct {
	ID         string
	ReceivedAt time.Time
	FeedbackAt *time.Time
	State      string
	ReasonID   *int32
	ErasedAt   *time.Time
	Source     *struct{ Name string }
	Routings   []struct {
		State    string
		Customer struct{ Name string }
	}
	leadTexts
	Values map[string]any `json:"-"`
}

// leadTexts are the properties of all leads that are text.
type leadTexts struct {
	FirstName, LastName, Phone, PhoneRaw, Email, City, Message       string
	Campaign, UtmSource, UtmMedium, UtmCampaign, UtmTerm, UtmContent string
	ExternalID                                                       string
}

func (t *leadTexts) of(name string) *string {
	switch name {
	case "FirstName":
		return &t.FirstName
	case "LastName":
		return &t.LastName
	case "Phone":
		return &t.Phone
	case "PhoneRaw":
		return &t.PhoneRaw
	case "Email":
		return &t.Email
	case "City":
		return &t.City
	case "Message":
		return &t.Message
	case "Campaign":
		return &t.Campaign
	case "UtmSource":
		return &t.UtmSource
	case "UtmMedium":
		return &t.UtmMedium
	case "UtmCampaign":
		return &t.UtmCampaign
	case "UtmTerm":
		return &t.UtmTerm
	case "UtmContent":
		return &t.UtmContent
	case "ExternalID":
		return &t.ExternalID
	}
	return nil
}

// wholeLead is a leadRow with all of its Values.
type wholeLead struct{ leadRow }

// UnmarshalJSON implements json.Unmarshaler.
func (w *wholeLead) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &w.leadRow); err != nil {
		return err
	}
	return json.Unmarshal(b, &w.Values)
}

// text is the value of a property, "" where the lead has none.
func (r *leadRow) text(name string) string {
	if known := r.of(name); known != nil {
		return *known
	}
	if name == "ID" {
		return r.ID
	}
	return valueText(r.Values[name])
}

// valueText writes a value of a property as people read it.
func valueText(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	case []any, map[string]any:
		text, _ := json.Marshal(value) // it came as JSON
		return string(text)
	}
	return fmt.Sprint(value)
}

// name is what a lead is called.
func (r *leadRow) name() string {
	return strings.TrimSpace(r.text("FirstName") + " " + r.text("LastName"))
}
