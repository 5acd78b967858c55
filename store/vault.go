package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// vaultVersion is the first byte of everything sealed, so that a later form can
// be told from this one.
const vaultVersion = 1

// minMaster is the least length of a master key, in bytes.
const minMaster = 32

// ErrSealed is returned by Vault.Open for bytes that this vault did not seal, or
// that were changed since.
var ErrSealed = errors.New("store: not sealed by this key, or changed since")

// Vault seals secrets and makes keyed hashes, all under one master key. It is
// safe for concurrent use.
type Vault struct {
	master []byte
	seal   cipher.AEAD
}

// OpenVault returns the vault of a master key of at least 32 random bytes. The
// slice is not kept.
func OpenVault(master []byte) (*Vault, error) {
	if len(master) < minMaster {
		return nil, fmt.Errorf("store: a master key has at least %d bytes, this one has %d", minMaster, len(master))
	}
	v := &Vault{master: append([]byte(nil), master...)}
	block, err := aes.NewCipher(v.Key("vault seal"))
	if err != nil {
		return nil, fmt.Errorf("store: vault: %w", err)
	}
	if v.seal, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, fmt.Errorf("store: vault: %w", err)
	}
	return v, nil
}

// Seal returns plain encrypted and authenticated: a version byte, a random nonce
// of 12 bytes, then AES-256-GCM's output, 29 bytes more than plain in all.
func (v *Vault) Seal(plain []byte) []byte {
	return v.seal.Seal([]byte{vaultVersion}, nil, plain, []byte{vaultVersion})
}

// Open returns what Seal was given, or ErrSealed.
func (v *Vault) Open(sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != vaultVersion {
		return nil, ErrSealed
	}
	plain, err := v.seal.Open(nil, nil, sealed[1:], sealed[:1])
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// MAC returns the HMAC-SHA256 of data, 32 bytes, under Key(purpose). Compare
// with hmac.Equal.
func (v *Vault) MAC(purpose string, data []byte) []byte {
	h := hmac.New(sha256.New, v.Key(purpose))
	h.Write(data)
	return h.Sum(nil)
}

// Key returns the 32 bytes that HKDF-SHA256 derives from the master key for
// purpose: always the same for one purpose, and unrelated between purposes.
func (v *Vault) Key(purpose string) []byte {
	key, err := hkdf.Key(sha256.New, v.master, nil, "leadloop "+purpose, sha256.Size)
	if err != nil {
		panic("store: hkdf: " + err.Error()) // only for a length HKDF cannot give
	}
	return key
}

// NewMaster returns 32 random bytes, fit for OpenVault.
func NewMaster() []byte {
	master := make([]byte, minMaster)
	rand.Read(master) // never fails since Go 1.24
	return master
}
