package leads

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"strconv"

	"leadloop/odata/fault"
)

// secretUse is what a kind does with a source's Secret.
type secretUse struct {
	required bool
	what     string // the sender's own name for it
	sealed   bool   // it makes signatures, so that a MAC of it would not do
}

var secretUses = map[string]secretUse{
	KindGoogleAds:   {required: true, what: "google_key"},
	KindLeadManager: {what: "lm_key"},
	KindTypeform:    {what: "webhook secret", sealed: true},
	KindLinkedIn:    {what: "client secret", sealed: true},
}

// prepareSecret replaces a new Secret by what is stored of it.
func (s *Service) prepareSecret(src *Source) error {
	use, ok := secretUses[src.Kind]
	if !ok {
		if src.Secret != "" {
			return fault.Newf(fault.Invalid, "deliveries of the kind %s carry no secret that could be checked", src.Kind).At("Secret")
		}
		src.SecretMAC, src.SealedSecret = nil, nil
		return nil
	}
	if src.Secret != "" {
		src.SecretMAC, src.SealedSecret = s.Vault.MAC(secretPurpose, []byte(src.Secret)), s.Vault.Seal([]byte(src.Secret))
		src.Secret = "" // never stored and never shown
	}
	if use.sealed {
		src.SecretMAC = nil
	} else {
		src.SealedSecret = nil
	}
	if use.required && len(src.SecretMAC) == 0 {
		return fault.Newf(fault.Invalid, "a source of the kind %s needs its %s as Secret", src.Kind, use.what).At("Secret")
	}
	return nil
}

// proves reports whether secret is src's, in a time that does not tell how much
// of it is right.
func (s *Service) proves(src *Source, secret string) bool {
	return subtle.ConstantTimeCompare(s.Vault.MAC(secretPurpose, []byte(secret)), src.SecretMAC) == 1
}

// secretOf gives the Secret of a source whose kind makes signatures; "" if it
// has none.
func (s *Service) secretOf(src *Source) (string, error) {
	if len(src.SealedSecret) == 0 {
		return "", nil
	}
	plain, err := s.Vault.Open(src.SealedSecret)
	return string(plain), failed("open the source's secret", err)
}

// sign gives the HMAC-SHA256 of data.
func sign(secret string, data ...string) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	for _, d := range data {
		h.Write([]byte(d))
	}
	return h.Sum(nil)
}

// prepareSigning returns Invalid for a source of a kind that signs without the secret
// to check signatures by, unless it is to accept what is not signed.
func prepareSigning(src *Source) error {
	if src.acceptsUnsigned() {
		return nil
	}
	const why = "a source of the kind %s needs its %s as %s, by which its deliveries are known from anybody's; to take them unchecked, set AcceptUnsigned"
	switch use := secretUses[src.Kind]; {
	case use.sealed && len(src.SealedSecret) == 0:
		return fault.Newf(fault.Invalid, why, src.Kind, use.what, "Secret").At("Secret")
	case src.Kind == KindMeta && textSetting(src, setAppSecret) == "":
		return fault.Newf(fault.Invalid, why, src.Kind, "app secret", setAppSecret).At("Settings/" + setAppSecret)
	}
	return nil
}

func (src *Source) acceptsUnsigned() bool {
	accepts, _ := strconv.ParseBool(textSetting(src, setAcceptUnsigned))
	return accepts
}

// checkSigned returns Unauthorized for a delivery that src does not take: given, the
// value of the header called name, is not the signature by secret, as proven tells.
func checkSigned(src *Source, name, given, secret string, proven bool) error {
	switch {
	case secret == "" && src.acceptsUnsigned(), given == "" && src.acceptsUnsigned():
		return nil
	case secret == "" || !proven:
		return unsigned(name, given)
	}
	return nil
}

// unsigned is the answer to a delivery whose signature, in the header called
// name, is missing or wrong.
func unsigned(name string, given string) error {
	if given == "" {
		return fault.Newf(fault.Unauthorized, "the delivery has no header %s", name).At(name)
	}
	return fault.Newf(fault.Unauthorized, "%s is not the signature of this body under the secret of this source", name).At(name)
}
