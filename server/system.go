package server

import (
	"context"
	"net/url"

	"leadloop/odata"
	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/server/staff"
	"leadloop/store"
)

// System is how this server and its database fare.
type System struct {
	Version           string
	Database          string // sqlite or postgres
	DatabaseVersion   string
	DatabaseBytes     int64
	Schema            int64 // the newest migration that was applied
	PendingMigrations int
	Trouble           *string // why the server is not ready; nil: it is
	Workers           int
	Queue             []routing.Depth
	PublicURL         string
	// NoticeHost is the host of the webhook that notices are posted to, and
	// NoticeEmail where they are mailed; "" for nowhere.
	NoticeHost  string
	NoticeEmail string
	SigningKeys []staff.Signing
}

// system tells how the server fares. Needs an admin.
func (a *App) system(ctx context.Context, _ odata.None) (*System, error) {
	if err := store.Require(ctx, store.Admin); err != nil {
		return nil, err
	}
	about, err := a.DB.About(ctx)
	if err != nil {
		return nil, err
	}
	s := &System{
		Version: version(), Database: about.Dialect, DatabaseVersion: about.Version, DatabaseBytes: about.Bytes,
		Schema: about.Schema, PendingMigrations: about.Pending,
		Workers: a.serving.Workers, PublicURL: a.serving.PublicURL, NoticeEmail: a.serving.NoticeEmail,
	}
	if u, err := url.Parse(a.serving.NoticeURL); err == nil { // its path may be a secret
		s.NoticeHost = u.Host
	}
	if s.Queue, err = a.Routing.Depth(ctx); err != nil {
		return nil, err
	}
	if s.SigningKeys, err = a.Staff.SigningKeys(ctx); err != nil {
		return nil, err
	}
	if err := a.DB.Ping(ctx); err != nil {
		s.Trouble = new(err.Error())
	}
	return s, nil
}

// proofParams are the parameters of VerifyAudit: a head that was given earlier.
type proofParams struct {
	Head *string
}

func (a *App) verifyAudit(ctx context.Context, p proofParams) (*store.Proof, error) {
	var past *store.Head
	if p.Head != nil {
		h, err := store.ParseHead(*p.Head)
		if err != nil {
			return nil, fault.New(fault.Invalid, err.Error()).At("Head")
		}
		past = &h
	}
	proof, err := a.DB.ProveAudit(ctx, past, nil)
	return &proof, err
}

// signingParams are the parameters of RotateSigningKey.
type signingParams struct {
	AtOnce *bool
}

// addSystem declares what is about the server itself.
func (a *App) addSystem() {
	odata.AddFunctions(a.OData,
		odata.Unbound("System", a.system).Describe("How this server and its database fare."),
		odata.Unbound("VerifyAudit", a.verifyAudit).Describe("Reads the whole audit trail and says whether it is as it was written, "+
			"and still goes through Head, which an earlier answer gave."),
		odata.Unbound("LastSignIns", func(ctx context.Context, _ odata.None) ([]staff.LastSignIn, error) {
			return a.Staff.LastSignIns(ctx)
		}).Describe("When each user last signed in, and from where."),
	)
	odata.AddActions(a.OData,
		odata.Unbound("RotateSigningKey", func(ctx context.Context, p signingParams) (odata.None, error) {
			return odata.None{}, a.Staff.RotateSigningKey(ctx, valueOf(p.AtOnce))
		}).Describe("Has further access tokens signed under a new key. Those signed before expire in their time, or with AtOnce end now."),
		odata.Unbound("OrderReasons", func(ctx context.Context, p orderParams) (odata.None, error) {
			return odata.None{}, a.Feedback.OrderReasons(ctx, p.IDs)
		}).Describe("Puts the feedback reasons into the order of IDs. Reasons that are not named come after them."),
	)
}

// orderParams are the parameters of OrderReasons.
type orderParams struct {
	IDs []int32
}
