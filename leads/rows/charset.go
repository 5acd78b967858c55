package rows

import (
	"strings"

	"golang.org/x/text/encoding/charmap"

	"leadloop/odata/fault"
)

// charsets are the character sets, besides UTF-8, that files and forms are still
// written in.
var charsets = map[string]*charmap.Charmap{
	"windows-1255": charmap.Windows1255, "cp1255": charmap.Windows1255,
	"iso-8859-8": charmap.ISO8859_8, "iso-8859-8-i": charmap.ISO8859_8,
	"windows-1252": charmap.Windows1252, "iso-8859-1": charmap.Windows1252, "latin1": charmap.Windows1252,
	"windows-1250": charmap.Windows1250, "iso-8859-2": charmap.ISO8859_2,
	"windows-1251": charmap.Windows1251,
}

// Charset returns the decoder of the character set called name, or nil for
// UTF-8. Unsupported for one that is not known.
func Charset(name string) (*charmap.Charmap, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "" || name == "utf-8" || name == "utf8" || name == "us-ascii" {
		return nil, nil
	}
	if c := charsets[name]; c != nil {
		return c, nil
	}
	return nil, fault.Newf(fault.Unsupported, "the character set %s is not known", name)
}

// legacyCharset is the character set in which spreadsheets of a country save
// text that is not Unicode.
func legacyCharset(region string) string {
	switch region {
	case "IL":
		return "windows-1255"
	case "PL", "CZ", "SK", "HU", "RO", "SI", "HR":
		return "windows-1250"
	case "RU", "UA", "BY", "BG", "KZ":
		return "windows-1251"
	}
	return "windows-1252"
}
