package console

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"leadloop/leads"
	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// conditionRow is a row of the condition builder. Rows are joined as OData joins
// them: "and" before "or", so that each "or" begins another group.
type conditionRow struct {
	Join     string // "and" or "or" to what is above
	Property string // a property of the lead, or a path of them
	Operator string // one of conditionOperators
	Value    string // as one types it; of in and notin a list with commas
}

// conditionOperators are those of the builder, in the order they are offered.
var conditionOperators = []string{
	"eq", "ne", "in", "notin", "contains", "lacks", "startswith", "endswith", "gt", "ge", "lt", "le", "empty", "filled",
}

// unary are the operators that take no value.
func (r conditionRow) Unary() bool { return r.Operator == "empty" || r.Operator == "filled" }

var (
	comparisons = map[uri.Op]string{uri.Eq: "eq", uri.Ne: "ne", uri.Gt: "gt", uri.Ge: "ge", uri.Lt: "lt", uri.Le: "le"}
	calls       = []string{"contains", "startswith", "endswith"}
)

// leadTypes are the lead's declared properties.
var leadTypes = func() map[string]edm.Type {
	s, err := edm.StructOf(&leads.Lead{})
	if err != nil {
		panic("console: the lead's properties: " + err.Error()) // of our own struct
	}
	types := map[string]edm.Type{}
	for _, p := range s.Properties {
		types[p.Name] = p.Type
	}
	return types
}()

// conditionText is the expression of the rows. Rows without a property are left
// out, as they are being filled in.
func conditionText(rows []conditionRow) string {
	var b strings.Builder
	for _, r := range rows {
		if r.Property == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(map[bool]string{true: " or ", false: " and "}[r.Join == "or"])
		}
		b.WriteString(r.text())
	}
	return b.String()
}

func (r conditionRow) text() string {
	switch p := r.Property; r.Operator {
	case "contains", "startswith", "endswith":
		return r.Operator + "(" + p + "," + uri.Quote(r.Value) + ")"
	case "lacks":
		return "not contains(" + p + "," + uri.Quote(r.Value) + ")"
	case "empty":
		return p + " eq null"
	case "filled":
		return p + " ne null"
	case "in", "notin":
		items := []string{}
		for _, item := range splitList(r.Value) {
			if !quoted(item) {
				item = literalOf(p, item)
			}
			items = append(items, item)
		}
		text := p + " in (" + strings.Join(items, ",") + ")"
		if r.Operator == "notin" {
			text = "not " + text
		}
		return text
	}
	return r.Property + " " + r.Operator + " " + literalOf(r.Property, r.Value)
}

// literalOf is the literal that someone means who types value for a property:
// text of a property that is text; else a number, true, a date or text in quotes
// is that, and all else is text.
func literalOf(property, value string) string {
	if leadTypes[property] == edm.String {
		return uri.Quote(value)
	}
	x, err := uri.ParseExpr(value, "", uri.Limits{})
	if l, ok := x.(*uri.Literal); err == nil && ok && l.Kind != uri.NullLiteral {
		return value
	}
	return uri.Quote(value)
}

// valueOf is what one types for a literal.
func valueOf(property string, l *uri.Literal) string {
	if l.Kind != uri.StringLiteral {
		return l.String()
	}
	if literalOf(property, l.Text) == uri.Quote(l.Text) {
		return l.Text
	}
	return uri.Quote(l.Text)
}

// quoted reports whether text is one string literal.
func quoted(text string) bool {
	x, err := uri.ParseExpr(text, "", uri.Limits{})
	l, ok := x.(*uri.Literal)
	return err == nil && ok && l.Kind == uri.StringLiteral
}

