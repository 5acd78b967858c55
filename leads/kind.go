package leads

// What a setting of a kind is.
const (
	SettingText    = "text"
	SettingURL     = "url"
	SettingBoolean = "boolean"
	SettingHosts   = "hosts" // names of hosts, with commas between them
)

// Kind tells what a kind of source wants to know.
type Kind struct {
	Name string
	// Secret is what its sender calls the Secret; "" where there is none.
	Secret         string
	SecretRequired bool
	Settings       []KindSetting
}

// KindSetting is one of a kind's Settings. Secret ones are written and not read.
type KindSetting struct {
	Name   string
	Type   string // SettingText and so on
	Secret bool
}

var kinds = []string{
	KindForm, KindJSON, KindGoogleAds, KindMeta, KindLinkedIn, KindTypeform, KindElementor, KindSalesforce, KindLeadManager,
}

// Kinds are all there are, the most general first.
func Kinds() []Kind {
	list := make([]Kind, len(kinds))
	for i, name := range kinds {
		use := secretUses[name]
		list[i] = Kind{Name: name, Secret: use.what, SecretRequired: use.required, Settings: []KindSetting{}}
		for _, s := range kindSettings[name] {
			k := KindSetting{Name: s.name, Type: s.kind, Secret: s.secret}
			if k.Type == "" {
				k.Type = SettingText
			}
			list[i].Settings = append(list[i].Settings, k)
		}
	}
	return list
}
