package routing

import (
	"fmt"

	"github.com/google/uuid"

	"leadloop/leads"
	"leadloop/odata/edm"
	"leadloop/odata/eval"
)

// expressions compiles what rules say: conditions over the lead, and mapping
// sources over the lead and RoutingID.
type expressions struct {
	lead   *eval.Env
	mapped *eval.Env
}

func newExpressions() expressions {
	return expressions{lead: mustEnv(), mapped: mustEnv(eval.Var{Name: "RoutingID", Type: edm.Guid})}
}

// mustEnv panics where the lead's own struct cannot be described, which no input
// can bring about.
func mustEnv(vars ...eval.Var) *eval.Env {
	env, err := eval.NewEnv(&leads.Lead{}, vars...)
	if err != nil {
		panic(fmt.Sprintf("routing: the lead as an expression's environment: %v", err))
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
func (e expressions) mappedRecord(lead *leads.Lead, routingID uuid.UUID) *eval.Record {
	return e.mapped.Record(lead, map[string]any{"RoutingID": routingID})
}
