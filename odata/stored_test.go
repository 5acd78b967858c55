package odata_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"leadloop/odata"
	"leadloop/odata/payload"
	"leadloop/store/storetest"
)

// odd are products whose dynamic properties have the oddest names and values.
func (s *shop) odd(t *testing.T) map[string]map[string]any {
	names := []string{"'", `"`, "$", "$.a", "a.b", "?", "$1", "}", "{}", "\\", " ", "a b", "\u2028", "<&>", "😀", "[0]", "a]", "שם", "_x", strings.Repeat("n", 200), "%", ":", ",", "--", "/*"}
	values := []any{nil, "", "}", "}}", `"}`, "{", "\\", "\u2028\u0001\t", "<&>", 0, -1.5, 1e300, int64(1) << 62, true, false, map[string]any{}, []any{}, map[string]any{"a": map[string]any{"}": "}"}}, []any{map[string]any{"x": []any{}}}}
	all := map[string]map[string]any{}
	products := []Product{{Name: "}"}, {Name: `"}`, Properties: map[string]any{}}, {Name: "\\", Tags: []string{}, Parts: []Part{}}}
	for i, v := range values {
		properties := map[string]any{"_x": v, names[i%len(names)]: v}
		products = append(products, Product{Name: "}", Tags: []string{"}", `"`}, Parts: []Part{{Label: "}"}}, Properties: properties})
	}
	for _, name := range names {
		products = append(products, Product{Name: name, Properties: map[string]any{name: name}, Price: ptr(0.1), Sold: true, At: ptr(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))})
	}
	for i := range products {
		products[i].ID = uuid.UUID{15: byte(i + 1)}
		all[products[i].ID.String()] = products[i].Properties
	}
	err := s.write(t.Context(), func(tx *gorm.DB) error {
		if err := tx.Create(&[]Maker{{Name: `}"{`, Secret: "x"}}).Error; err != nil {
			return err
		}
		products[1].MakerID = ptr(int64(1))
		if err := tx.Omit("Maker").CreateInBatches(&products, 100).Error; err != nil {
			return err
		}
		if err := tx.Exec("UPDATE products SET properties = NULL WHERE id = ?", products[0].ID).Error; err != nil {
			return err
		}
		return tx.Omit("Product").Create(&[]Review{{ProductID: products[1].ID, Text: ptr("}]")}, {ProductID: products[3].ID}}).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAnswersAreJSON: whatever is selected and expanded of whatever is stored,
// the answer is JSON without a name twice, and has every dynamic value.
func TestAnswersAreJSON(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newShop(t, dialect, odata.Limits{})
			all := s.odd(t)
			rapid.Check(t, func(t *rapid.T) { s.checkShown(t, all) })
		})
	}
}

func (s *shop) checkShown(t *rapid.T, all map[string]map[string]any) {
	subset := func(label string, of ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, 4, rapid.ID[string]).Draw(t, label)
	}
	var query []string
	chosen := subset("select", "*", "ID", "Name", "Tags", "Parts", "Price", "Sold", "At", "Maker", "Reviews", "_x", "שם", "a.b", "Missing", strings.Repeat("n", 200))
	if len(chosen) > 0 {
		query = append(query, "$select="+encode(strings.Join(chosen, ",")))
	}
	expanded := subset("expand", "Maker", "Maker($select=Name)", "Maker($expand=Products)", "Reviews", "Reviews($count=true;$top=1)", "Reviews($select=Text;$orderby=Stars)", "Reviews($expand=Product($expand=Maker))")
	once := map[string]bool{}
	expanded = slices.DeleteFunc(expanded, func(x string) bool {
		name, _, _ := strings.Cut(x, "(")
		again := once[name]
		once[name] = true
		return again
	})
	if len(expanded) > 0 {
		query = append(query, "$expand="+encode(strings.Join(expanded, ",")))
	}
	query = append(query, subset("more", "$count=true", "$format=application/json;odata.metadata=none", "$orderby=Name", "$top=50")...)
	path := "/Products?" + strings.Join(query, "&")
	a := s.get(t, path)
	if a.status != http.StatusOK {
		t.Fatalf("%s: %s", path, a.body)
	}
	if _, err := payload.ParseObject([]byte(a.body)); err != nil {
		t.Fatalf("%s: %v\n%s", path, err, a.body)
	}
	list := a.json["value"].([]any)
	if len(list) != len(all) {
		t.Fatalf("%s: %d products", path, len(list))
	}
	whole := len(chosen) == 0 || slices.Contains(chosen, "*")
	for _, x := range list {
		entity := x.(map[string]any)
		id, _ := entity["ID"].(string)
		if id == "" {
			continue
		}
		for name, want := range all[id] {
			if !whole && !slices.Contains(chosen, name) {
				continue
			}
			if got := plainJSON(entity[name]); got != plainJSON(want) {
				t.Fatalf("%s: %s of %s is %s, want %s", path, name, id, got, plainJSON(want))
			}
		}
	}
}

// plainJSON writes v with numbers in one form.
func plainJSON(v any) string {
	text, _ := json.Marshal(v)
	var plain any
	_ = json.Unmarshal(text, &plain)
	text, _ = json.Marshal(plain)
	return string(text)
}
