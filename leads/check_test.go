package leads

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestChecks(t *testing.T) {
	tests := []struct {
		name    string
		check   Check
		body    string // of a delivery
		message string // "": the lead is taken
	}{
		{"required, there", Check{Property: "City", Required: true}, `{"City":"חיפה"}`, ""},
		{"required, missing", Check{Property: "City", Required: true}, `{"FirstName":"נועה"}`, "City is required"},
		{"required, blank", Check{Property: "City", Required: true}, `{"City":" ","FirstName":"x"}`, "City is required"},
		{"required, under a usual name", Check{Property: "City", Required: true}, `{"עיר":"חיפה"}`, ""},
		{"required, dynamic", Check{Property: "סוג דירה", Required: true}, `{"סוג דירה":"4 חדרים"}`, ""},
		{"required, dynamic missing", Check{Property: "סוג דירה", Required: true}, `{"City":"x"}`, "סוג דירה is required"},
		{"required, dynamic blank", Check{Property: "Rooms", Required: true}, `{"Rooms":"","City":"x"}`, "Rooms is required"},
		{"required phone that is none", Check{Property: "Phone", Required: true}, `{"Phone":"12"}`, "Phone is not a phone number"},
		{"required phone missing", Check{Property: "Phone", Required: true}, `{"City":"x"}`, "Phone is required"},
		{"required email that is none", Check{Property: "Email", Required: true}, `{"Email":"noa"}`, "Email is not an e-mail address"},
		{"false is a value", Check{Property: "Agreed", Required: true}, `{"Agreed":false}`, ""},
		{"pattern", Check{Property: "Zip", Pattern: `^\d{7}$`}, `{"Zip":"3100001"}`, ""},
		{"pattern, a number", Check{Property: "Zip", Pattern: `^\d{7}$`}, `{"Zip":3100001}`, ""},
		{"pattern missed", Check{Property: "Zip", Pattern: `^\d{7}$`}, `{"Zip":"31000"}`, `Zip does not match ^\d{7}$`},
		{"pattern, no value", Check{Property: "Zip", Pattern: `^\d{7}$`}, `{"City":"x"}`, ""},
		{"pattern, Hebrew", Check{Property: "FirstName", Pattern: `^\p{Hebrew}+$`}, `{"FirstName":"Noa"}`, `FirstName does not match ^\p{Hebrew}+$`},
		{"pattern that others run long on", Check{Property: "X", Pattern: `^(a+)+$`}, `{"X":"` + strings.Repeat("a", 9_000) + `!"}`, `X does not match ^(a+)+$`},
		{"values", Check{Property: "City", Values: []string{"חיפה", "עכו"}}, `{"City":"עכו"}`, ""},
		{"values missed", Check{Property: "City", Values: []string{"חיפה", "עכו"}}, `{"City":"אילת"}`, "City must be one of: חיפה, עכו"},
		{"values of numbers", Check{Property: "Rooms", Values: []string{"3", "4"}}, `{"Rooms":5}`, "Rooms must be one of: 3, 4"},
		{"values of a list", Check{Property: "Likes", Values: []string{"a", "b"}}, `{"Likes":["a","c"]}`, "Likes must be one of: a, b"},
		{"many values", Check{Property: "City", Values: strings.Split("a b c d e f g h i j k", " ")}, `{"City":"x"}`, "City is none of the 11 values that are allowed"},
		{"phone", Check{Property: "Phone", Format: FormatPhone}, `{"Phone":"050-1234567"}`, ""},
		{"no phone", Check{Property: "Phone", Format: FormatPhone}, `{"City":"x"}`, ""},
		{"a phone that is none", Check{Property: "Phone", Format: FormatPhone}, `{"Phone":"123"}`, "Phone is not a phone number"},
		{"a key held down", Check{Property: "Phone", Format: FormatPhone}, `{"Phone":"0500000000"}`, "Phone is not a phone number"},
		{"a second phone", Check{Property: "Office", Format: FormatPhone}, `{"Office":"no"}`, "Office is not a phone number"},
		{"a mobile phone", Check{Property: "Phone", Format: FormatMobile}, `{"Phone":"+972501234567"}`, ""},
		{"a landline", Check{Property: "Phone", Format: FormatMobile}, `{"Phone":"04-8123456"}`, "Phone is not a mobile phone number"},
		{"an address", Check{Property: "Email", Format: FormatEmail}, `{"Email":"Noa@Example.co.il"}`, ""},
		{"an address of letters beyond ASCII", Check{Property: "Email", Format: FormatEmail}, `{"Email":"נועה@דוגמה.ישראל"}`, ""},
		{"an address that is none", Check{Property: "Email", Format: FormatEmail}, `{"Email":"noa at home"}`, "Email is not an e-mail address"},
		{"an address nowhere", Check{Property: "Email", Format: FormatEmail}, `{"Email":"a@b.test"}`, "Email is not an e-mail address"},
		{"an address with a bad label", Check{Property: "Email", Format: FormatEmail}, `{"Email":"a@-b.com"}`, "Email is not an e-mail address"},
		{"an address with a number at its end", Check{Property: "Email", Format: FormatEmail}, `{"Email":"a@1.2.3.4"}`, "Email is not an e-mail address"},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				s := New(db, storetest.Vault())
				src := addSource(t, s, Source{Kind: KindJSON, Checks: []Check{test.check}})
				before := count(t, s, "leads")
				_, err := post(s, src, test.body)
				if test.message == "" {
					if err != nil || count(t, s, "leads") != before+1 {
						t.Errorf("got %v", err)
					}
					return
				}
				wantFault(t, err, fault.Invalid, test.check.Property)
				if e := (*fault.Error)(nil); !errors.As(err, &e) || e.Message != test.message {
					t.Errorf("got %v, want %s", err, test.message)
				}
				if count(t, s, "leads") != before {
					t.Error("the lead was stored")
				}
				list, err := s.Rejections(manager(), src.ID, 10)
				if err != nil || len(list) != 1 || list[0].Target != test.check.Property || list[0].Code != "invalid" || list[0].Number != 1 {
					t.Errorf("rejections: %+v, %v", list, err)
				}
			})
		}
	})
}

