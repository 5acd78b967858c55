package store

import (
	"encoding/base64"
	"errors"
	"strings"
)

// sealedPrefix marks a text as sealed.
const sealedPrefix = "sealed:"

// SealText returns plain as text that only this vault can read: "sealed:…". What
// is sealed already, as it was shown and came back, and "" stay as they are.
func (v *Vault) SealText(plain string) string {
	if plain == "" || strings.HasPrefix(plain, sealedPrefix) {
		return plain
	}
	return sealedPrefix + base64.RawURLEncoding.EncodeToString(v.Seal([]byte(plain)))
}

// OpenText returns what SealText was given, and text that is not sealed as it
// is. Its errors read on after the name of the secret.
func (v *Vault) OpenText(text string) (string, error) {
	coded, ok := strings.CutPrefix(text, sealedPrefix)
	if !ok {
		return text, nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(coded)
	if err != nil {
		return "", errors.New("is not a sealed value")
	}
	plain, err := v.Open(sealed)
	if err != nil {
		return "", errors.New("was not sealed by this installation")
	}
	return string(plain), nil
}
