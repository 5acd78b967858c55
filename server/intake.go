package server

import (
	"net/http"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"leadloop/leads"
)

// intake takes a delivery of leads in. It answers 201 with the lead's id, or 200
// with the first lead's id where the same one came again; an array of leads
// gives an array of ids. Google Ads wants 200 and an empty object.
func (a *App) intake(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	d := leads.Delivery{
		Method: r.Method, ContentType: r.Header.Get("Content-Type"), Query: r.URL.Query(), Body: body,
		RemoteAddress: a.remoteAddr(r).String(), UserAgent: r.UserAgent(),
	}
	receipts, err := a.Leads.Receive(r.Context(), mux.Vars(r)["token"], d)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	status := http.StatusOK
	ids := make([]uuid.UUID, len(receipts))
	for i, receipt := range receipts {
		ids[i] = receipt.ID
		if !receipt.Duplicate {
			status = http.StatusCreated
		}
	}
	switch {
	case len(receipts) > 0 && receipts[0].Kind == leads.KindGoogleAds:
		send(w, http.StatusOK, struct{}{})
	case len(ids) == 1:
		send(w, status, map[string]any{"id": ids[0]})
	default:
		send(w, status, map[string]any{"ids": ids})
	}
}
