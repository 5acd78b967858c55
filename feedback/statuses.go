package feedback

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// maxStatuses is how many statuses the map of a customer may have.
const maxStatuses = 5000

// Statuses is the whole map of a customer: reasons by the customer's own words.
// A reason is its ID, or its name in any of its languages.
type Statuses map[string]any

// SetStatusMap replaces the whole map of a customer, as if by CreateStatusMap,
// UpdateStatusMap and DeleteStatusMap, and returns it as it is then. Needs a
// manager. Invalid, at the word, for a reason that is unknown, ambiguous or out of
// use, and for a word that is there twice; NotFound for an unknown customer.
func (s *Service) SetStatusMap(ctx context.Context, customerID int64, to Statuses) (Statuses, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return nil, err
	}
	next, err := s.read(ctx, customerID, to)
	if err != nil {
		return nil, err
	}
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		if err := s.holdMap(tx, customerID); err != nil {
			return err
		}
		was, err := replace(tx, customerID, next)
		if err != nil {
			return err
		}
		if err := s.settle(tx, "m.customer_id", customerID); err != nil {
			return err
		}
		is := Statuses{}
		for _, m := range next {
			is[m.Status] = m.ReasonID
		}
		return store.Audit(tx, store.Change{
			Action: "SetStatusMap", Entity: "Customer", Key: customerID, Before: store.Facts{"Map": was}, After: store.Facts{"Map": is},
		})
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		s.reasons.purge()
		return nil, fault.New(fault.Conflict, "a reason was deleted just now; try again").At("Map")
	}
	if err != nil {
		return nil, failed("set status map", err)
	}
	return s.StatusMap(ctx, customerID)
}

// StatusMap returns the whole map of a customer, reasons by their IDs. Staff need
// a viewer, customers' systems get their own.
func (s *Service) StatusMap(ctx context.Context, customerID int64) (Statuses, error) {
	if actor := store.ActorOf(ctx); actor.Kind != store.Machine {
		if err := store.Require(ctx, store.Viewer); err != nil {
			return nil, err
		}
	} else if actor.CustomerID != customerID {
		return nil, fault.Newf(fault.NotFound, "no customer %d", customerID)
	}
	var rows []StatusMap
	if err := s.DB.Read(ctx).Where("customer_id = ?", customerID).Find(&rows).Error; err != nil {
		return nil, failed("read status map", err)
	}
	whole := make(Statuses, len(rows))
	for _, m := range rows {
		whole[m.Status] = m.ReasonID
	}
	return whole, nil
}

// read gives the entities of a whole map by their folded statuses.
func (s *Service) read(ctx context.Context, customerID int64, whole Statuses) (map[string]StatusMap, error) {
	if len(whole) > maxStatuses {
		return nil, fault.Newf(fault.Invalid, "a map has up to %d statuses, this one has %d", maxStatuses, len(whole)).At("Map")
	}
	all, err := s.reasons.list(ctx, s)
	if err != nil {
		return nil, failed("read reasons", err)
	}
	reasons := namesOf(all)
	next := make(map[string]StatusMap, len(whole))
	for status, given := range whole {
		at := "Map/" + status
		id, err := reasons.find(given)
		if err != nil {
			return nil, fault.Newf(fault.Invalid, "%q: %v; the reasons are %s", status, err, choices(all)).At(at)
		}
		m := StatusMap{CustomerID: customerID, Status: status, ReasonID: id, CreatedAt: s.Now(), Version: 1}
		if err := m.check(); err != nil {
			var f *fault.Error
			if errors.As(err, &f) {
				return nil, f.At(at)
			}
			return nil, err
		}
		if other, twice := next[m.Folded]; twice {
			return nil, fault.Newf(fault.Invalid, "%q and %q are the same status", min(status, other.Status), max(status, other.Status)).At("Map/" + max(status, other.Status))
		}
		next[m.Folded] = m
	}
	return next, nil
}

// replace makes next the map of the customer, touches only what changes, and gives
// the map as it was.
func replace(tx *gorm.DB, customerID int64, next map[string]StatusMap) (Statuses, error) {
	var rows []StatusMap
	if err := tx.Where("customer_id = ?", customerID).Find(&rows).Error; err != nil {
		return nil, err
	}
	was, kept := Statuses{}, map[string]bool{}
	for _, old := range rows {
		was[old.Status] = old.ReasonID
		m, stays := next[old.Folded]
		var err error
		switch {
		case !stays:
			err = tx.Delete(&old).Error
		case m.ReasonID != old.ReasonID || m.Status != old.Status:
			err = tx.Model(&StatusMap{ID: old.ID}).Select("Status", "ReasonID", "Version").
				Updates(&StatusMap{Status: m.Status, ReasonID: m.ReasonID, Version: old.Version + 1}).Error
		}
		if err != nil {
			return nil, err
		}
		kept[old.Folded] = true
	}
	added := make([]StatusMap, 0, len(next))
	for folded, m := range next {
		if !kept[folded] {
			added = append(added, m)
		}
	}
	if len(added) == 0 {
		return was, nil
	}
	return was, tx.CreateInBatches(added, 500).Error
}

// reasonNames finds reasons as people write them.
type reasonNames struct {
	ids   map[int32]bool
	names map[string]map[int32]bool // by what names are compared by
}

// namesOf gathers the names of the reasons in use.
func namesOf(all []Reason) reasonNames {
	n := reasonNames{map[int32]bool{}, map[string]map[int32]bool{}}
	add := func(name string, id int32) {
		key := fold(name)
		if n.names[key] == nil {
			n.names[key] = map[int32]bool{}
		}
		n.names[key][id] = true
	}
	for _, r := range all {
		if !r.Active {
			continue
		}
		n.ids[r.ID] = true
		add(r.Name, r.ID)
		for _, name := range r.Names {
			add(name, r.ID)
		}
	}
	return n
}

// find gives the ID of the reason that given, a number or a text, speaks of.
func (n reasonNames) find(given any) (int32, error) {
	switch v := given.(type) {
	case int64:
		return n.id(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<31 {
			return n.id(int64(v))
		}
	case string:
		named := n.names[fold(v)]
		for id := range named {
			if len(named) == 1 {
				return id, nil
			}
			return 0, fmt.Errorf("several reasons have the name %q", v)
		}
		if id, err := strconv.ParseInt(v, 10, 32); err == nil {
			return n.id(id)
		}
		return 0, fmt.Errorf("there is no reason %q", v)
	}
	return 0, fmt.Errorf("%v is neither a reason's ID nor its name", given)
}

func (n reasonNames) id(v int64) (int32, error) {
	if v != int64(int32(v)) || !n.ids[int32(v)] {
		return 0, fmt.Errorf("no reason in use is %d", v)
	}
	return int32(v), nil
}
