package odata_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// filters draws expressions by type, nested at most depth deep.
type filters struct {
	t     *rapid.T
	depth int
}

func (f filters) deeper() filters { return filters{f.t, f.depth - 1} }

func (f filters) pick(options ...string) string { return rapid.SampledFrom(options).Draw(f.t, "pick") }

func (f filters) one(options ...func() string) string {
	return options[rapid.IntRange(0, len(options)-1).Draw(f.t, "one")]()
}

func (f filters) dynamic() string { return f.pick(dynamicNames...) }

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// condition is an expression of type Boolean.
func (f filters) condition() string {
	if f.depth <= 0 {
		return f.one(f.comparison, f.null, f.in, f.boolean)
	}
	d := f.deeper()
	return f.one(f.comparison, f.comparison, f.null, f.in, f.textFunction, f.boolean,
		func() string { return "not (" + d.condition() + ")" },
		func() string { return "(" + d.condition() + f.pick(" and ", " or ") + d.condition() + ")" },
		func() string { return "(" + d.condition() + ")" + f.pick(" eq ", " ne ") + "(" + d.condition() + ")" },
		func() string { return "(" + d.condition() + ")" + f.pick(" eq ", " ne ") + "null" },
	)
}

func (f filters) boolean() string { return f.pick("Sold", "true", "false", f.dynamic()) }

func (f filters) operator() string { return f.pick(" eq ", " ne ", " gt ", " ge ", " lt ", " le ") }

func (f filters) comparison() string {
	op := f.operator()
	return f.one(
		func() string { return f.number() + op + f.number() },
		func() string { return f.text() + op + f.text() },
		func() string { return f.instant() + op + f.instant() },
		func() string { return f.guid() + op + f.guid() },
		func() string { return f.date() + op + f.date() },
		func() string { return f.boolean() + f.pick(" eq ", " ne ") + f.pick("Sold", "true", "false") },
		func() string { return f.dynamic() + op + f.dynamic() },
		func() string {
			return f.dynamic() + op + f.one(f.numberLiteral, f.textLiteral, f.instantLiteral, f.guidLiteral, f.dateLiteral)
		},
		func() string {
			return f.one(f.numberLiteral, f.textLiteral, f.instantLiteral, f.guidLiteral, f.dateLiteral) + op + f.dynamic()
		},
	)
}

func (f filters) null() string {
	x := f.pick("Stock", "Price", "Name", "At", "MakerID", "null", f.dynamic(), f.text())
	op := f.operator()
	if rapid.Bool().Draw(f.t, "left") {
		return "null" + op + x
	}
	return x + op + "null"
}

func (f filters) in() string {
	list := func(item func() string) string {
		items := make([]string, rapid.IntRange(0, 4).Draw(f.t, "items"))
		for i := range items {
			items[i] = item()
			if rapid.IntRange(0, 5).Draw(f.t, "null") == 0 {
				items[i] = "null"
			}
		}
		return " in (" + strings.Join(items, ",") + ")"
	}
	x := f.dynamic()
	return f.one(
		func() string { return f.number() + list(f.numberLiteral) },
		func() string { return f.text() + list(f.textLiteral) },
		func() string { return f.instant() + list(f.instantLiteral) },
		func() string { return f.guid() + list(f.guidLiteral) },
		func() string { return f.date() + list(f.dateLiteral) },
		func() string { return x + list(f.numberLiteral) },
		func() string { return x + list(f.textLiteral) },
		func() string { return x + list(f.instantLiteral) },
		func() string { return "null" + list(f.numberLiteral) },
		func() string { return "Sold" + list(func() string { return f.pick("true", "false") }) },
	)
}

func (f filters) textFunction() string {
	return f.pick("contains", "startswith", "endswith") + "(" + f.deeper().text() + "," + f.deeper().text() + ")"
}

func (f filters) number() string {
	return f.one(f.numberLiteral,
		func() string { return f.pick("Stock", "Price", "Stock", "Price", "MakerID") },
		func() string { return "length(" + f.deeper().text() + ")" },
		func() string {
			return f.pick("year", "month", "day", "hour", "minute") + "(" + f.instant() + ")"
		},
	)
}

func (f filters) numberLiteral() string {
	return f.one(
		func() string { return strconv.FormatInt(rapid.SampledFrom(someInts).Draw(f.t, "int"), 10) },
		func() string { return fmt.Sprint(rapid.IntRange(-10, 300).Draw(f.t, "small")) },
		func() string {
			v := rapid.SampledFrom(someFloats).Draw(f.t, "float")
			return f.pick(strconv.FormatFloat(v, 'f', -1, 64), strconv.FormatFloat(v, 'e', -1, 64))
		},
		func() string {
			return f.pick("INF", "-INF", "NaN", "9223372036854775808", "9.007199254740992e15", "1e0", "0.30000000000000004", "0.1")
		},
	)
}

func (f filters) text() string {
	if f.depth <= 0 {
		return f.one(f.textLiteral, func() string { return f.pick("Name", f.dynamic()) })
	}
	d := f.deeper()
	return f.one(f.textLiteral,
		func() string { return f.pick("Name", "Name", f.dynamic()) },
		func() string { return f.pick("tolower", "toupper", "trim") + "(" + d.text() + ")" },
		func() string { return "concat(" + d.text() + "," + d.text() + ")" },
	)
}

func (f filters) textLiteral() string { return quoted(text().Draw(f.t, "text")) }

func (f filters) instant() string {
	return f.one(f.instantLiteral, func() string { return f.pick("At", "At", "now()") })
}

// goodInstants are those of someInstants that are literals.
var goodInstants = []string{
	"2026-01-02T10:00:00Z", "2026-01-02T12:00:00+02:00", "2026-01-02T10:00Z", "2026-01-02t10:00:00z", "2026-01-02T10:00:00.123456Z",
	"2026-01-02T10:00:00.1234569Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z", "2024-02-29T23:59:59-14:59", "2026-01-02",
}

func (f filters) instantLiteral() string {
	return f.one(
		func() string { return f.pick(goodInstants[:9]...) },
		func() string {
			return instant().Draw(f.t, "instant").Format(time.RFC3339Nano)
		},
	)
}

func (f filters) guid() string { return f.one(f.guidLiteral, func() string { return "ID" }) }

func (f filters) guidLiteral() string {
	return f.pick("00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000A", "00000000-0000-0000-0000-000000000030", "ffffffff-ffff-ffff-ffff-ffffffffffff")
}

func (f filters) date() string {
	return f.one(f.dateLiteral, func() string { return "date(" + f.instant() + ")" })
}

func (f filters) dateLiteral() string {
	return f.pick("2026-01-02", "2024-02-29", "0001-01-01", "9999-12-31", "1969-12-31")
}
