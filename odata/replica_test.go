package odata_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"leadloop/store"
	"leadloop/store/storetest"
)

// A transaction that commits late is not lost, whatever numbers it drew early.
func TestDeltaOutOfOrder(t *testing.T) {
	s := newLibrary(t, store.Postgres, 2)
	begin := func(statement string) *gorm.DB {
		t.Helper()
		tx := s.db.Read(t.Context()).Begin()
		if err := tx.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
		return tx
	}
	commit := func(tx *gorm.DB) {
		t.Helper()
		if err := tx.Commit().Error; err != nil {
			t.Fatal(err)
		}
	}
	early := begin(add(1, 1, "one", 1))
	middle := begin(add(2, 1, "two", 2))
	s.exec(t, add(3, 1, "three", 3))
	r := s.follow(t, 1, "/Items")
	if r.ids() != "3" {
		t.Fatal(r.ids())
	}
	late := begin(set(3, "price = 33"))
	commit(middle)
	if r.sync(t); r.ids() != "2 3" || r.received != 1 {
		t.Errorf("the second: %s, %d received", r.ids(), r.received)
	}
	if r.sync(t); r.received > 0 {
		t.Errorf("while others are in flight: %d", r.received)
	}
	s.exec(t, add(4, 1, "four", 4), add(5, 1, "five", 5), add(6, 1, "six", 6))
	if r.sync(t); r.ids() != "2 3 4 5 6" || r.pages < 2 {
		t.Errorf("later ones: %s on %d pages", r.ids(), r.pages)
	}
	rolledBack := begin(add(7, 1, "seven", 7))
	commit(late)
	commit(early)
	if r.sync(t); r.ids() != "1 2 3 4 5 6" || !strings.Contains(r.rows[item(3)], "33") {
		t.Errorf("the first: %v", r.rows)
	}
	if err := rolledBack.Rollback().Error; err != nil {
		t.Fatal(err)
	}
	r.sync(t)
	if r.sync(t); r.received > 0 || r.ids() != "1 2 3 4 5 6" {
		t.Errorf("when all is quiet: %d %s", r.received, r.ids())
	}
}

// A transaction that commits between the pages of a first read, or of a delta,
// is in the next delta.
func TestDeltaBetweenPages(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newLibrary(t, dialect, 1)
			s.exec(t, add(2, 1, "two", 2), add(4, 1, "four", 4))
			path := "/Items?$orderby=ID"
			get := func(link string) answer {
				return s.do(t, t.Context(), "GET "+strings.TrimPrefix(link, "http://shop.test/shop"), "", "Prefer: track-changes")
			}
			a := get(path)
			s.exec(t, add(1, 1, "one", 1), set(2, "price = 22"))
			a = get(a.json["@odata.nextLink"].(string))
			r := &replica{s: s, link: a.json["@odata.deltaLink"].(string), rows: map[string]string{}}
			if r.sync(t); r.ids() != "1 2" {
				t.Errorf("during the first read: %v", r.rows)
			}
			s.exec(t, set(4, "price = 44"), add(5, 1, "five", 5))
			a = get(r.link)
			s.exec(t, set(4, "price = 444"), "DELETE FROM items WHERE id = '"+item(2)+"'")
			r.rows = map[string]string{item(2): ""}
			r.link = a.json["@odata.nextLink"].(string)
			r.sync(t)
			if r.sync(t); r.ids() != "4 5" || !strings.Contains(r.rows[item(4)], "444") {
				t.Errorf("during a delta: %v", r.rows)
			}
		})
	}
}

