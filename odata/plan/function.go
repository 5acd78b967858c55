package plan

import (
	"maps"
	"slices"
	"strings"

	"leadloop/odata/edm"
)

// Function is one overload of a canonical function or of an arithmetic operator
// (URL Conventions 4.01, sections 5.1.1.1.2 and 5.1.1.5 to 5.1.1.14). Every back
// end has an entry for each, by its ID.
type Function struct {
	Name   string // as it is called
	ID     string // names the overload: "add_decimal"
	Params []edm.Type
	Result edm.Type
}

// overloads are the functions served, by name. Where several overloads fit a call
// equally well, the first is taken.
var overloads = func() map[string][]*Function {
	m := map[string][]*Function{}
	for _, f := range Functions() {
		m[f.Name] = append(m[f.Name], f)
	}
	return m
}()

// Functions lists every overload.
func Functions() []*Function {
	var list []*Function
	add := func(name, id string, result edm.Type, params ...edm.Type) {
		list = append(list, &Function{name, id, params, result})
	}
	s, b, i, d, f := edm.Type(edm.String), edm.Type(edm.Boolean), edm.Type(edm.Int64), edm.Type(edm.Decimal), edm.Type(edm.Double)
	date, tod, at, dur := edm.Type(edm.Date), edm.Type(edm.TimeOfDay), edm.Type(edm.DateTimeOffset), edm.Type(edm.Duration)

	add("contains", "contains", b, s, s)
	add("startswith", "startswith", b, s, s)
	add("endswith", "endswith", b, s, s)
	add("concat", "concat", s, s, s)
	add("length", "length", i, s)
	add("indexof", "indexof", i, s, s)
	add("substring", "substring", s, s, i)
	add("substring", "substring_length", s, s, i, i)
	add("tolower", "tolower", s, s)
	add("toupper", "toupper", s, s)
	add("trim", "trim", s, s)
	add("matchespattern", "matchespattern", b, s, s)

	for _, part := range []string{"year", "month", "day"} {
		add(part, part, i, at)
		add(part, part+"_date", i, date)
	}
	for _, part := range []string{"hour", "minute", "second"} {
		add(part, part, i, at)
		add(part, part+"_time", i, tod)
	}
	add("fractionalseconds", "fractionalseconds", d, at)
	add("fractionalseconds", "fractionalseconds_time", d, tod)
	add("date", "date", date, at)
	add("time", "time", tod, at)
	add("totaloffsetminutes", "totaloffsetminutes", i, at)
	add("totalseconds", "totalseconds", d, dur)
	add("mindatetime", "mindatetime", at)
	add("maxdatetime", "maxdatetime", at)
	add("now", "now", at)

	for _, rounding := range []string{"round", "floor", "ceiling"} {
		add(rounding, rounding+"_decimal", d, d)
		add(rounding, rounding+"_double", f, f)
	}
	for _, op := range []string{"add", "sub", "mul", "div", "mod"} {
		add(op, op+"_int", i, i, i)
		add(op, op+"_decimal", d, d, d)
		add(op, op+"_double", f, f, f)
	}
	add("divby", "div_decimal", d, d, d)
	add("divby", "div_double", f, f, f)
	add("-", "neg_int", i, i)
	add("-", "neg_decimal", d, d)
	add("-", "neg_double", f, f)
	add("-", "neg_duration", dur, dur)
	add("add", "add_instant", at, at, dur)
	add("sub", "sub_instant", at, at, dur)
	add("sub", "between", dur, at, at)
	add("add", "add_date", date, date, dur)
	add("sub", "sub_date", date, date, dur)
	add("add", "add_duration", dur, dur, dur)
	add("sub", "sub_duration", dur, dur, dur)
	add("mul", "mul_duration", dur, dur, d)
	add("mul", "mul_by_duration", dur, d, dur)
	add("div", "div_duration", dur, dur, d)
	add("divby", "div_duration", dur, dur, d)

	list = append(list, toDouble, hasFlags, underlying)
	for _, from := range []struct {
		name string
		t    edm.Type
	}{{"int", i}, {"decimal", d}, {"double", f}, {"boolean", b}, {"date", date}, {"time", tod}, {"instant", at}, {"guid", edm.Guid}, {"duration", dur}} {
		add("cast to Edm.String", from.name+"_text", s, from.t)
	}
	add("cast to Edm.Int64", "text_int", i, s)
	add("cast to Edm.Int64", "decimal_int", i, d)
	add("cast to Edm.Int64", "double_int", i, f)
	add("cast to Edm.Decimal", "text_decimal", d, s)
	add("cast to Edm.Decimal", "int_decimal", d, i)
	add("cast to Edm.Decimal", "double_decimal", d, f)
	add("cast to Edm.Double", "text_double", f, s)
	add("cast to Edm.Boolean", "text_boolean", b, s)
	add("cast to Edm.Guid", "text_guid", edm.Guid, s)
	add("cast to Edm.DateTimeOffset", "text_instant", at, s)
	add("cast to Edm.DateTimeOffset", "date_instant", at, date)
	add("cast to Edm.Date", "date", date, at)
	add("cast to Edm.TimeOfDay", "time", tod, at)
	return list
}

// toDouble takes a number as a Double. The binder calls it where a number meets
// a Double; expressions cannot name it.
var toDouble = &Function{"to double", "double", []edm.Type{edm.Decimal}, edm.Double}

// unserved are the canonical functions of OData 4.01 that are not served.
var unserved = map[string]bool{"geo.distance": true, "geo.intersects": true, "geo.length": true}

// mostParams is how many parameters an overload has at most.
const mostParams = 3

// resolve finds the overload of name that args fit best and converts them to its
// parameters; nil where none does.
func resolve(name string, args []Expr) *Function {
	var best *Function
	var bestArgs, converted [mostParams]Expr
	bestCost := 1 << 30
next:
	for _, f := range overloads[name] {
		if len(f.Params) != len(args) {
			continue
		}
		cost := 0
		for i, arg := range args {
			if converted[i] = convert(arg, f.Params[i]); converted[i] == nil {
				continue next
			}
			cost += conversionCost(arg.Type(), f.Params[i])
		}
		if cost < bestCost {
			best, bestArgs, bestCost = f, converted, cost
		}
		if cost == 0 {
			break // none fits better
		}
	}
	if best != nil {
		copy(args, bestArgs[:])
	}
	return best
}

// conversionCost ranks conversions. A dynamic property that could be any number
// is best taken as a decimal, which holds integers and fractions.
func conversionCost(from, to edm.Type) int {
	p, _ := from.(edm.Primitive)
	q, _ := to.(edm.Primitive)
	switch {
	case from == to || p == edm.Null:
		return 0
	case p.IsInteger() && q == edm.Int64:
		return 0
	case p == edm.Untyped && q == edm.Decimal:
		return 1
	case p == edm.Untyped && q == edm.String:
		return 2
	case p == edm.Untyped:
		return 4
	case p.IsNumeric() && q == edm.Double:
		return 2
	}
	return 1
}

// FunctionNames lists the names of the canonical functions served, in order.
func FunctionNames() []string {
	names := map[string]bool{"case": true, "cast": true, "isof": true, "hassubset": true, "hassubsequence": true}
	for name := range overloads {
		if _, operator := operatorNames[name]; !operator && !strings.Contains(name, " ") {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// operatorNames are the overloads that are called by operators.
var operatorNames = map[string]bool{"add": true, "sub": true, "mul": true, "div": true, "divby": true, "mod": true, "-": true}
