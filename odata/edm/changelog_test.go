package edm_test

import (
	"fmt"
	"reflect"
	"testing"

	"leadloop/odata/edm"
)

// TestChangeLogBits: a change of one column is never told as one of another.
func TestChangeLogBits(t *testing.T) {
	s := &edm.Struct{Name: "Wide", Table: "wides", GoType: reflect.TypeFor[struct{}]()}
	for i := range 60 {
		p := &edm.Property{Name: fmt.Sprint("P", i), Column: fmt.Sprint("p", i), Type: edm.Int64, Key: i == 0}
		s.Properties = append(s.Properties, p)
	}
	s.Key, s.ETag = s.Properties[:1], s.Properties[59]
	l, err := edm.NewChangeLog(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int64]string{edm.Through: "a related entity"}
	for _, p := range s.Properties {
		bit := l.Bit(p)
		if bit == 0 || bit&(bit-1) != 0 || seen[bit] != "" {
			t.Errorf("%s has the bit %x, as has %q", p.Name, bit, seen[bit])
		}
		seen[bit] = p.Name
	}
}