// Many writers at once: in the end every replica holds what is there.
func TestDeltaManyWriters(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newLibrary(t, dialect, 7)
			replicas := []*replica{s.follow(t, 0, "/Items"), s.follow(t, 1, "/Items"), s.follow(t, 0, "/Items?$filter=Price gt 50")}
			var writers sync.WaitGroup
			for w := range 8 {
				writers.Go(func() {
					random := rand.New(rand.NewPCG(uint64(w), 1))
					for i := range 25 {
						err := s.write(t.Context(), func(tx *gorm.DB) error {
							n := w*1000 + i
							err := tx.Exec(add(n, 1+random.IntN(2), "x", float64(random.IntN(100)))).Error
							for range random.IntN(4) {
								of := w*1000 + random.IntN(i+1)
								if err == nil {
									err = tx.Exec(set(of, fmt.Sprintf("price = %d, owner_id = %d", random.IntN(100), 1+random.IntN(2)))).Error
								}
							}
							return err
						})
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			done := make(chan struct{})
			go func() { writers.Wait(); close(done) }()
			for running := true; running; {
				select {
				case <-done:
					running = false
				default:
				}
				for _, r := range replicas {
					r.sync(t)
				}
			}
			for _, r := range replicas {
				r.compare(t)
			}
		})
	}
}

// compare holds the replica against the collection read anew.
func (r *replica) compare(t *testing.T) {
	t.Helper()
	path, _, _ := strings.Cut(strings.TrimPrefix(r.link, "http://shop.test/shop"), "$deltatoken=")
	fresh := r.s.follow(t, r.user, strings.TrimRight(path, "?&"))
	if diff := cmp.Diff(fresh.rows, r.rows); diff != "" {
		t.Errorf("user %d, %s (-there +replica):\n%s", r.user, path, diff)
	}
}

// TestReplicas changes everything at random and holds that every replica of
// every user comes to what that user would read, and that no one learns the id of
// what they never could see.
func TestReplicas(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(dialect, seed), func(t *testing.T) {
				s := newLibrary(t, dialect, 1+int(seed)*2)
				random := rand.New(rand.NewPCG(seed, 7))
				s.exec(t, "INSERT INTO shelves (id, owner_id) VALUES (1, 1), (2, 2), (3, 3)",
					"INSERT INTO documents (id, title) VALUES ('d1', 'a'), ('d2', 'b'), ('d3', 'c'), ('d4', 'd')")
				var replicas []*replica
				for _, path := range []string{"/Items", "/Items?$filter=Price%20gt%205%20or%20Color%20eq%20'red'", "/Notes", "/Notes?$filter=contains(Text,'a')", "/Documents", "/Documents?$filter=Title%20gt%20'b'"} {
					for user := range int64(3) {
						replicas = append(replicas, s.follow(t, user, path))
					}
				}
				ever := map[string]bool{}
				for range 60 {
					for range 1 + random.IntN(2) {
						s.exec(t, s.anything(random))
						s.remember(t, ever)
					}
					for _, r := range replicas {
						if random.IntN(3) > 0 {
							continue
						}
						r.sync(t)
						for _, id := range r.removed {
							id, _, _ := strings.Cut(id, ":")
							if r.user > 0 && !ever[fmt.Sprint(r.user, r.set, id)] {
								t.Errorf("user %d learned of %s(%s)", r.user, r.set, id)
							}
						}
						r.compare(t)
					}
				}
			})
		}
	}
}

// anything is a random change.
func (s *shop) anything(random *rand.Rand) string {
	n := 1 + random.IntN(5)
	owner, shelf := 1+random.IntN(3), 1+random.IntN(3)
	document := fmt.Sprintf("'d%d'", 1+random.IntN(4))
	letter := string(rune('a' + random.IntN(4)))
	switch random.IntN(13) {
	case 0, 1:
		return add(n, owner, letter, float64(random.IntN(10))) + " ON CONFLICT DO NOTHING"
	case 2:
		return set(n, fmt.Sprintf("price = %d, name = '%s'", random.IntN(10), letter))
	case 3:
		return set(n, fmt.Sprintf("owner_id = %d", owner))
	case 4:
		return set(n, []string{`properties = '{"Color":"red"}'`, `properties = '{}'`}[random.IntN(2)])
	case 5:
		return []string{"DELETE FROM items WHERE id = '" + item(n) + "'", fmt.Sprintf("DELETE FROM notes WHERE id = %d", n)}[random.IntN(2)]
	case 6:
		return fmt.Sprintf("INSERT INTO notes (id, shelf_id, text) SELECT %d, id, '%s' FROM shelves WHERE id = %d ON CONFLICT DO NOTHING", n, letter, shelf)
	case 7:
		return fmt.Sprintf("UPDATE notes SET text = '%s', shelf_id = %s WHERE id = %d", letter, []string{"NULL", fmt.Sprintf("(SELECT id FROM shelves WHERE id = %d)", shelf)}[random.IntN(2)], n)
	case 8:
		return fmt.Sprintf("UPDATE shelves SET owner_id = %d WHERE id = %d", owner, shelf)
	case 9:
		return fmt.Sprintf("INSERT INTO grants (id, document_id, user_id) VALUES (%d, %s, %d) ON CONFLICT DO NOTHING", n, document, owner)
	case 12:
		if random.IntN(2) == 0 {
			return fmt.Sprintf("DELETE FROM shelves WHERE id = %d", shelf)
		}
		return fmt.Sprintf("INSERT INTO shelves (id, owner_id) VALUES (%d, %d) ON CONFLICT DO NOTHING", shelf, owner)
	case 10:
		return fmt.Sprintf("UPDATE documents SET title = '%s' WHERE id = %s", letter, document)
	}
	return []string{
		fmt.Sprintf("DELETE FROM grants WHERE id = %d", n),
		fmt.Sprintf("UPDATE grants SET document_id = %s, user_id = %d WHERE id = %d", document, owner, n),
	}[random.IntN(2)]
}

// remember adds to ever what each user may see now.
func (s *shop) remember(t *testing.T, ever map[string]bool) {
	t.Helper()
	for set, query := range map[string]string{
		"Items":     "SELECT owner_id, id FROM items",
		"Notes":     "SELECT s.owner_id, n.id FROM notes n JOIN shelves s ON s.id = n.shelf_id",
		"Documents": "SELECT user_id, '''' || document_id || '''' FROM grants",
	} {
		rows, err := s.db.Read(t.Context()).Raw(query).Rows()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var user int64
			var id string
			if err := rows.Scan(&user, &id); err != nil {
				t.Fatal(err)
			}
			ever[fmt.Sprint(user, set, id)] = true
		}
		_ = rows.Close()
	}
}
