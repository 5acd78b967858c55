package server

import (
	"net/http"
	"net/textproto"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"leadloop/leads"
)

// intake takes a delivery of leads in, and answers as its sender expects: 201
// with the lead's id, or 200 with the first lead's id where the same one came
// again, and an array of leads gives an array of ids; to platforms always 200. A
// GET may be a platform's check of the address.
func (a *App) intake(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	d := leads.Delivery{
		Method: r.Method, ContentType: r.Header.Get("Content-Type"), Header: textproto.MIMEHeader(r.Header), Query: r.URL.Query(), Body: body,
		RemoteAddress: a.remoteAddr(r).String(), UserAgent: r.UserAgent(),
	}
	token := mux.Vars(r)["token"]
	verification, err := a.Leads.Verify(r.Context(), token, d)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if verification != nil {
		w.Header().Set("Content-Type", verification.ContentType)
		w.Header().Set("X-Content-Type-Options", "nosniff") // the challenge could be anything
		_, _ = w.Write(verification.Body)
		return
	}
	receipts, err := a.Leads.Receive(r.Context(), token, d)
	a.countIntake(receipts, err)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	received(w, receipts)
}

// countIntake adds what became of a delivery to the metrics.
func (a *App) countIntake(receipts []leads.Receipt, err error) {
	if err != nil {
		a.metrics.intake.WithLabelValues(result(err)).Inc()
		return
	}
	for _, receipt := range receipts {
		label := result(nil)
		if receipt.Duplicate {
			label = "repeated"
		}
		a.metrics.intake.WithLabelValues(label).Inc()
	}
}

// received answers a delivery that was taken.
func received(w http.ResponseWriter, receipts []leads.Receipt) {
	status, kind := http.StatusOK, ""
	ids := make([]uuid.UUID, len(receipts))
	for i, receipt := range receipts {
		kind, ids[i] = receipt.Kind, receipt.ID
		if !receipt.Duplicate && (kind == leads.KindJSON || kind == leads.KindForm) {
			status = http.StatusCreated
		}
	}
	switch {
	case len(receipts) == 0 || kind == leads.KindGoogleAds:
		send(w, status, struct{}{})
	case receipts[0].Redirect != "":
		w.Header().Set("Location", receipts[0].Redirect)
		w.WriteHeader(http.StatusFound)
	case kind == leads.KindLeadManager:
		send(w, status, map[string]any{"result": ids[0]})
	case len(ids) == 1:
		send(w, status, map[string]any{"id": ids[0]})
	default:
		send(w, status, map[string]any{"ids": ids})
	}
}
