package store_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"leadloop/store"
	"leadloop/store/storetest"
)

func TestVaultRoundTrip(t *testing.T) {
	v := storetest.Vault()
	for _, plain := range []string{"", "a", "סוד", string(bytes.Repeat([]byte{0}, 4096))} {
		sealed := v.Seal([]byte(plain))
		if len(sealed) != len(plain)+29 {
			t.Errorf("%d bytes made %d", len(plain), len(sealed))
		}
		got, err := v.Open(sealed)
		if err != nil || string(got) != plain {
			t.Errorf("%q came back as %q, %v", plain, got, err)
		}
		if bytes.Equal(sealed, v.Seal([]byte(plain))) {
			t.Error("sealed alike twice")
		}
	}
}

func TestVaultTampered(t *testing.T) {
	v := storetest.Vault()
	sealed := v.Seal([]byte("secret"))
	for i := range sealed {
		for bit := range 8 {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1 << bit
			if _, err := v.Open(changed); !errors.Is(err, store.ErrSealed) {
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			}
		}
		if _, err := v.Open(sealed[:i]); !errors.Is(err, store.ErrSealed) {
			t.Fatalf("cut to %d: %v", i, err)
		}
	}
	if _, err := v.Open(append(bytes.Clone(sealed), 0)); !errors.Is(err, store.ErrSealed) {
		t.Error("a byte more went through")
	}
	other, err := store.OpenVault(store.NewMaster())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(sealed); !errors.Is(err, store.ErrSealed) {
		t.Error("another key opened it")
	}
}

func TestVaultKeys(t *testing.T) {
	v := storetest.Vault()
	if !bytes.Equal(v.Key("a"), v.Key("a")) || bytes.Equal(v.Key("a"), v.Key("b")) || len(v.Key("a")) != 32 {
		t.Error("keys")
	}
	if bytes.Equal(v.MAC("a", []byte("x")), v.MAC("b", []byte("x"))) || len(v.MAC("a", nil)) != 32 {
		t.Error("MACs")
	}
	// RFC 5869 and RFC 2104 as another program computes them. What is stored under
	// it must be found again by every later version.
	const want = "ae91d633eb2f45597ab4f7640311f79b440e3f480b78cabd6d1b8d5d311e78e0"
	if got := hex.EncodeToString(v.MAC("source secret", []byte("data"))); got != want {
		t.Errorf("the MAC is now %s", got)
	}
	if _, err := store.OpenVault(make([]byte, 31)); err == nil {
		t.Error("a short master key went through")
	}
}

func TestSealText(t *testing.T) {
	v := storetest.Vault()
	other, err := store.OpenVault(store.NewMaster())
	if err != nil {
		t.Fatal(err)
	}
	sealed := v.SealText("hunter2")
	if strings.Contains(sealed, "hunter2") || v.SealText(sealed) != sealed || v.SealText("") != "" {
		t.Errorf("sealed as %q", sealed)
	}
	for text, want := range map[string]string{sealed: "hunter2", "plain": "plain", "": ""} {
		if got, err := v.OpenText(text); got != want || err != nil {
			t.Errorf("%q opens as %q, %v", text, got, err)
		}
	}
	for text, problem := range map[string]string{"sealed:???": "is not a sealed value", "sealed:AAAA": "was not sealed by this installation"} {
		if _, err := v.OpenText(text); err == nil || err.Error() != problem {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := other.OpenText(sealed); err == nil {
		t.Error("another vault opened it")
	}
}
