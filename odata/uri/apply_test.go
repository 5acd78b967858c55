package uri

import (
	"net/url"
	"testing"
)

// TestApplyPrints: what a sequence of transformations prints parses to the same.
func TestApplyPrints(t *testing.T) {
	for _, text := range []string{
		"identity",
		"filter(Amount gt 3)/identity",
		"aggregate(Amount with sum as Total,Amount with max as MxA)",
		"aggregate((Amount sub Cost) mul TaxRate with average as Tax)",
		"aggregate($count as SalesCount,Sales/$count as N,Product/Name with countdistinct as D)",
		"groupby((Customer/Country,Product/Name),aggregate(Amount with sum as Total))",
		"groupby((Product/Name,Amount))",
		"groupby((Customer),orderby(Amount desc,ID)/top(10))",
		"concat(topcount(2,Amount),bottomcount(2,Amount),identity/skip(3))",
		"compute(Amount mul Product/TaxRate as Tax,length(Name) as L)/orderby(Tax desc)",
		"search(coffee OR \"a ) b\" AND ')')/top(1)",
		"search((a OR b) AND NOT c)",
	} {
		q, err := ParseQuery("$apply="+url.PathEscape(text), Limits{})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := sequence(q.Apply); got != text {
			t.Errorf("got %s, want %s", got, text)
		}
	}
	q, err := ParseQuery("$apply=groupby(%20(%20A%20,%20B/C%20)%20,%20aggregate(%20X%20with%20sum%20as%20Y%20)%20)/top(%201%20)", Limits{})
	if err != nil || sequence(q.Apply) != "groupby((A,B/C),aggregate(X with sum as Y))/top(1)" {
		t.Errorf("white space: %v %v", q, err)
	}
}
