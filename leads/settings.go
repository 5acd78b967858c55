package leads

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"leadloop/odata/fault"
)

// SourceSettings are what a kind of source wants to know besides the Secret, by
// name. Secret ones are stored as "sealed:…" and shown like that; sending a
// sealed value back leaves the secret as it is.
type SourceSettings map[string]any

// The settings there are.
const (
	setAppSecret      = "AppSecret"
	setVerifyToken    = "VerifyToken"
	setAccessToken    = "AccessToken"
	setGraphURL       = "GraphURL"
	setAcceptUnsigned = "AcceptUnsigned"
	setReturnHosts    = "ReturnHosts"
)

// setting is one of a kind's settings.
type setting struct {
	name   string
	secret bool
	kind   string                  // SettingURL and so on; "" is SettingText
	check  func(text string) error // its error reads on after the name
}

// maxSetting is how many bytes the text of a setting may have.
const maxSetting = 4_000

// kindSettings are the settings of each kind that has some.
var kindSettings = map[string][]setting{
	KindMeta: {
		{name: setAppSecret, secret: true},
		{name: setVerifyToken, secret: true},
		{name: setAccessToken, secret: true},
		{name: setGraphURL, kind: SettingURL, check: checkBaseURL},
		acceptUnsigned,
	},
	KindLinkedIn:   {acceptUnsigned},
	KindTypeform:   {acceptUnsigned},
	KindSalesforce: {{name: setReturnHosts, kind: SettingHosts, check: checkHosts}},
}

// acceptUnsigned is how staff say that a source of a kind that signs takes deliveries
// without a signature. Without a secret to check by, it takes any.
var acceptUnsigned = setting{name: setAcceptUnsigned, kind: SettingBoolean, check: checkBoolean}

// problems gathers everything wrong with a source, so that its author can mend
// all of it at once.
type problems []fault.Detail

func (p *problems) addf(target, format string, args ...any) {
	*p = append(*p, fault.Detail{Code: fault.Invalid, Message: fmt.Sprintf(format, args...), Target: target})
}

// err is nil, or Invalid with the message and target of the first problem, and
// all of them as details where there are several.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	e := fault.New(fault.Invalid, p[0].Message).At(p[0].Target)
	if len(p) > 1 {
		e.Details = p
	}
	return e
}

// prepareSettings checks src's settings and seals the secret ones.
func (s *Service) prepareSettings(src *Source) error {
	var p problems
	known := kindSettings[src.Kind]
	next := SourceSettings{}
	for _, name := range slices.Sorted(maps.Keys(src.Settings)) {
		i := slices.IndexFunc(known, func(k setting) bool { return k.name == name })
		if i < 0 {
			p.addf("Settings/"+name, "a source of the kind %s has no setting %s%s", src.Kind, name, settingNames(known))
			continue
		}
		text, err := s.settingText(known[i], src.Settings[name])
		switch {
		case err != nil:
			p.addf("Settings/"+name, "%s %s", name, err)
		case text != "":
			next[name] = text
		}
	}
	src.Settings = next
	return p.err()
}

// settingText gives the text that is stored for the value v of k.
func (s *Service) settingText(k setting, v any) (string, error) {
	text, ok := listed(v)
	text = strings.TrimSpace(text)
	switch {
	case v == nil || ok && text == "":
		return "", nil
	case !ok:
		return "", fmt.Errorf("must be text")
	case len(text) > maxSetting:
		return "", fmt.Errorf("is longer than %d bytes", maxSetting)
	}
	if err := storable(text); err != nil {
		return "", fmt.Errorf("cannot be stored: %s", err.Message)
	}
	if k.secret {
		if _, err := s.Vault.OpenText(text); err != nil {
			return "", err
		}
		return s.Vault.SealText(text), nil
	}
	if k.check == nil {
		return text, nil
	}
	return text, k.check(text)
}

// setting gives the value of one of src's settings, unsealed, or "".
func (s *Service) setting(src *Source, name string) (string, error) {
	text, _ := src.Settings[name].(string)
	plain, err := s.Vault.OpenText(text)
	return plain, failed("the setting "+name, err)
}

func settingNames(known []setting) string {
	if len(known) == 0 {
		return ""
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = k.name
	}
	return "; it has: " + strings.Join(names, ", ")
}

// checkBaseURL refuses what is not the beginning of an address: what is put
// after it must end up in the path.
func checkBaseURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("must begin with http:// or https://")
	case u.Hostname() == "":
		return fmt.Errorf("has no host")
	case u.User != nil:
		return fmt.Errorf("must not hold a user name or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return fmt.Errorf("must end with its path")
	}
	return nil
}

func checkBoolean(text string) error {
	if _, err := strconv.ParseBool(text); err != nil {
		return fmt.Errorf("must be true or false")
	}
	return nil
}

func checkHosts(text string) error {
	for host := range strings.SplitSeq(text, ",") {
		host = strings.TrimSpace(host)
		if u, err := url.Parse("https://" + host); err != nil || u.Host != host || u.Hostname() == "" {
			return fmt.Errorf("must be host names separated by commas, like example.com, www.example.com")
		}
	}
	return nil
}

// textSetting gives the value of one of src's settings that is not secret, or "".
func textSetting(src *Source, name string) string {
	text, _ := src.Settings[name].(string)
	return text
}
