package routing

import (
	"fmt"

	"leadloop/leads"
	"leadloop/odata/edm"
	"leadloop/odata/eval"
)

// expressions compiles what rules and connectors say: conditions over the lead,
// mapping sources over the lead and the facts of the routing, and what an answer
// means.
type expressions struct {
	lead   *eval.Env
	mapped *eval.Env
	answer *eval.Env
	item   *eval.Env
	onward *eval.Env
}

func newExpressions() expressions {
	return expressions{lead: mustEnv(&leads.Lead{}), mapped: mustEnv(&leads.Lead{}, factVars...), answer: mustEnv(&Answer{}), item: mustEnv(&ItemRead{}), onward: mustEnv(&leads.Lead{}, outcomeVars...)}
}

// mustEnv panics where our own structs cannot be described, which no input can
// bring about.
func mustEnv(model any, vars ...eval.Var) *eval.Env {
	env, err := eval.NewEnv(model, vars...)
	if err != nil {
		panic(fmt.Sprintf("routing: %T as an expression's environment: %v", model, err))
	}
	return env
}

// condition compiles a rule's condition. The empty condition gives nil: it holds
// for every lead. What does not compile, or is not true or false, is Invalid.
func (e expressions) condition(text string) (*eval.Program, error) {
	if text == "" {
		return nil, nil
	}
	return eval.Compile(e.lead, "Condition", text, edm.Boolean)
}

// source compiles a mapping entry's source; target names the entry in messages.
func (e expressions) source(target, text string) (*eval.Program, error) {
	return eval.Compile(e.mapped, target, text, nil)
}

// record is what conditions run over.
func (e expressions) record(lead *leads.Lead) *eval.Record { return e.lead.Record(lead, nil) }

// mappedRecord is what mapping sources run over.
func (e expressions) mappedRecord(lead *leads.Lead, f facts) *eval.Record {
	return e.mapped.Record(lead, f.vars())
}
