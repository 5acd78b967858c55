package edm_test

import (
	"strings"
	"testing"

	"leadloop/odata/edm"
)

// TestRefusals: what cannot be served as declared is an error when the model is
// built, and no surprise in an answer.
func TestRefusals(t *testing.T) {
	type hidden struct {
		Shown  string
		Hidden string `odata:"-"`
	}
	type silent struct {
		Shown  string
		Hidden string `json:"-"`
	}
	for _, c := range []struct {
		model any
		want  string
	}{
		{&struct {
			ID    int64
			Value []hidden `gorm:"serializer:json"`
		}{}, `is hidden by json:"-" only`},
		{&struct {
			ID    int64
			Value []silent `gorm:"serializer:json"`
		}{}, ""},
		{&struct{ Name string }{}, "no primary key"},
	} {
		_, err := edm.StructOf(c.model)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: %v, want %s", c.model, err, c.want)
		}
	}
}
