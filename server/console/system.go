package console

import (
	"leadloop/routing"
	"leadloop/server/staff"
	"leadloop/store"
)

func (c *Console) systemRoutes() []route {
	return []route{
		{pattern: "GET /console/settings/system", do: (*visit).systemPage, role: store.Admin},
		{pattern: "POST /console/settings/system/rotate", do: (*visit).rotateSigningKey, role: store.Admin},
	}
}

// system is how the server fares, as the API's function System tells it.
type system struct {
	Version                        string
	Database, DatabaseVersion      string
	DatabaseBytes                  int64
	Schema                         int64
	PendingMigrations              int
	Trouble                        *string
	Workers                        int
	Queue                          []routing.Depth
	PublicURL, NoticeHost          string
	NoticeEmail                    string
	SigningKeys                    []staff.Signing
	Waiting                        int64
	Rotate, RotateNow              *Confirm
	DatabaseSize, DatabaseSoftware string
}

func (v *visit) systemPage() error {
	s, err := read[system](v, "System()", nil)
	if err != nil {
		return err
	}
	for _, q := range s.Queue {
		s.Waiting += q.Count
	}
	s.DatabaseSize = v.bytes(s.DatabaseBytes)
	s.DatabaseSoftware = map[string]string{store.SQLite: "SQLite", store.Postgres: "PostgreSQL"}[s.Database] + " " + s.DatabaseVersion
	s.Rotate = &Confirm{
		ID: "rotate", Title: v.T("system.rotate.title"), Text: v.T("system.rotate.text"),
		Action: settingsURL("system") + "/rotate", Submit: v.T("system.rotate"),
	}
	s.RotateNow = &Confirm{
		ID: "rotate-now", Title: v.T("system.rotate.now.title"), Text: v.T("system.rotate.now.text"),
		Action: settingsURL("system") + "/rotate", Submit: v.T("system.rotate.now"), Hidden: map[string]string{"now": "true"},
	}
	return v.Page("system", v.settings("system", s))
}

// bytes writes an amount of bytes, in the largest unit that there is one of.
func (l *locale) bytes(n int64) string {
	size, unit := float64(n), "B"
	for _, larger := range []string{"kB", "MB", "GB", "TB"} {
		if size < 1000 {
			break
		}
		size, unit = size/1000, larger
	}
	return l.Number(size) + "\u00a0" + unit
}

func (v *visit) rotateSigningKey() error {
	if err := v.Staff.RotateSigningKey(v.ctx(), v.value("now") == "true"); err != nil {
		return err
	}
	v.Done(v.T("system.rotated"))
	return v.Go(settingsURL("system"))
}
