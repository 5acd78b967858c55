package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"leadloop/odata/fault"
)

// pageSize is how many rows a list shows at once.
const pageSize = 50

// query are the options of a read, "$filter" and the like.
type query map[string]string

// encode gives the options as a URL has them. Empty ones are left out.
func (q query) encode() string {
	values := url.Values{}
	for name, value := range q {
		if value != "" {
			values.Set(name, value)
		}
	}
	return strings.ReplaceAll(values.Encode(), "+", "%20")
}

// literal is text as a string of an expression.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// read asks the OData service, as the user, for what is at path below /odata/,
// such as "Customers(7)", and decodes the JSON. Its faults come through with
// their targets and positions.
//
//	customer, err := read[routing.Customer](v, "Customers(7)", query{"$expand": "Rules"})
func read[T any](v *visit, path string, q query) (T, error) {
	var out T
	body, err := v.ask(path, q, 0)
	if err == nil {
		err = json.Unmarshal(body, &out)
	}
	if err != nil {
		return out, fmt.Errorf("read %s: %w", path, err)
	}
	return out, nil
}

// list is a page of rows. After is what the next page goes on after, empty on
// the last; Count is of all rows, where $count asked for it.
type list[T any] struct {
	Rows  []T    `json:"value"`
	Count int    `json:"@odata.count"`
	Next  string `json:"@odata.nextLink"`
	After string `json:"-"`
}

// readList is read for a page of a set. $skiptoken in q is the After of the page
// before; size 0 is pageSize.
func readList[T any](v *visit, path string, size int, q query) (list[T], error) {
	var out list[T]
	if size == 0 {
		size = pageSize
	}
	body, err := v.ask(path, q, size)
	if err == nil {
		err = json.Unmarshal(body, &out)
	}
	if err != nil {
		return out, fmt.Errorf("read %s: %w", path, err)
	}
	if next, err := url.Parse(out.Next); err == nil {
		out.After = next.Query().Get("$skiptoken")
	}
	return out, nil
}

// readAll is read for all rows of a set, page by page.
func readAll[T any](v *visit, path string, q query) ([]T, error) {
	var rows []T
	for {
		page, err := readList[T](v, path, 1000, q)
		if err != nil {
			return nil, err
		}
		if rows = append(rows, page.Rows...); page.After == "" {
			return rows, nil
		}
		q = maps.Clone(q)
		q["$skiptoken"] = page.After
	}
}

func (v *visit) ask(path string, q query, size int) ([]byte, error) {
	r, err := http.NewRequestWithContext(v.ctx(), http.MethodGet, "/odata/"+path+"?"+q.encode(), nil)
	if err != nil {
		return nil, fault.New(fault.Invalid, err.Error())
	}
	r.Host, r.RequestURI = v.R.Host, r.URL.RequestURI()
	r.Header.Set("OData-Version", "4.01")
	r.Header.Set("OData-MaxVersion", "4.01")
	r.Header.Set("Accept", "application/json;odata.metadata=none;IEEE754Compatible=false")
	if size > 0 {
		r.Header.Set("Prefer", "maxpagesize="+strconv.Itoa(size))
	}
	a := answer{header: http.Header{}, status: http.StatusOK}
	v.OData.ServeHTTP(&a, r)
	if a.status < 300 {
		return a.body.Bytes(), nil
	}
	var wrong struct {
		Error struct {
			Code            fault.Code
			Message, Target string
			Details         []fault.Detail
		}
	}
	if err := json.Unmarshal(a.body.Bytes(), &wrong); err != nil {
		return nil, fmt.Errorf("status %d: %s", a.status, a.body.Bytes())
	}
	e := wrong.Error
	return nil, &fault.Error{Code: e.Code, Message: e.Message, Target: e.Target, Details: e.Details}
}

// answer keeps what the service answers.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
