package routing

import (
	"context"
	"maps"
	"slices"

	"leadloop/odata/fault"
	"leadloop/store"
)

// PreviewDraft is PreviewLast, or with last 0 PreviewSample, of a rule that need
// not be stored, nor be whole: of its mapping only the entries that compile are
// sent, and settings that it lacks are made up. With an ID it stands in the place
// of that rule, which the actor must see. Needs a manager. Invalid also for a
// wrong Condition, Schedule or TimeZone and for an unknown ConnectorID.
func (s *Service) PreviewDraft(ctx context.Context, draft *Rule, last int, sample map[string]any) (*Preview, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return nil, err
	}
	r := *draft
	db := s.db.Read(ctx)
	if r.ID != 0 {
		if _, err := s.ruleFor(db, db, r.ID); err != nil {
			return nil, err
		}
	}
	p, err := s.previewDraft(ctx, &r)
	if err != nil {
		return nil, err
	}
	if last == 0 {
		return p.previewSample(ctx, sample)
	}
	return p.previewLast(ctx, last)
}

func (s *Service) previewDraft(ctx context.Context, r *Rule) (*previewing, error) {
	var wrong problems
	r.setDefaults()
	newTimetable(&wrong, r.TimeZone, r.Schedule)
	condition, err := s.exprs.condition(r.Condition)
	if err := wrong.addError("Condition", err); err != nil {
		return nil, err
	}
	connector, err := load[Connector](s.db.Read(ctx), "connector", r.ConnectorID)
	if fault.CodeOf(err) == fault.NotFound {
		err = wrong.addError("ConnectorID", err)
	}
	if err == nil {
		err = wrong.err()
	}
	if err != nil {
		return nil, err
	}
	m, err := s.exprs.sound(r.Mapping)
	if err != nil {
		return nil, err
	}
	ready := &plan{condition: condition, terms: termsOf(condition), sender: &sender{connector: connector, mapping: m}}
	p := &previewing{
		Service: s, Preview: Preview{RuleID: r.ID, Revision: r.Revision},
		codes: map[string]int{}, parts: map[string]int{}, missing: map[string]int{}, rivals: map[int64]*Rival{},
	}
	lax := slices.Clone(m)
	for i := range lax {
		lax[i].Required = false
	}
	out, err := s.equip(s.exprs, connector, connector.completed(r.Settings), lax)
	if err != nil {
		p.problem = err.Error()
	}
	p.lax = &plan{sender: out}
	return p, p.begin(ctx, r, func(active *Rule) *liveRule {
		l := s.enliven(active, nil, nil, nil)
		l.plan, l.err = ready, nil
		return l
	})
}

// sound compiles the entries that can be.
func (e expressions) sound(entries []MappingEntry) (mapping, error) {
	var whole []MappingEntry
	for _, entry := range entries {
		if entry.Target != "" {
			whole = append(whole, entry)
		}
	}
	m, _, err := e.entries(&problems{}, "Mapping", whole)
	return m, err
}

// completed are the settings with a value made up for each that is missing.
func (c *Connector) completed(given Settings) Settings {
	all := maps.Clone(given)
	if all == nil {
		all = Settings{}
	}
	for _, s := range c.Settings {
		if text, err := settingText(all[s.Name]); err == nil && text == "" && s.Required {
			all[s.Name] = s.sample()
		}
	}
	return all
}
