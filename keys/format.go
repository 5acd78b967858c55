package keys

import (
	"hash/crc32"
	"math/big"
	"regexp"
	"strings"
)

// Prefix begins every key, so that a key is told from a staff token at a glance
// and a leaked one is found by scanners.
const Prefix = "ll_live_"

// Lengths of a key's parts, in base62 digits.
const (
	idDigits     = 10
	secretDigits = 43 // 62^43 > 2^256
	crcDigits    = 6  // 62^6 > 2^32
	keyLength    = len(Prefix) + idDigits + 1 + secretDigits + crcDigits
)

// Pattern is the published form of a key, for secret scanners: the prefix, ten
// base62 digits of key id, an underscore, 43 digits of secret and six of a
// CRC-32 (IEEE) over everything before it.
var Pattern = regexp.MustCompile(`\bll_live_[0-9A-Za-z]{10}_[0-9A-Za-z]{49}\b`)

// loose is whatever begins as a key does: one that is cut short or longer is as near
// to a key as a right one.
var loose = regexp.MustCompile(Prefix + `\w*`)

// Mask is text without the keys in it, to be kept or logged.
func Mask(text string) string {
	if !strings.Contains(text, Prefix) {
		return text
	}
	return loose.ReplaceAllString(text, "***")
}

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// isDigit marks the bytes that are base62 digits.
var isDigit = func() (t [256]bool) {
	for i := range len(digits) {
		t[digits[i]] = true
	}
	return t
}()

// base62 writes the big-endian number b in its low width base62 digits.
func base62(b []byte, width int) string {
	n, base, digit := new(big.Int).SetBytes(b), big.NewInt(int64(len(digits))), new(big.Int)
	out := make([]byte, width)
	for i := width - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		out[i] = digits[digit.Int64()]
	}
	return string(out)
}

// compose builds a key from 16 random bytes for its id and 32 for its secret.
func compose(id, secret []byte) (keyID, key string) {
	keyID = base62(id, idDigits)
	body := Prefix + keyID + "_" + base62(secret, secretDigits)
	sum := checksum(body)
	return keyID, body + string(sum[:])
}

// parse returns the key id inside key, and false for anything that Issue cannot
// have made. It needs no database, so junk costs nothing.
func parse(key string) (id string, ok bool) {
	if len(key) != keyLength || key[:len(Prefix)] != Prefix {
		return "", false
	}
	const sep = len(Prefix) + idDigits
	for i := len(Prefix); i < keyLength; i++ {
		if !isDigit[key[i]] && i != sep {
			return "", false
		}
	}
	if key[sep] != '_' {
		return "", false
	}
	body := key[:keyLength-crcDigits]
	sum := checksum(body)
	return key[len(Prefix):sep], string(sum[:]) == key[len(body):]
}

func checksum(body string) (sum [crcDigits]byte) {
	n := crc32.ChecksumIEEE([]byte(body))
	for i := crcDigits - 1; i >= 0; i-- {
		sum[i] = digits[n%62]
		n /= 62
	}
	return sum
}
