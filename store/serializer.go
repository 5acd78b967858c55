package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"gorm.io/gorm/schema"
)

// The columns that hold JSON are NOT NULL and are sent to callers as they are,
// so a nil slice must be stored as [] and a nil map as {}, where GORM's own
// serializer stores NULL.
func init() { schema.RegisterSerializer("json", jsonSerializer{}) }

// jsonSerializer is what the tag `gorm:"serializer:json"` means in this program.
type jsonSerializer struct{ schema.JSONSerializer }

// Value gives the JSON text of fieldValue, and NULL for a nil pointer or
// interface.
func (jsonSerializer) Value(_ context.Context, field *schema.Field, _ reflect.Value, fieldValue any) (any, error) {
	if v := reflect.ValueOf(fieldValue); !v.IsValid() || isNil(v) {
		switch field.FieldType.Kind() {
		case reflect.Slice:
			return "[]", nil
		case reflect.Map:
			return "{}", nil
		}
		return nil, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(fieldValue); err != nil {
		return nil, fmt.Errorf("store: %s as JSON: %w", field.Name, err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface:
		return v.IsNil()
	}
	return false
}
