package routing

import (
	"errors"
	"fmt"
	"strings"

	"leadloop/odata/fault"
)

// problems gathers everything wrong with an entity, so that its author can mend
// all of it at once.
type problems struct{ details []fault.Detail }

func (p *problems) addf(target, format string, args ...any) {
	p.details = append(p.details, fault.Detail{
		Code: fault.Invalid, Message: fmt.Sprintf(format, args...), Target: target,
	})
}

// addError adds a fault with its details under target, or under its own targets
// when target is empty. Errors that are no faults are returned.
func (p *problems) addError(target string, err error) error {
	if err == nil {
		return nil
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	if target == "" && len(f.Details) > 0 {
		for _, d := range f.Details {
			p.addf(slashed.Replace(d.Target), "%s", d.Message)
		}
		return nil
	}
	if target == "" {
		target = slashed.Replace(f.Target)
	}
	p.addf(target, "%s", f.Message)
	return nil
}

// err returns nil, or one Invalid fault: its message and target are those of the
// first problem, its details all of them where there are several.
func (p *problems) err() error {
	if len(p.details) == 0 {
		return nil
	}
	e := fault.New(fault.Invalid, p.details[0].Message).At(p.details[0].Target)
	if len(p.details) > 1 {
		e.Details = p.details
	}
	return e
}

// slashed turns the validator's Mapping[2].Target into Mapping/2/Target.
var slashed = strings.NewReplacer("[", "/", "].", "/", "]", "", ".", "/")
