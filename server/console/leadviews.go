package console

import (
	"fmt"
	"net/url"

	"leadloop/server/staff"
)

// views are the saved views of this list that the user may use.
func (v *visit) views(address string) ([]viewLink, error) {
	rows, err := readList[staff.SavedView](v, "SavedViews", 500, query{"$filter": "List eq 'leads'", "$orderby": "Name"})
	var links []viewLink
	for _, r := range rows.Rows {
		mine := r.UserID == v.User.ID
		links = append(links, viewLink{r, "/console/leads?" + r.Query, r.Query == address, mine || v.Can("admin")})
	}
	return links, err
}

// saveView saves the query as a view.
func (v *visit) saveView() error {
	query := v.value("query")
	view := &staff.SavedView{List: "leads", Name: v.value("name"), Query: query, Shared: v.value("shared") == "true"}
	if err := v.Staff.CreateView(v.ctx(), view); err != nil {
		v.Failed(err)
	} else {
		v.Done(v.T("leads.view.saved", view.Name))
	}
	return v.Go(leadsURL(query))
}

// leadsURL is the list with a query, which is checked to be one.
func leadsURL(query string) string {
	values, err := url.ParseQuery(query)
	if err != nil || len(values) == 0 {
		return "/console/leads"
	}
	return "/console/leads?" + values.Encode()
}

func (v *visit) deleteView() error {
	id, err := v.id()
	if err != nil {
		return err
	}
	view, err := read[staff.SavedView](v, fmt.Sprintf("SavedViews(%d)", id), nil)
	if err != nil {
		return err
	}
	if err := v.Staff.DeleteView(v.ctx(), id); err != nil {
		return err
	}
	undo := map[string]string{"name": view.Name, "query": view.Query}
	if view.Shared {
		undo["shared"] = "true"
	}
	if view.UserID == v.User.ID { // another's would come back as one's own
		v.DoneUndo(v.T("leads.view.deleted", view.Name), "/console/leads/views", undo)
	} else {
		v.Done(v.T("leads.view.deleted", view.Name))
	}
	return v.Go(leadsURL(view.Query))
}
