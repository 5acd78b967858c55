package odata

import (
	"mime"
	"strconv"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/plan"
)

// format is the representation of an answer.
type format struct {
	metadata  string // "minimal", "full" or "none"
	strings   bool   // IEEE754Compatible
	streaming bool   // members come in the order that streaming clients need
	short     bool   // the parameters are named without "odata."
	charset   bool   // the client named the charset, so the answer does
}

// contentType names the parameters that apply (JSON Format 4.01, section 4.1).
// They have the prefix of OData 4.0 unless the client itself left it out.
func (f format) contentType() string {
	prefix := "odata."
	if f.short {
		prefix = ""
	}
	text := "application/json;" + prefix + "metadata=" + f.metadata
	if f.streaming {
		text += ";" + prefix + "streaming=true"
	}
	if f.strings {
		text += ";IEEE754Compatible=true"
	}
	if f.charset {
		text += ";charset=utf-8"
	}
	return text
}

// negotiate chooses the representation from $format, or else from Accept
// (Protocol 4.01, sections 8.2.1 and 11.2.12).
func negotiate(formatOption, accept, version string) (format, error) {
	wanted := accept
	if formatOption != "" {
		wanted = formatOption
		if strings.EqualFold(wanted, "json") {
			wanted = "application/json"
		}
	}
	best, _, found := best(wanted, func(media string, parameters map[string]string) (format, bool) {
		if media != "application/json" && (formatOption != "" || media != "application/*" && media != "*/*") {
			return format{}, false
		}
		return jsonFormat(parameters)
	})
	if !found {
		return best, fault.Newf(fault.NotAcceptable,
			"this service answers in application/json with odata.metadata=minimal, full or none, in UTF-8, not in %q", wanted)
	}
	if version == "4.0" {
		best.short, best.streaming = false, false
	}
	return best, nil
}

// best goes through the media ranges of an Accept header and returns what try
// makes of the one the client likes most, and how much it does. A range with q=0 excludes what try makes
// of it, unless a more specific one allows that (RFC 9110, section 12.5.1).
func best[T comparable](accept string, try func(media string, parameters map[string]string) (T, bool)) (best T, quality float64, found bool) {
	if strings.TrimSpace(accept) == "" {
		accept = "*/*"
	}
	refused := map[T]int{} // how specifically
	var ranges []mediaRange
	for _, item := range splitList(accept, ',') {
		r, ok := parseRange(item)
		if !ok {
			continue
		}
		if t, ok := try(r.media, r.parameters); ok && r.quality == 0 {
			refused[t] = max(refused[t], r.specificity()+1)
		}
		ranges = append(ranges, r)
	}
	for _, r := range ranges {
		if r.quality <= quality {
			continue
		}
		if t, ok := try(r.media, r.parameters); ok && r.specificity() >= refused[t] {
			best, quality, found = t, r.quality, true
		}
	}
	return best, quality, found
}

// mediaRange is one item of an Accept header.
type mediaRange struct {
	media      string
	parameters map[string]string // names in lower case
	quality    float64
}

func parseRange(item string) (r mediaRange, ok bool) {
	media, parameters, err := mime.ParseMediaType(item)
	if err != nil {
		return r, false
	}
	r = mediaRange{media, parameters, 1}
	if q, given := parameters["q"]; given {
		if r.quality, err = strconv.ParseFloat(q, 64); err != nil || r.quality < 0 {
			return r, false
		}
		delete(parameters, "q")
	}
	return r, true
}

// specificity ranks a range among those that allow the same.
func (r mediaRange) specificity() int {
	switch {
	case r.media == "*/*":
		return 0
	case strings.HasSuffix(r.media, "/*"):
		return 1
	case len(r.parameters) == 0:
		return 2
	}
	return 3
}

// jsonFormat reads the parameters of application/json; false where they are not
// known or an answer cannot be as they want it.
func jsonFormat(parameters map[string]string) (f format, ok bool) {
	f = format{metadata: "minimal"}
	for name, value := range parameters {
		value = strings.ToLower(value)
		switch short := strings.TrimPrefix(name, "odata."); short {
		case "metadata":
			if value != "minimal" && value != "full" && value != "none" {
				return f, false
			}
			f.metadata, f.short = value, short == name
		case "streaming":
			f.streaming = value == "true"
		case "ieee754compatible":
			f.strings = value == "true"
		case "exponentialdecimals": // is a permission that is not made use of
		case "charset":
			if f.charset = value == "utf-8"; !f.charset {
				return f, false
			}
		default:
			return f, false
		}
	}
	return f, true
}

// splitList splits a header at separators that are not inside double quotes.
func splitList(s string, separator byte) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// utf8Accepted reports whether an Accept-Charset header lets text be UTF-8.
func utf8Accepted(header string) bool {
	if strings.TrimSpace(header) == "" {
		return true
	}
	_, _, found := best(strings.ReplaceAll(header, "*", "*/*"), func(charset string, _ map[string]string) (struct{}, bool) {
		return struct{}{}, charset == "utf-8" || charset == "*/*"
	})
	return found
}

// answerVersion is the version of OData that an answer speaks (Protocol 4.01,
// sections 8.1.5 and 8.2.7).
func answerVersion(maxVersion, requestVersion string) (string, error) {
	switch v := strings.TrimSpace(requestVersion); v {
	case "", "4.0", "4.01":
	default:
		return "4.01", fault.Newf(fault.Invalid, "the OData-Version %q is not one of 4.0 and 4.01", v).At("OData-Version")
	}
	// Some clients put more after a semicolon.
	v, _, _ := strings.Cut(maxVersion, ";")
	if v = strings.TrimSpace(v); v == "" {
		return "4.01", nil
	}
	d, ok := edm.ParseDecimal(v)
	switch {
	case !ok || strings.HasPrefix(v, "-"):
		return "4.01", fault.Newf(fault.Invalid, "the OData-MaxVersion %q is not a version", v).At("OData-MaxVersion")
	case d.Float64() < 4:
		return "4.0", fault.Newf(fault.Invalid, "this service speaks OData 4.0 and 4.01, not %s", v).At("OData-MaxVersion")
	case d.Float64() < 4.01:
		return "4.0", nil
	}
	return "4.01", nil
}

// style is how entities are shown in the answer.
func (q *request) style() plan.Style {
	st := plan.Style{Strings: q.format.strings, OmitNulls: q.omitNulls, Root: q.root(), Links: q.links}
	for pair := range strings.SplitSeq(q.URL.RawQuery, "&") {
		if name := optionOf(pair); name == "format" || name == "schemaversion" {
			st.Repeated += pair + "&"
		}
	}
	switch q.format.metadata {
	case "full":
		st.Metadata = plan.Full
	case "none":
		st.Metadata = plan.None
	}
	return st
}

// links says how the entities of s are addressed and what can be done with them.
func (q *request) links(s *edm.Struct) plan.Links {
	es := q.s.model.SetOf(s)
	if es == nil {
		return plan.Links{}
	}
	l := plan.Links{Set: es.Name, Updatable: q.s.sets[es.Name].update != nil}
	for _, op := range q.s.model.Operations {
		if op.Binding == s && !op.BindingCollection {
			l.Operations = append(l.Operations, q.s.Namespace+"."+op.Name)
		}
	}
	return l
}
