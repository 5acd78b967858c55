package server

import (
	"net/http"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"leadloop/feedback"
	"leadloop/leads"
	"leadloop/routing"
	"leadloop/store"
)

// preloadedLead is the lead that GORM's Preload fills.
type preloadedLead struct {
	leads.Lead
	Routings []preloadedRouting `gorm:"foreignKey:LeadID"`
}

// TableName implements GORM's Tabler.
func (preloadedLead) TableName() string { return "leads" }

type preloadedRouting struct {
	routing.Routing
	Feedback []feedback.Feedback `gorm:"foreignKey:RoutingID"`
}

// TableName implements GORM's Tabler.
func (preloadedRouting) TableName() string { return "routings" }

func (b *bench) openGORM() *gorm.DB {
	var dialector gorm.Dialector = sqlite.Dialector{Conn: b.openReader()}
	if b.app.DB.Dialect() == store.Postgres {
		dialector = postgres.New(postgres.Config{Conn: b.openReader()})
	}
	db, err := gorm.Open(dialector, &gorm.Config{PrepareStmt: true})
	must(err)
	return db
}

// byGORM is the handler one would write with GORM for what the text after FROM
// gives of leads.
func (b *bench) byGORM(tail string) http.Handler {
	db := b.openGORM()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var list []leads.Lead
		must(db.WithContext(r.Context()).Raw("SELECT * FROM leads " + tail + " LIMIT 100").Find(&list).Error)
		collection(w, "Leads", list)
	})
}

// byPreload is the handler one would write with GORM for a tree of 50 leads.
func (b *bench) byPreload() http.Handler {
	db := b.openGORM()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var list []preloadedLead
		must(db.WithContext(r.Context()).Preload("Routings.Feedback").Order("id").Limit(50).Find(&list).Error)
		collection(w, "Leads(Routings(Feedback()))", list)
	})
}