// All that is wrong is told at once, once for each property.
func TestSeveralChecks(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	src := addSource(t, s, Source{Kind: KindJSON, Checks: []Check{
		{Property: "City", Required: true}, {Property: "Phone", Required: true}, {Property: "Phone", Format: FormatPhone}, {Property: "Zip", Pattern: "^[0-9]+$"},
	}})
	_, err := post(s, src, `[{"City":"x","Phone":"0501234567"},{"Phone":"1","Zip":"x"}]`)
	var e *fault.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	got, _ := json.Marshal(e.Details)
	want := `[{"code":"invalid","message":"City is required","target":"City"},{"code":"invalid","message":"Phone is not a phone number","target":"Phone"},` +
		`{"code":"invalid","message":"Zip does not match ^[0-9]+$","target":"Zip"}]`
	if string(got) != want || e.Target != "[1].City" || count(t, s, "leads") != 0 {
		t.Errorf("at %s: %s", e.Target, got)
	}
}

func TestSieveOfSourcesRefuses(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	tests := []struct {
		name   string
		source Source
		target string
	}{
		{"a check of nothing", Source{Checks: []Check{{Property: "City"}}}, "Checks/0"},
		{"a check without a property", Source{Checks: []Check{{Required: true}}}, "Checks[0].Property"},
		{"a check of what the server sets", Source{Checks: []Check{{Property: "City", Required: true}, {Property: "State", Required: true}}}, "Checks/1/Property"},
		{"a pattern that is none", Source{Checks: []Check{{Property: "City", Pattern: "("}}}, "Checks/0/Pattern"},
		{"a pattern that looks back", Source{Checks: []Check{{Property: "City", Pattern: `(a)\1`}}}, "Checks/0/Pattern"},
		{"an unknown format", Source{Checks: []Check{{Property: "City", Format: "zip"}}}, "Checks[0].Format"},
		{"a window that is none", Source{DuplicateWindow: "30 days"}, "DuplicateWindow"},
		{"a window of nothing", Source{DuplicateWindow: "PT0S"}, "DuplicateWindow"},
		{"a window of half a thing", Source{DuplicateWindow: "P1DT"}, "DuplicateWindow"},
		{"a window of ages", Source{DuplicateWindow: "P11Y"}, "DuplicateWindow"},
		{"an unknown way to tell persons", Source{DuplicateWindow: "P1D", DuplicateBy: "name"}, "DuplicateBy"},
		{"a fill time without its field", Source{MinFillSeconds: 3}, "FillTimeField"},
		{"a fill time below nothing", Source{MinFillSeconds: -3, FillTimeField: "t"}, "MinFillSeconds"},
		{"one field for two guards", Source{Honeypot: "t", FillTimeField: "t"}, "FillTimeField"},
		{"a rate below nothing", Source{PerAddress: -1}, "PerAddress"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.source.Name, test.source.Kind = "x", KindJSON
			wantFault(t, s.CreateSource(manager(), &test.source), fault.Invalid, test.target)
		})
	}
}

func TestRotateToken(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		clock := &clock{time.Date(2026, 11, 22, 3, 39, 0, 0, time.UTC)}
		s.Now = clock.Now
		src := addSource(t, s, Source{Kind: KindJSON, MaxRoutings: 3})
		works := func(token string, want bool) {
			t.Helper()
			_, err := post(s, &Source{Token: token}, `{"City":"Haifa"}`)
			if !want && fault.CodeOf(err) != fault.NotFound || want && err != nil {
				t.Errorf("works %t, but got %v", want, err)
			}
		}
		first := src.Token
		works(first, true)
		second, err := s.RotateToken(manager(), src.ID, 0)
		if err != nil || second.Token == first || second.Version != 2 || second.MaxRoutings != 3 || second.OldTokenUntil != nil {
			t.Fatalf("%+v, %v", second, err)
		}
		works(first, false)
		works(second.Token, true)

		third, err := s.RotateToken(manager(), src.ID, 2*time.Hour)
		if err != nil || third.OldTokenUntil == nil || !third.OldTokenUntil.Equal(clock.now.Add(2*time.Hour)) {
			t.Fatalf("%+v, %v", third, err)
		}
		works(first, false)
		works(second.Token, true)
		works(third.Token, true)
		third.Name = "Renamed" // a change of something else leaves both working
		if err := s.UpdateSource(manager(), third); err != nil {
			t.Fatal(err)
		}
		clock.now = clock.now.Add(2*time.Hour - time.Microsecond)
		works(second.Token, true) // and is kept in memory now
		clock.now = clock.now.Add(time.Microsecond)
		works(second.Token, false)
		works(third.Token, true)

		_, err = s.RotateToken(manager(), 99, 0)
		wantFault(t, err, fault.NotFound, "")
		for _, overlap := range []time.Duration{-1, MaxOverlap + 1} {
			_, err = s.RotateToken(manager(), src.ID, overlap)
			wantFault(t, err, fault.Invalid, "OverlapHours")
		}
		if _, err = s.RotateToken(context.Background(), src.ID, 0); fault.CodeOf(err) != fault.Unauthorized {
			t.Errorf("nobody may rotate, got %v", err)
		}
	})
}
