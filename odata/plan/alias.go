package plan

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

func (b *Binder) alias(e *uri.Alias) (Expr, error) {
	if v, ok := b.args[e.Name]; ok {
		t, ok := goType(v)
		if !ok {
			return nil, b.errorf(e.Pos(), "a %T cannot be the argument @%s", v, e.Name)
		}
		c := b.work.constant(e.At, t, v)
		c.from = b.Lifts.argument(b.argsOf, e.Name, v)
		return c, nil
	}
	x, scope, err := b.resolveAlias(e)
	if err != nil {
		return nil, err
	}
	if x == nil {
		// An alias without a value is null (URL Conventions 4.01, section 5.3).
		return b.work.constant(e.At, edm.Null, nil), nil
	}
	return scope.bind(x)
}

// resolveAlias parses the value of a parameter alias and returns it with the
// Binder to bind it by; nil if the alias has no value.
func (b *Binder) resolveAlias(e *uri.Alias) (uri.Expr, *Binder, error) {
	text, ok := b.aliases[e.Name]
	if !ok {
		return nil, b, nil
	}
	if slices.Contains(b.open, e.Name) {
		return nil, nil, b.errorf(e.Pos(), "the parameter alias @%s refers to itself", e.Name)
	}
	if len(b.open) > maxAliasDepth {
		return nil, nil, b.errorf(e.Pos(), "parameter aliases refer to each other more than %d deep", maxAliasDepth)
	}
	x, err := uri.ParseExpr(text, "@"+e.Name, b.Limits.Expr)
	if err != nil {
		return nil, nil, err
	}
	scope := *b
	scope.what, scope.open = "@"+e.Name, append(b.open[:len(b.open):len(b.open)], e.Name)
	return x, &scope, nil
}

// maxAliasDepth is how deep parameter aliases may refer to each other: their
// expressions' depths add up.
const maxAliasDepth = 2

// goType is the type of a predicate's argument.
func goType(v any) (t edm.Type, ok bool) {
	switch v.(type) {
	case nil:
		return edm.Null, true
	case bool:
		return edm.Boolean, true
	case int64:
		return edm.Int64, true
	case string:
		return edm.String, true
	case time.Time:
		return edm.DateTimeOffset, true
	case uuid.UUID:
		return edm.Guid, true
	}
	return nil, false
}
