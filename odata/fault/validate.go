package fault

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/go-playground/validator/v10"
)

// validate is built once: it caches what it learns of every struct.
var validate = sync.OnceValue(func() *validator.Validate {
	return validator.New(validator.WithRequiredStructEnabled())
})

// Validate checks the `validate` tags of the struct v points to. It returns nil,
// or an Invalid Error with a detail for each field that is wrong.
func Validate(v any) error {
	return FromValidator(validate().Struct(v))
}

// FromValidator turns validator's field errors into one Invalid Error: the
// first field is its target, every field a detail. Other errors and nil pass
// through.
func FromValidator(err error) error {
	var fields validator.ValidationErrors
	if !errors.As(err, &fields) {
		return err
	}
	e := &Error{Code: Invalid}
	for _, f := range fields {
		e.Details = append(e.Details, Detail{Code: Invalid, Message: describe(f), Target: path(f)})
	}
	e.Message, e.Target = e.Details[0].Message, e.Details[0].Target
	if len(e.Details) == 1 {
		e.Details = nil
	}
	return e
}

// path is the field's place inside the entity: the namespace without the
// struct's own name.
func path(f validator.FieldError) string {
	_, p, _ := strings.Cut(f.Namespace(), ".")
	return p
}

func describe(f validator.FieldError) string {
	name := path(f)
	switch f.Tag() {
	case "required":
		return name + " is required"
	case "max":
		return fmt.Sprintf("%s is longer or larger than %s", name, f.Param())
	case "min":
		return fmt.Sprintf("%s is shorter or smaller than %s", name, f.Param())
	case "oneof":
		return fmt.Sprintf("%s must be one of: %s", name, strings.ReplaceAll(f.Param(), " ", ", "))
	case "email", "url", "cidr", "uuid":
		return fmt.Sprintf("%s is not a valid %s", name, f.Tag())
	}
	return fmt.Sprintf("%s does not satisfy %s", name, strings.TrimSuffix(f.Tag()+"="+f.Param(), "="))
}
