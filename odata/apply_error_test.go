package odata_test

import (
	"net/http"
	"strings"
	"testing"

	"leadloop/odata"
)

// TestApplyErrors: what is wrong is said with its place, what is not served by
// its name.
func TestApplyErrors(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	for _, c := range []struct {
		apply  string
		status int
		want   string
	}{
		{"", 400, "position 1: expected a transformation, but the text ends here"},
		{"filter(Sold", 400, `position 12: expected ")", but the text ends here`},
		{"filter(Nope eq 1 and Sold eq)", 400, "position 29: expected an expression"},
		{"filter(Stock)", 400, "position 8: expected Edm.Boolean, found Edm.Int64"},
		{"filter(Maker/Nope eq 1)", 400, `Maker has no property "Nope"`},
		{"nonsense(Sold)", 400, `position 1: there is no transformation "nonsense"`},
		{"identity/", 400, "position 10: expected a transformation"},
		{"identity()", 400, "position 9: expected an operator or the end"},
		{"aggregate()", 400, "position 11: expected an expression"},
		{"aggregate(Price)", 400, `position 16: expected "with", found ")"`},
		{"aggregate(Price as P)", 400, `position 17: expected "with", found "as"`},
		{"aggregate(Price with sum)", 400, `position 25: expected "as", found ")"`},
		{"aggregate(Price with median as P)", 400, `position 22: there is no aggregation method "median"`},
		{"aggregate($count with sum as P)", 400, "has no property"},
		{"aggregate(Name with sum as S)", 400, "position 11: sum does not apply to Edm.String"},
		{"aggregate(Sold with max as S)", 400, "position 11: max does not apply to Edm.Boolean"},
		{"aggregate(Maker with sum as S)", 400, "position 11: sum does not apply to Shop.Maker"},
		{"aggregate(Tags with countdistinct as S)", 400, "countdistinct does not apply to Collection(Edm.String)"},
		{"aggregate(Maker/Nope with sum as S)", 400, `Maker has no property "Nope"`},
		{"aggregate(Name/Nope with sum as S)", 400, "position 16: Name cannot be followed further"},
		{"aggregate(Reviews/Nope/$count as S)", 400, `Review has no navigation property "Nope"`},
		{"aggregate(Reviews/Stars add 1 with sum as S)", 400, "Reviews is a collection"},
		{"aggregate(Price with sum as Name)", 400, "position 11: the alias Name is already the name of a property"},
		{"groupby((Price),aggregate(Price with sum as Price))", 400, "the alias Price is already the name of a property"},
		{"aggregate(Price with sum as Price,Price with max as Price)", 400, "the alias Price is already the name of a property"},
		{"compute(Price as Price)", 400, "the alias Price is already the name of a property"},
		{"aggregate(Price with sum as Maker)", 400, "the alias Maker is already the name of a property"},
		{"aggregate(Price with sum as P,Price with max as P)", 400, "position 31: the alias P is already"},
		{"compute(Price as P,Price as P)", 400, "position 20: the alias P is already"},
		{"compute(Price)", 400, `position 14: expected "as"`},
		{"groupby(Sold)", 400, `position 9: expected "("`},
		{"groupby(())", 400, "position 10: expected a property"},
		{"groupby((Nope/Name))", 400, `position 10: Product has no navigation property "Nope"`},
		{"groupby((Maker/Nope))", 400, `position 16: Maker has no property "Nope"`},
		{"groupby((Reviews/Stars))", 400, "position 10: Reviews is a collection and cannot be grouped by"},
		{"groupby((Maker,Maker/Name))", 400, "position 16: Maker is grouped by twice"},
		{"groupby((length(Name)))", 400, "only a path of properties can be grouped by"},
		{"groupby((Sold),aggregate($count as N))/filter(Name eq 'x')", 400, `position 47: Product has no property "Name"`},
		{"groupby((Maker/Name))/filter(Maker/ID eq 1)", 400, `Maker has no property "ID"`},
		{"groupby((Color))/filter(Weight eq 1)", 400, `position 25: Product has no property "Weight"`},
		{"aggregate($count as N)/filter($it eq null)", 400, "position 31: $it has no value"},
		{"groupby((Sold))&$filter=Name eq 'x'", 400, `$filter, position 1: Product has no property "Name"`},
		{"groupby((Sold))&$select=Name", 400, `$select, position 1: Product has no property "Name"`},
		{"groupby((Sold))&$orderby=Name", 400, `$orderby, position 1: Product has no property "Name"`},
		{"groupby((Sold))&$expand=Maker", 400, `$expand, position 1: Product has no navigation property "Maker"`},
		{"concat(identity)", 400, `position 16: expected ","`},
		{"concat(compute(Name as X),compute(Price as X))", 400, "X is Edm.String in one part and Edm.Double in another"},
		{"top(-1)", 400, "position 5: expected a whole number"},
		{"topcount(0,Price)", 400, "position 10: expected a whole number of at least 1"},
		{"topcount(Price,2)", 400, "position 10: expected a whole number"},
		{"orderby(Tags)", 400, "has no order"},
		{"search()", 400, "a search expression is needed"},
		{"search(\"x)", 400, "is not closed"},
		{"identity" + strings.Repeat("/identity", 25), 400, "limit Transformations"},
		{strings.Repeat("concat(identity,identity)/", 8) + "identity", 400, "position 157: the transformations up to here read sets more than 64 times (limit Reads)"},
		{strings.Repeat("concat(", 30) + "identity", 400, "limit Transformations"},
		{"filter(Stock in (1" + strings.Repeat(",1", 6000) + "))", 400, "limit List"},
		{"filter(Stock eq 1" + strings.Repeat(" or Stock eq 1", 1000) + ")", 400, "limit Nodes"},

		{"search(apple)", 501, "position 1: $search over Product is not served"},
		{"search(\")\" or ')')/top(1)", 400, "has no letter or digit to search for"},
		{"topsum(5,Price)", 501, "position 1: the transformation topsum is not served"},
		{"toppercent(5,Price)", 501, "toppercent"},
		{"bottomsum(5,Price)", 501, "bottomsum"},
		{"bottompercent(5,Price)", 501, "bottompercent"},
		{"topcount($these/$count div 2,Price)", 501, "$these is not served"},
		{"topcount(1 add 1,Price)", 501, "an expression as the number is not served"},
		{"identity/join(Reviews as R)", 501, "position 10: the transformation join"},
		{"outerjoin(Reviews as R)", 501, "outerjoin"},
		{"nest(identity as R)", 501, "nest"},
		{"addnested(Reviews,identity as R)", 501, "addnested"},
		{"ancestors($root/Makers,H,ID,identity)", 501, "ancestors"},
		{"descendants($root/Makers,H,ID,identity)", 501, "descendants"},
		{"traverse($root/Makers,H,ID,preorder)", 501, "traverse"},
		{"Shop.Custom()", 501, "Shop.Custom"},
		{"groupby((rollup(Maker/Name,Name)))", 501, "position 10: rollup is not served"},
		{"groupby((Sold,rolluprecursive($root/Makers,H,ID)))", 501, "rolluprecursive"},
		{"groupby((Tags))", 501, "grouping by Collection(Edm.String)"},
		{"groupby((Sold),top(1)/aggregate($count as N))", 501, "top(1)"},
		{"groupby((Sold),filter(Sold)/concat(identity,identity))", 501, "concat together with other"},
		{"aggregate(Price with Shop.median as M)", 501, "Shop.median"},
		{"aggregate(Price with sum from Name with max as M)", 501, "position 26: the keyword from"},
		{"aggregate(Tags/$count as M)", 501, "counting Tags"},
		{"aggregate(Reviews/$count($filter=Stars gt 1) as M)", 501, "a filter in an aggregated $count"},
	} {
		a := s.get(t, "/Products?$apply="+c.apply)
		if a.status != c.status || !strings.Contains(strings.ReplaceAll(a.body, `\"`, `"`), c.want) {
			t.Errorf("%.80s: got %d %s, want %d %s", c.apply, a.status, a.body, c.status, c.want)
		}
	}
	if a := s.get(t, "/Makers(1)?$apply=identity"); a.status != http.StatusBadRequest {
		t.Errorf("$apply on a single entity: %d %s", a.status, a.body)
	}
}
