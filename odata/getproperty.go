package odata

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/plan"
	"leadloop/odata/sqlgen"
	"leadloop/odata/uri"
)

// getProperty answers with a property of an entity, its raw value, or the number
// of its elements (Protocol 4.01, section 11.2.4).
func (q *request) getProperty(ctx context.Context, t *target) error {
	if err := q.propertyOptions(t); err != nil {
		return err
	}
	r, err := q.entity(t.entity(), &uri.Query{})
	if err != nil {
		return err
	}
	if len(t.props) > 0 && r.Var.Property(t.props[0].Name) == nil {
		return fault.Newf(fault.NotFound, "%s cannot be read", t.propertyName())
	}
	if t.count {
		return q.getElements(ctx, t, r)
	}
	p, found, err := q.readProperty(ctx, t, r)
	if err != nil {
		return err
	}
	if !found {
		return notFound(t)
	}
	if done, err := q.conditional(p.etag); done || err != nil {
		return err
	}
	if t.raw {
		return q.sendRaw(p)
	}
	return q.showProperty(t, p)
}

// propertyOptions refuses the query options that are not served here, or do not
// apply.
func (q *request) propertyOptions(t *target) error {
	for _, option := range q.query.Names() {
		switch {
		case option == "$format" && !t.count && !t.raw, option == "$filter" && t.count:
			continue
		}
		if p, ok := t.last().(edm.Primitive); ok && p != edm.Untyped || t.count || t.raw {
			return fault.Newf(fault.Invalid, "%s does not apply to %s", option, t.propertyName()).At(option)
		}
		return fault.Newf(fault.NotImplemented, "%s on a property is not served", option).At(option)
	}
	return nil
}

// propertyRead is a property as it was read.
type propertyRead struct {
	text string // JSON: an object, with the member value unless it is the value; "" for null
	etag string
	path string // of its entity, relative to the service root
}

// readProperty reads the property t of the entity of r; found is false if there
// is no such entity.
func (q *request) readProperty(ctx context.Context, t *target, r *plan.Read) (p *propertyRead, found bool, err error) {
	rows, err := q.run(ctx, func(d sqlgen.Dialect) sqlgen.Statement { return sqlgen.Property(d, r, t.props, t.dynamic) })
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	var text, etag, path sql.NullString
	if rows.Next() {
		found = true
		err = rows.Scan(&text, &etag, &path)
	}
	p = &propertyRead{text.String, etag.String, path.String}
	if _, structured := t.last().(*edm.Struct); structured && p.text == "null" || !structured && strings.ReplaceAll(p.text, " ", "") == `{"value":null}` {
		p.text = ""
	}
	return p, found, errors.Join(err, rows.Err())
}

// showProperty sends a property in JSON (JSON Format 4.01, section 11), with the
// context URL of Protocol 4.01, section 10.13. Null is no content.
func (q *request) showProperty(t *target, p *propertyRead) error {
	if p.text == "" {
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	text := []byte(p.text)
	if q.omitNulls {
		text = plan.AppendWithoutNulls(nil, text, nil)
	}
	if tag := plan.TypeTag(t.last()); tag != "" && q.format.metadata == "full" {
		more := `{"@odata.type":` + quote(tag)
		if string(text) != "{}" {
			more += ","
		}
		text = append([]byte(more), text[1:]...)
	}
	q.sendEntity(http.StatusOK, q.root()+"$metadata#"+p.path+"/"+t.propertyName(), text)
	return nil
}

// sendRaw sends the raw value of a property (Protocol 4.01, section 11.2.4.1).
func (q *request) sendRaw(p *propertyRead) error {
	if p.text == "" {
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	var body struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal([]byte(p.text), &body); err != nil {
		return err
	}
	var text string
	if json.Unmarshal(body.Value, &text) != nil {
		text = string(body.Value)
	}
	return q.sendText(text)
}

// getElements answers with the number of elements of the collection t.
func (q *request) getElements(ctx context.Context, t *target, r *plan.Read) error {
	var path uri.Expr
	for i, p := range t.props {
		if i == 0 {
			path = &uri.Name{Name: p.Name}
		} else {
			path = &uri.Member{X: path, Name: p.Name}
		}
	}
	x, err := q.binder().Bind(&uri.Count{X: path, Filter: q.query.Filter}, r.Var, "$filter", q.query.Aliases, nil)
	if err != nil {
		return err
	}
	var n int64
	found, err := q.one(ctx, &n, func(d sqlgen.Dialect) sqlgen.Statement { return sqlgen.Value(d, r, x) })
	if err != nil {
		return err
	}
	if !found {
		return notFound(t)
	}
	return q.sendText(strconv.FormatInt(n, 10))
}
