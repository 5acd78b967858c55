package leads

import (
	"bytes"
	"net/url"
	"strings"

	"leadloop/odata/fault"
)

const (
	leadManagerKey      = "lm_key"
	leadManagerRedirect = "lm_redirect"
)

// leadManager reads a delivery of leadmanager and checks its lm_key, where the
// source has a secret. It returns the body without the key.
func (s *Service) leadManager(src *Source, d Delivery) ([]field, []byte, error) {
	fields, key, err := parseLeadManager(d)
	if err != nil {
		return nil, nil, err
	}
	if len(src.SecretMAC) > 0 && !s.proves(src, key) {
		return nil, nil, fault.New(fault.Unauthorized, "lm_key is not the one of this source").At(leadManagerKey)
	}
	return fields, withoutLMKey(d, key), nil
}

// parseLeadManager reads a form made for Lead Manager, in its earlier form with
// subscribers_name and in its later one with name, phone, email and msg. All
// else keeps its name. It returns the lm_key apart.
func parseLeadManager(d Delivery) (fields []field, key string, err error) {
	given, err := parseForm(d)
	for _, f := range given {
		switch f.name {
		case leadManagerKey:
			key, _ = f.value.(string)
			continue
		case leadManagerRedirect: // the answer is the same JSON either way
			continue
		}
		if rest, ok := strings.CutPrefix(f.name, "subscribers_"); ok {
			if _, usual := placeOf(rest); usual {
				f.name, f.also = rest, []string{f.name}
			}
		}
		fields = append(fields, f)
	}
	return fields, key, err
}

// withoutLMKey gives the body of a delivery that parseLeadManager took, or its
// query, with the lm_key masked: what is stored must not give the secret away.
func withoutLMKey(d Delivery, key string) []byte {
	body := d.Body
	if len(body) == 0 {
		body = []byte(d.Query.Encode())
	}
	if key == "" {
		return body
	}
	if strings.HasPrefix(strings.TrimSpace(strings.ToLower(d.ContentType)), "multipart/") {
		return bytes.ReplaceAll(body, []byte("\n"+key), []byte("\n***"))
	}
	pairs := bytes.Split(body, []byte("&"))
	for i, pair := range pairs {
		name, _, _ := bytes.Cut(pair, []byte("="))
		if plainName, err := url.QueryUnescape(strings.TrimSpace(string(name))); err == nil && plainName == leadManagerKey {
			pairs[i] = append(bytes.Clone(name), "=***"...)
		}
	}
	return bytes.Join(pairs, []byte("&"))
}
