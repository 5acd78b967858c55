package keys

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestBase62IsFixedWidth(t *testing.T) {
	tests := []struct {
		in    []byte
		width int
		want  string
	}{
		{[]byte{0}, 3, "000"},
		{[]byte{61}, 3, "00z"},
		{[]byte{62}, 3, "010"},
		{bytes.Repeat([]byte{0xff}, 4), 6, "4gfFC3"},
		{bytes.Repeat([]byte{0xff}, 32), 43, "yeFunC5sLu1DqlK1yO3HxUnjbs7wOeMm9jCsWDqL2I7"},
		{bytes.Repeat([]byte{0}, 32), 43, strings.Repeat("0", 43)},
	}
	for _, tt := range tests {
		got := base62(tt.in, tt.width)
		if len(got) != tt.width {
			t.Errorf("base62(%x) has %d digits, want %d", tt.in, len(got), tt.width)
		}
		if tt.width < 43 && got != tt.want {
			t.Errorf("base62(%x) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestComposedKeysParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")
		secret := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "secret")
		keyID, key := compose(id, secret)
		if got, ok := parse(key); !ok || got != keyID {
			t.Fatalf("parse(%q) = %q, %v; want %q", key, got, ok, keyID)
		}
		if m := Pattern.FindString("key=" + key + "."); m != key {
			t.Fatalf("Pattern found %q in %q", m, key)
		}
		i := rapid.IntRange(0, len(key)-1).Draw(t, "at")
		c := rapid.SampledFrom([]byte(digits+"_-é\x00")).Draw(t, "byte")
		if bad := key[:i] + string([]byte{c}) + key[i+1:]; bad != key {
			if _, ok := parse(bad); ok {
				t.Fatalf("parse took %q, which differs from %q at %d", bad, key, i)
			}
		}
	})
}

func TestParseRefusesJunk(t *testing.T) {
	_, key := compose(make([]byte, 16), make([]byte, 32))
	for _, junk := range []string{
		"", "x", Prefix, key[1:], key + "0", key[:len(key)-1], " " + key, strings.ToLower(key) + "A",
		strings.Replace(key, "live", "test", 1), "Bearer " + key, strings.Repeat("0", keyLength),
	} {
		if _, ok := parse(junk); ok {
			t.Errorf("parse took %q", junk)
		}
	}
}
