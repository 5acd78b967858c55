package odata

import (
	"fmt"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/edm"
	"leadloop/odata/sqlgen"
)

// track declares the change logs of the sets that are tracked, once all
// navigation properties are known.
func (s *Service) track(model *edm.Model) error {
	for _, es := range model.Sets {
		x := s.sets[es.Name]
		if !x.tracked {
			continue
		}
		var err error
		if x.log, err = edm.NewChangeLog(es.Type, x.kept); err != nil {
			return fmt.Errorf("entity set %s: %w", es.Name, err)
		}
	}
	return nil
}

// CreateChangeLogs returns the statements that create what the tracked sets
// need in the database: for each a table, in which triggers note the changes of
// its rows. They depend on the columns of the models, so a migration that adds
// a column is to drop and create the log of its table anew. All changes of a row
// are noted, whoever makes them, but for TRUNCATE.
func (s *Service) CreateChangeLogs(d sqlgen.Dialect) []string {
	return s.changeLogs(func(l *edm.ChangeLog) []string { return sqlgen.CreateChangeLog(d, l) })
}

// DropChangeLogs returns the statements that undo those of CreateChangeLogs.
func (s *Service) DropChangeLogs(d sqlgen.Dialect) []string {
	return s.changeLogs(func(l *edm.ChangeLog) []string { return sqlgen.DropChangeLog(d, l) })
}

func (s *Service) changeLogs(statements func(*edm.ChangeLog) []string) []string {
	var list []string
	for _, es := range s.model.Sets {
		if l := s.sets[es.Name].log; l != nil {
			list = append(list, statements(l)...)
		}
	}
	return list
}

// ForgetChanges drops some of what was noted before an instant from the change
// logs, and says how much it was: the rest is for further transactions, until it
// is none. Delta links from before then are answered 410 Gone. It is to be called
// now and again, as the logs only grow otherwise.
func (s *Service) ForgetChanges(tx *gorm.DB, before time.Time) (dropped int64, err error) {
	for _, es := range s.model.Sets {
		l := s.sets[es.Name].log
		if l == nil {
			continue
		}
		st := sqlgen.Forget(dialect(tx), l, before)
		result, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, st.SQL, st.Args...)
		if err != nil {
			return 0, fmt.Errorf("forget changes of %s: %w", es.Name, err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return 0, fmt.Errorf("forget changes of %s: %w", es.Name, err)
		}
		dropped += n
	}
	return dropped, nil
}
