package plan

import (
	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// Relation is a derived table, what a transformation of $apply makes of its
// input: a sealed set of structs, told apart by type switch.
type Relation interface{ relation() }

type (
	// Rows is the rows of Of, with more columns.
	Rows struct {
		Of      *Read
		Columns []Column
		// Rank, where it is not nil, is set to the number of each row, in Of's
		// order, among those that agree in By. Of is not limited then.
		Rank *edm.Property
		By   []Expr
	}

	// Group is one row for each combination of Keys that the rows of Of have;
	// without Keys it is one row.
	Group struct {
		Of   *Read
		Keys []Column
		// Objects hold the keys that are dynamic properties as JSON objects.
		Objects    []Object
		Aggregates []*Aggregate
		Feeds      []*Feed // that Aggregates are over; the first is Of's rows
		With       *Shared // what Of reads; nil: it is read once
	}

	// Concat is the rows of Parts one after the other.
	Concat struct {
		With    *Shared
		Parts   []*Read
		Columns []*edm.Property
		// Sources holds for each part the expression that gives each of Columns,
		// nil for none.
		Sources [][]Expr
		Struct  *edm.Struct // of the columns
	}

	// Shared is a relation that is read more than once, by its name.
	Shared struct {
		Name string
		Of   Relation
	}
)

func (*Rows) relation()   {}
func (*Group) relation()  {}
func (*Concat) relation() {}
func (*Shared) relation() {}

// Column is a column of a relation and what it holds.
type Column struct {
	Prop *edm.Property
	X    Expr
}

// Object is a column that holds dynamic properties: Names, with the values in
// Keys, which hold JSON text.
type Object struct {
	Prop  *edm.Property
	Names []string
	Keys  []*edm.Property
}

// Method is an aggregation method (Data Aggregation 4.0, section 3.2.1.3).
type Method string

// The aggregation methods served.
const (
	Sum           Method = "sum"
	Min           Method = "min"
	Max           Method = "max"
	Average       Method = "average"
	CountDistinct Method = "countdistinct"
	CountAll      Method = "$count"
)

// Aggregate is an aggregated value.
type Aggregate struct {
	Prop   *edm.Property // the result
	Input  *edm.Property // the column of the feeds
	Method Method
	X      Expr // what is aggregated; nil for CountAll
	If     Expr // the rows taken; nil: all
	Over   *Feed
}

// Feed is what an Aggregate is over: the entities that Path leads to from the
// rows of the Group, each once for every combination of the keys.
type Feed struct {
	// Path is the range variables over collections on the way.
	Path []*Var
	// Target is what the way ends in; nil for the rows themselves.
	Target *Var
	// Repeats says that the way may lead to an entity more than once.
	Repeats bool

	text string // of the way
}

// Present is true where there is a row for Var, which is reached over a
// single-valued navigation property, and null where there is none.
type Present struct {
	uri.At
	Var *Var
}

// Type is Boolean.
func (*Present) Type() edm.Type { return edm.Boolean }
func (*Present) expr()          {}

// Shapes tells rows of different structure apart: Prop holds which of Vars a
// row is. Vars are parts of the same row.
type Shapes struct {
	Prop *edm.Property
	Vars []*Var
}

// Number is the value of a Shapes' Prop that stands for v.
func (v *Var) Number() int { return v.shape }

// over returns the same shapes of v's rows, changed by f.
func (s *Shapes) over(v *Var, f func(*edm.Struct) *edm.Struct) *Shapes {
	if s == nil {
		return nil
	}
	t := &Shapes{s.Prop, make([]*Var, len(s.Vars))}
	for i, x := range s.Vars {
		t.Vars[i] = &Var{Struct: f(x.Struct), Row: v, Expand: x.Expand, hidden: x.hidden, unguarded: x.unguarded, shape: x.shape}
	}
	return t
}
