package sqlgen

import (
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

func (g *generator) found(v *plan.Var, s uri.Search) {}
