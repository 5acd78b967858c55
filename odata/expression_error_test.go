package odata_test

import (
	"strings"
	"testing"

	"leadloop/odata"
)

func TestErrorsSayWhere(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	for _, c := range []struct {
		path   string
		status int
		want   string
	}{
		{"/Products?$filter=Name eq", 400, "$filter, position 8: expected an expression, but the text ends here"},
		{"/Products?$filter=שם eq 5 foo", 400, `$filter, position 9: expected an operator or the end, found "foo"`},
		{"/Products?$filter=Stock gt 'many'", 400, "$filter, position 1: Edm.Int64 cannot be compared with Edm.String"},
		{"/Makers?$filter=Nam eq 'x'", 400, `$filter, position 1: Maker has no property "Nam"`},
		{"/Makers?$select=ID,Nam", 400, `$select, position 4: Maker has no property "Nam"`},
		{"/Makers?$orderby=Name,Nope", 400, `$orderby, position 6: Maker has no property "Nope"`},
		{"/Makers?$expand=Nope", 400, `$expand, position 1: Maker has no navigation property "Nope"`},
		{"/Makers?$filter=Secret eq 'x'", 400, `Maker has no property "Secret"`},
		{"/Makers?$filter=Hidden eq 'x'", 400, `Maker has no property "Hidden"`},
		{"/Makers?$top=-1", 400, "$top, position 1"},
		{"/Makers?$top=1&$top=2", 400, "$top is given twice"},
		{"/Makers?$frobnicate=1", 400, "$frobnicate is not a query option"},
		{"/Makers?$skiptoken=zzz", 400, "$skiptoken"},
		{"/Makers?$search=x", 501, "$search over Maker is not served, as it has no index"},
		{"/Makers?$filter=ID has 1", 400, "$filter, position 1: has does not apply to Edm.Int64"},
		{"/Products?$filter=concat(Tags,['x']) eq Tags", 501, "position 1: the function concat over a collection is not served"},
		{"/Products?$filter=length(substring(Tags,1)) eq 0", 501, "position 8: the function substring over a collection is not served"},
		{"/Makers?$filter=geo.length(Name) eq 2", 501, "function geo.length is not served"},
		{"/Makers?$filter=Name add 1 eq 2", 400, "$filter, position 1: add does not apply to Edm.String, Edm.Int64"},
		{"/Makers?$filter=substring(Name,1.5) eq 'x'", 400, "the function substring does not apply to Edm.String, Edm.Decimal"},
		{"/Nope", 404, `there is no entity set "Nope"`},
		{"/Makers(77)", 404, "Makers has no entity with this key"},
		{"/Makers('x')", 404, "Makers has no entity with this key"},
		{"/Makers(1)/Nope", 404, `Maker has no navigation property or action "Nope"`},
		{"/Makers(1", 404, "no resource has the address"},
		{"/Makers?$filter=" + strings.Repeat("(", 20000) + "1", 400, "limit Depth"},
		{"/Makers?$filter=ID eq 1" + strings.Repeat(" and ID eq 1", 3000), 400, "limit Nodes"},
		{"/Makers?$filter=ID in (1" + strings.Repeat(",1", 20000) + ")", 400, "limit List"},
		{"/Makers?$filter=contains(Name,'" + strings.Repeat("x", 200000) + "')", 400, "limit Length"},
		{"/Makers?$expand=" + strings.Repeat("Products($expand=Maker($expand=", 4) + "Products" + strings.Repeat("))", 4), 400, "limit ExpandDepth"},
	} {
		a := s.get(t, c.path)
		if len(c.path) > 100 {
			c.path = c.path[:100] + "…"
		}
		if a.status != c.status || !strings.Contains(strings.ReplaceAll(a.body, `\"`, `"`), c.want) {
			t.Errorf("%s: got %d %s, want %d %s", c.path, a.status, a.body, c.status, c.want)
		}
	}
}
