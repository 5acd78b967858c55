package plan

import "leadloop/odata/edm"

// Function is a canonical function (URL Conventions 4.01, section 5.1.1.5 and
// following). Every back end has an entry for each.
type Function struct {
	Name   string
	Params []edm.Type
	Result edm.Type
}

// functions are the canonical functions served, by their lower-case names.
var functions = func() map[string]*Function {
	s, i, t := edm.Type(edm.String), edm.Type(edm.Int64), edm.Type(edm.DateTimeOffset)
	m := map[string]*Function{}
	for _, f := range []*Function{
		{"contains", []edm.Type{s, s}, edm.Boolean},
		{"startswith", []edm.Type{s, s}, edm.Boolean},
		{"endswith", []edm.Type{s, s}, edm.Boolean},
		{"concat", []edm.Type{s, s}, edm.String},
		{"length", []edm.Type{s}, i},
		{"tolower", []edm.Type{s}, s},
		{"toupper", []edm.Type{s}, s},
		{"trim", []edm.Type{s}, s},
		{"year", []edm.Type{t}, i},
		{"month", []edm.Type{t}, i},
		{"day", []edm.Type{t}, i},
		{"hour", []edm.Type{t}, i},
		{"minute", []edm.Type{t}, i},
		{"date", []edm.Type{t}, edm.Date},
		{"now", nil, t},
	} {
		m[f.Name] = f
	}
	return m
}()

// toDouble takes a number as a Double. The binder calls it where a number meets
// a Double; expressions cannot name it.
var toDouble = &Function{"$double", []edm.Type{edm.Decimal}, edm.Double}

// known are the canonical functions of OData 4.01 that are not served.
var known = map[string]bool{
	"hassubset": true, "hassubsequence": true, "indexof": true, "substring": true, "matchespattern": true,
	"second": true, "fractionalseconds": true, "time": true, "totaloffsetminutes": true, "totalseconds": true,
	"mindatetime": true, "maxdatetime": true, "round": true, "floor": true, "ceiling": true, "cast": true,
	"isof": true, "case": true, "geo.distance": true, "geo.intersects": true, "geo.length": true,
}
