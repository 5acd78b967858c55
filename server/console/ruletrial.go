package console

import (
	"encoding/json"
	"errors"

	"leadloop/odata/fault"
	"leadloop/routing"
)

// trial is a test of the rule, in words.
type trial struct {
	routing.TestResult
	Badge  Badge
	Words  string // what came of it
	Detail string // what their system or the program said, if that adds to it
}

// testRule sends a test and shows the rule with what came of it. What goes wrong
// is shown there too: the rule is stored by now.
func (v *visit) testRule(id int64) error {
	result, err := v.Routing.Test(v.ctx(), id, nil)
	var f *fault.Error
	if err != nil && !errors.As(err, &f) {
		return err
	}
	if f != nil {
		result.Error = v.faultText(f)
	}
	r, err := v.readRule(id)
	if err != nil {
		return err
	}
	e, err := v.editor(r)
	if err != nil {
		return err
	}
	e.Trial = v.tried(result)
	v.W.Header().Set("HX-Push-Url", ruleURL(id))
	return v.showRule(e)
}

// tried says what came of a test.
func (v *visit) tried(r routing.TestResult) *trial {
	t := &trial{TestResult: r, Badge: Badge{v.T("rule.test.failed"), "bad"}, Detail: v.faultMessage(r.Error)}
	if r.Succeeded {
		t.Badge, t.Words = Badge{v.T("rule.test.passed"), "good"}, v.T("rule.test.accepted", r.StatusCode)
		if r.Outcome == "duplicate" {
			t.Words = v.T("rule.test.duplicate", r.StatusCode)
		}
		return t
	}
	status := r.StatusCode
	switch {
	case r.Request == "" && status == 0:
		t.Words = v.T("rule.test.unsent")
	case status == 0:
		t.Words = v.T("rule.test.unreachable")
	case status < 300:
		t.Words = v.T("rule.test.refused", status)
	case status < 400:
		t.Words = v.T("rule.test.moved", status)
	case status == 401 || status == 403:
		t.Words = v.T("rule.test.keptout", status)
	case status == 404 || status == 410:
		t.Words = v.T("rule.test.nothing", status)
	case status == 429:
		t.Words = v.T("rule.test.busy", status)
	case status < 500:
		t.Words = v.T("rule.test.invalid", status)
	default:
		t.Words = v.T("rule.test.broken", status)
	}
	return t
}

// readable is JSON with a line for each field; other text as it is.
func readable(text string) string {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	pretty, err := json.MarshalIndent(json.RawMessage(text), "", "  ")
	if err != nil {
		return text
	}
	return string(pretty)
}
