package odata_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"leadloop/store/storetest"
)

// text is a value as JSON.
func marshal(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// item is the id of an item.
func item(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }

// add is the statement that adds an item.
func add(n, owner int, name string, price float64) string {
	return fmt.Sprintf("INSERT INTO items (id, owner_id, name, price, tags, properties, internal, version) VALUES ('%s', %d, '%s', %g, '[]', '{}', '', 1)", item(n), owner, name, price)
}

// set is the statement that changes an item.
func set(n int, what string) string {
	return fmt.Sprintf("UPDATE items SET %s WHERE id = '%s'", what, item(n))
}

func TestDelta(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		for _, size := range []int{1, 2, 3, 1000} {
			t.Run(fmt.Sprint(dialect, size), func(t *testing.T) {
				s := newLibrary(t, dialect, size)
				s.exec(t, add(1, 1, "one", 1), add(2, 1, "two", 2), add(3, 2, "three", 3))
				all := s.follow(t, 0, "/Items")
				cheap := s.follow(t, 0, "/Items?$filter=Price lt 2.5&$select=Name,ID&$orderby=Name desc&$count=true")
				first := s.follow(t, 1, "/Items")
				check := func(what string, r *replica, ids, gone string) {
					t.Helper()
					r.sync(t)
					if r.ids() != ids || r.gone() != gone {
						t.Errorf("%s: got %q, removed %q; want %q, removed %q", what, r.ids(), r.gone(), ids, gone)
					}
				}
				check("nothing", all, "1 2 3", "")
				check("nothing", cheap, "1 2", "")
				check("nothing", first, "1 2", "")

				s.exec(t, add(4, 1, "four", 4), set(3, "price = 1"), set(1, "price = 9, version = 2"), "DELETE FROM items WHERE id = '"+item(2)+"'")
				check("changes", all, "1 3 4", "2:deleted")
				check("changes", cheap, "3", "1:changed 2:deleted")
				check("changes", first, "1 4", "2:changed")
				check("no more", all, "1 3 4", "")
				if all.received != 0 || all.pages != 1 {
					t.Errorf("an empty delta: %+v", all)
				}

				// What moves out of sight, into it, and what never was in it.
				s.exec(t, set(1, "owner_id = 2"), set(3, "owner_id = 1"), add(5, 2, "five", 1), set(5, "name = 'V'"), add(6, 2, "six", 1))
				s.exec(t, "DELETE FROM items WHERE id = '"+item(6)+"'", set(5, "owner_id = 3"))
				check("access", first, "3 4", "1:changed")
				check("access", all, "1 3 4 5", "6:deleted")
				check("access", cheap, "3 5", "6:deleted")

				// A change of what is not in the model is none.
				s.exec(t, set(3, "internal = 'x'"))
				check("hidden", all, "1 3 4 5", "")
				if all.received != 0 {
					t.Errorf("a hidden change showed: %v", all.rows)
				}
				s.exec(t, fmt.Sprintf("UPDATE items SET id = '%s' WHERE id = '%s'", item(7), item(4)))
				check("a new key", all, "1 3 5 7", "4:deleted")
				check("a new key", first, "3 7", "4:changed")
				check("a new key", cheap, "3 5", "4:deleted")
				if got := cheap.rows[item(3)]; got != `{"@odata.etag":"W/\"1\"","ID":"`+item(3)+`","Name":"three"}` {
					t.Errorf("selected: %s", got)
				}
			})
		}
	}
}

// An item that the filter never let through is not reported as removed when
// something else of it changes.
func TestDeltaSaysLittle(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newLibrary(t, dialect, 100)
			s.exec(t, add(1, 1, "one", 1), add(2, 1, "two", 2))
			r := s.follow(t, 1, "/Items?$filter=Price gt 5 or Color eq 'red'")
			s.exec(t, set(1, "name = 'changed', version = 2"), add(3, 1, "three", 3))
			if r.sync(t); len(r.removed) > 0 || r.received > 0 {
				t.Errorf("%v %v", r.removed, r.rows)
			}
			s.exec(t, set(1, `properties = '{"Color":"red"}'`), set(2, "price = 6"))
			if r.sync(t); r.ids() != "1 2" {
				t.Errorf("%v %v", r.removed, r.rows)
			}
			s.exec(t, set(1, `properties = '{"Color":"blue"}'`))
			if r.sync(t); r.ids() != "2" || r.gone() != "1:changed" {
				t.Errorf("%v %v", r.removed, r.rows)
			}
		})
	}
}

