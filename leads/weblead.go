package leads

import (
	"mime"
	"net/url"
	"slices"
	"strings"
)

// notOfPerson are the fields of Web-to-Lead that steer Salesforce and tell
// nothing of the person.
var notOfPerson = []string{"retURL", "encoding", "submit", "debug", "debugEmail"}

// webToLeadNames are the fields of Web-to-Lead that are usual nowhere else.
var webToLeadNames = map[string]string{"description": "Message", "Campaign_ID": "Campaign"}

// parseWebToLead reads a form made for Salesforce's Web-to-Lead. Its field
// encoding names the character set where the content type does not. returnURL is
// where the form wants the browser sent afterwards.
func parseWebToLead(d Delivery) (fields []field, returnURL string, err error) {
	if contentType, params, err := mime.ParseMediaType(d.ContentType); err == nil && params["charset"] == "" {
		query, _ := url.ParseQuery(string(d.Body))
		if encoding := query.Get("encoding"); encoding != "" && contentType == "application/x-www-form-urlencoded" {
			d.ContentType = mime.FormatMediaType(contentType, map[string]string{"charset": encoding})
		}
	}
	given, err := parseForm(d)
	for _, f := range given {
		if f.name == "retURL" {
			returnURL, _ = f.value.(string)
		}
		if slices.Contains(notOfPerson, f.name) {
			continue
		}
		if target := webToLeadNames[f.name]; target != "" {
			f.name, f.also = target, []string{f.name}
		}
		fields = append(fields, f)
	}
	return fields, returnURL, err
}

// redirect gives returnURL if the source lets a browser be sent there: to a host
// that its setting ReturnHosts names, over http or https. A host without a port
// stands for the usual ports only.
func redirect(src *Source, returnURL string) string {
	u, err := url.Parse(strings.TrimSpace(returnURL))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Host == "" {
		return ""
	}
	for host := range strings.SplitSeq(textSetting(src, setReturnHosts), ",") {
		if strings.EqualFold(strings.TrimSpace(host), u.Host) {
			return u.String()
		}
	}
	return ""
}
