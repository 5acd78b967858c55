package leads

// answer is one answer of a form whose sender tells, beside the value, what was
// asked.
type answer struct {
	value any
	kind  string   // what the sender says the value is: email, tel, …
	label string   // what people read
	ids   []string // what else the question is called
}

// kindTargets are where answers go whose names say nothing, by kind.
var kindTargets = map[string]string{"email": "Email", "tel": "Phone", "phone": "Phone", "phone_number": "Phone"}

// fieldsOf makes fields of answers. Each goes by the first of its names that is
// a usual one; the first of its kind without such a name goes where its kind
// does; the others go by their labels. A mapping may use any of the names.
func fieldsOf(answers []answer) []field {
	fields := make([]field, len(answers))
	taken := map[string]bool{}
	for i, a := range answers {
		fields[i].value = a.value
		for _, name := range a.names() {
			if p, ok := placeOf(name); ok {
				fields[i].name, taken[p.target] = name, true
				if text, ok := textOf(a.value); ok { // a yes too: no answer is refused for its question's wording
					fields[i].value = text
				}
				break
			}
		}
	}
	for i, a := range answers {
		names := a.names()
		target := kindTargets[a.kind]
		_, isText := a.value.(string)
		switch {
		case fields[i].name != "":
		case target != "" && isText && !taken[target]:
			fields[i].name, taken[target] = target, true
		case len(names) > 0:
			fields[i].name = names[0]
		}
		for _, name := range names {
			if name != fields[i].name {
				fields[i].also = append(fields[i].also, name)
			}
		}
	}
	return fields
}

// names are those that are not empty, the label first.
func (a answer) names() []string {
	var names []string
	for _, name := range append([]string{a.label}, a.ids...) {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}