// Access that follows navigation properties changes without the entity.
func TestDeltaThroughRelated(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newLibrary(t, dialect, 2)
			s.exec(t, "INSERT INTO shelves (id, owner_id) VALUES (1, 1), (2, 2)",
				"INSERT INTO notes (id, shelf_id, text) VALUES (1, 1, 'a'), (2, 2, 'b'), (3, NULL, 'c')",
				"INSERT INTO documents (id, title) VALUES ('d1', 'a'), ('d2', 'b')",
				"INSERT INTO grants (id, document_id, user_id) VALUES (1, 'd1', 1), (2, 'd2', 2)")
			notes, documents := s.follow(t, 1, "/Notes"), s.follow(t, 1, "/Documents")
			all := s.follow(t, 0, "/Documents?$filter=Title ne 'z'")
			check := func(r *replica, ids, gone string) {
				t.Helper()
				r.sync(t)
				if r.ids() != ids || r.gone() != gone {
					t.Errorf("got %q, removed %q; want %q, removed %q", r.ids(), r.gone(), ids, gone)
				}
			}
			check(notes, "1", "")
			check(documents, "'d1'", "")

			s.exec(t, "UPDATE shelves SET owner_id = 3 - owner_id", "INSERT INTO grants (id, document_id, user_id) VALUES (3, 'd2', 1)")
			check(notes, "2", "1:changed")
			check(documents, "'d1' 'd2'", "")

			s.exec(t, "UPDATE notes SET shelf_id = 1 WHERE id = 3", "UPDATE notes SET shelf_id = NULL WHERE id = 2", "DELETE FROM grants WHERE id = 1")
			check(notes, "", "2:changed")
			check(documents, "'d2'", "'d1':changed")

			s.exec(t, "UPDATE grants SET document_id = 'd1' WHERE id = 3")
			check(documents, "'d1'", "'d2':changed")
			s.exec(t, "DELETE FROM grants WHERE document_id = 'd1'", "DELETE FROM documents WHERE id = 'd1'")
			check(documents, "", "'d1':changed")
			check(all, "'d2'", "'d1':deleted")
			s.exec(t, "UPDATE grants SET user_id = 3", "INSERT INTO grants (id, document_id, user_id) VALUES (9, NULL, 1)", "DELETE FROM grants WHERE id = 9")
			check(documents, "", "")
		})
	}
}

// TestDeltaForm holds the payload to the letter.
func TestDeltaForm(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newLibrary(t, dialect, 100)
			s.exec(t, add(1, 1, "one", 1), add(2, 1, "two", 2), "INSERT INTO pairs (a, b, text) VALUES (1, 2, 'x')", "INSERT INTO documents (id, title) VALUES ('d''1', 'x')")
			items, pairs, documents := s.follow(t, 0, "/Items?$select=Name&$filter=Price lt 5&$top=1"), s.follow(t, 0, "/Pairs"), s.follow(t, 0, "/Documents")
			s.exec(t, set(1, "name = 'eins'"), set(2, "price = 7"), "DELETE FROM pairs", "DELETE FROM documents")
			for _, c := range []struct{ link, version, want string }{
				{items.link, "4.01", `{"@odata.context":"http://shop.test/shop/$metadata#Items(Name)/$delta","value":[` +
					`{"@odata.id":"Items(` + item(1) + `)","@odata.etag":"W/\"1\"","Name":"eins"},` +
					`{"@removed":{"reason":"changed"},"@id":"http://shop.test/shop/Items(` + item(2) + `)","ID":"` + item(2) + `"}],"@odata.deltaLink":""}`},
				{items.link, "4.0", `{"@odata.context":"http://shop.test/shop/$metadata#Items(Name)/$delta","value":[` +
					`{"@odata.id":"Items(` + item(1) + `)","@odata.etag":"W/\"1\"","Name":"eins"},` +
					`{"@odata.context":"#Items/$deletedEntity","id":"http://shop.test/shop/Items(` + item(2) + `)","reason":"changed"}],"@odata.deltaLink":""}`},
				{pairs.link, "4.01", `{"@odata.context":"http://shop.test/shop/$metadata#Pairs/$delta","value":[` +
					`{"@removed":{"reason":"deleted"},"@id":"http://shop.test/shop/Pairs(A=1,B=2)","A":1,"B":2}],"@odata.deltaLink":""}`},
				{documents.link, "4.0", `{"@odata.context":"http://shop.test/shop/$metadata#Documents/$delta","value":[` +
					`{"@odata.context":"#Documents/$deletedEntity","id":"http://shop.test/shop/Documents('d''1')","reason":"deleted"}],"@odata.deltaLink":""}`},
			} {
				a := s.do(t, t.Context(), "GET "+strings.TrimPrefix(c.link, "http://shop.test/shop"), "", "OData-MaxVersion: "+c.version)
				link, _ := a.json["@odata.deltaLink"].(string)
				got := compact(t, strings.Replace(a.body, `"`+link+`"`, `""`, 1))
				if got != c.want || !strings.Contains(link, "$deltatoken=") || strings.Contains(link, "$top") || a.header.Get("Preference-Applied") != "" {
					t.Errorf("%s\n got %s\nwant %s", c.link, got, c.want)
				}
			}
		})
	}
}