// splitList splits at the commas that stand outside quotes.
func splitList(text string) (items []string) {
	begin, inside := 0, false
	add := func(item string) {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	for i, c := range text {
		switch {
		case c == '\'' && (inside || strings.TrimSpace(text[begin:i]) == ""):
			inside = !inside
		case c == ',' && !inside:
			add(text[begin:i])
			begin = i + 1
		}
	}
	add(text[begin:])
	return items
}

// conditionRows are the rows of an expression, if it can be told in rows: then
// conditionText gives one of the same meaning.
func conditionRows(text string) (rows []conditionRow, ok bool) {
	if strings.TrimSpace(text) == "" {
		return nil, true
	}
	x, err := uri.ParseExpr(text, "", uri.Limits{})
	if err != nil {
		return nil, false
	}
	for i, either := range joined(x, uri.Or) {
		for j, part := range joined(either, uri.And) {
			row, ok := rowOf(part)
			if !ok {
				return nil, false
			}
			row.Join = "and"
			if i > 0 && j == 0 {
				row.Join = "or"
			}
			rows = append(rows, row)
		}
	}
	again, err := uri.ParseExpr(conditionText(rows), "", uri.Limits{})
	return rows, err == nil && again.String() == x.String()
}

// joined are the operands of a chain of an operator.
func joined(x uri.Expr, op uri.Op) []uri.Expr {
	if b, ok := x.(*uri.Binary); ok && b.Op == op {
		return append(joined(b.L, op), b.R)
	}
	return []uri.Expr{x}
}

func rowOf(x uri.Expr) (row conditionRow, ok bool) {
	switch x := x.(type) {
	case *uri.Binary:
		return comparisonRow(x)
	case *uri.Call:
		if len(x.Args) != 2 || !slices.Contains(calls, x.Func) {
			return row, false
		}
		l, ok := x.Args[1].(*uri.Literal)
		if !ok || l.Kind != uri.StringLiteral {
			return row, false
		}
		return conditionRow{Property: x.Args[0].String(), Operator: x.Func, Value: l.Text}, property(x.Args[0])
	case *uri.Unary:
		if x.Op != uri.Not {
			return row, false
		}
		row, ok = rowOf(x.X)
		negated := map[string]string{"contains": "lacks", "in": "notin"}[row.Operator]
		row.Operator = negated
		return row, ok && negated != ""
	}
	return row, false
}

func comparisonRow(x *uri.Binary) (row conditionRow, ok bool) {
	row.Property, ok = x.L.String(), property(x.L)
	if list, isList := x.R.(*uri.List); isList && x.Op == uri.In {
		row.Operator = "in"
		items := []string{}
		for _, item := range list.Items {
			l, isLiteral := item.(*uri.Literal)
			if !isLiteral {
				return row, false
			}
			value := valueOf(row.Property, l)
			if strings.ContainsAny(value, ",'") || strings.TrimSpace(value) != value || value == "" {
				value = l.String()
			}
			items = append(items, value)
		}
		row.Value = strings.Join(items, ", ")
		return row, ok && len(items) > 0
	}
	l, isLiteral := x.R.(*uri.Literal)
	switch row.Operator = comparisons[x.Op]; {
	case !isLiteral || row.Operator == "":
		return row, false
	case l.Kind != uri.NullLiteral:
		row.Value = valueOf(row.Property, l)
	case x.Op == uri.Eq:
		row.Operator = "empty"
	case x.Op == uri.Ne:
		row.Operator = "filled"
	default:
		return row, false
	}
	return row, ok
}

// property reports whether x names a property, or a path of them.
func property(x uri.Expr) bool {
	switch x := x.(type) {
	case *uri.Name:
		return !strings.HasPrefix(x.Name, "$")
	case *uri.Member:
		return property(x.X)
	}
	return false
}

// pointed is an expression that is wrong at a character.
type pointed struct {
	Before, At, After string
	Message           string
}

// positioned is how faults of expressions begin.
var positioned = regexp.MustCompile(`(?s)^\S+, position (\d+): (.*)$`)

// pointAt is text with what is wrong with it. A fault of no position is at its
// end.
func (l *locale) pointAt(text, message string) *pointed {
	characters := []rune(text)
	at := len(characters)
	if m := positioned.FindStringSubmatch(message); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			at, message = min(max(n-1, 0), at), m[2]
		}
	}
	p := &pointed{Before: string(characters[:at]), At: "\u00a0", Message: l.faultMessage(message)}
	if at < len(characters) {
		p.At, p.After = string(characters[at]), string(characters[at+1:])
	}
	return p
}
