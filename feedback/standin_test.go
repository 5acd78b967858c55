package feedback

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// thing is something in a customer's system that changes: an opportunity, an
// order.
type thing struct {
	id      int
	person  string // the id that the system gave the lead
	status  string
	changed time.Time
}

// far is a customer's system in memory. Its times are in whole seconds, as such
// systems have them.
type far struct {
	*httptest.Server
	mu       sync.Mutex
	things   []thing
	requests int
	before   func(request int) // called with the number of each request for a page
	answer   http.HandlerFunc  // in place of the system's own, if set
	token    int               // of UNAS: the number of the one that holds
	logins   int
}

func newFar(t testing.TB, handler func(f *far) http.Handler) *far {
	f := &far{}
	mux := handler(f)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		answer := f.answer
		f.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// put adds a thing, or changes the one with the id.
func (f *far) put(id int, person, status string, changed time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.things = slices.DeleteFunc(f.things, func(x thing) bool { return x.id == id })
	f.things = append(f.things, thing{id, person, status, changed.Truncate(time.Second)})
}

// respond puts answer in the place of the system's own; nil ends that.
func (f *far) respond(answer http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// page gives a page of what is newer than since, in an order.
func (f *far) page(since time.Time, offset, size int, order func(a, b thing) int) []thing {
	f.mu.Lock()
	f.requests++
	n, before := f.requests, f.before
	f.mu.Unlock()
	if before != nil {
		before(n)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []thing
	for _, x := range f.things {
		if x.changed.After(since) {
			list = append(list, x)
		}
	}
	slices.SortStableFunc(list, order)
	list = list[min(offset, len(list)):]
	return list[:min(size, len(list))]
}

func (f *far) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

// connectWise behaves like the opportunities of ConnectWise PSA: API member keys
// by Basic, clientId on every request, conditions, orderBy, pages from 1.
func connectWise(f *far) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v4_6_release/apis/3.0/sales/opportunities", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		user, password, _ := r.BasicAuth()
		if user != "acme+pub" || password != "priv-key" || r.Header.Get("clientId") != "client-1" {
			w.WriteHeader(401)
			_, _ = io.WriteString(w, `{"code":"Unauthorized","message":"Unauthorized","errors":null}`)
			return
		}
		q := r.URL.Query()
		condition, ok := strings.CutPrefix(q.Get("conditions"), "lastUpdated>[")
		since, err := time.Parse(time.RFC3339, strings.TrimSuffix(condition, "]"))
		page, badPage := strconv.Atoi(q.Get("page"))
		size, badSize := strconv.Atoi(q.Get("pageSize"))
		if !ok || err != nil || badPage != nil || badSize != nil || page < 1 || size > 1000 || q.Get("orderBy") != "lastUpdated asc" {
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"code":"InvalidObject","message":"conditions is invalid"}`)
			return
		}
		list := []map[string]any{}
		for _, x := range f.page(since, (page-1)*size, size, func(a, b thing) int { return a.changed.Compare(b.changed) }) {
			contact, _ := strconv.Atoi(x.person)
			list = append(list, map[string]any{
				"id": x.id, "name": fmt.Sprint("עסקה ", x.id), "status": map[string]any{"id": 1, "name": x.status},
				"contact": map[string]any{"id": contact}, "_info": map[string]any{"lastUpdated": x.changed.UTC().Format(time.RFC3339)},
			})
		}
		_ = json.NewEncoder(w).Encode(list)
	})
	return mux
}

// unas behaves like the orders of UNAS: a login gives a token that ends one day,
// requests and answers are XML, the newest order comes first.
func unas(f *far) http.Handler {
	mux := http.NewServeMux()
	failed := func(w http.ResponseWriter, text string) {
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8" ?><Error>`+text+`</Error>`)
	}
	mux.HandleFunc("POST /shop/login", func(w http.ResponseWriter, r *http.Request) {
		var params struct {
			XMLName xml.Name `xml:"Params"`
			ApiKey  string
		}
		if xml.NewDecoder(r.Body).Decode(&params) != nil || params.ApiKey != "unas-key" {
			failed(w, "Authentication Error")
			return
		}
		f.mu.Lock()
		f.token++
		f.logins++
		token := f.token
		f.mu.Unlock()
		fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8" ?><Login><Token>unas-token-%d</Token><Status>ok</Status></Login>`, token)
	})
	budapest, err := time.LoadLocation("Europe/Budapest")
	if err != nil {
		panic(err)
	}
	mux.HandleFunc("POST /shop/getOrder", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		token := fmt.Sprint("Bearer unas-token-", f.token)
		f.mu.Unlock()
		if r.Header.Get("Authorization") != token {
			failed(w, "Invalid token")
			return
		}
		var params struct {
			XMLName                            xml.Name `xml:"Params"`
			TimeModStart, LimitStart, LimitNum string
		}
		since, limits := int64(0), [2]int{}
		err := xml.NewDecoder(r.Body).Decode(&params)
		if err == nil {
			since, err = strconv.ParseInt(params.TimeModStart, 10, 64)
		}
		for i, text := range []string{params.LimitStart, params.LimitNum} {
			if err == nil {
				limits[i], err = strconv.Atoi(text)
			}
		}
		if err != nil {
			failed(w, "XML error")
			return
		}
		list := f.page(time.Unix(since-1, 0), limits[0], limits[1], func(a, b thing) int { return b.changed.Compare(a.changed) })
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8" ?><Orders>`)
		for _, x := range list {
			fmt.Fprintf(w, `<Order><Key>%d-1</Key><DateMod>%s</DateMod><Status><![CDATA[%s]]></Status><Currency>HUF</Currency><SumPriceGross>%d</SumPriceGross><Customer><Id>%s</Id></Customer></Order>`,
				x.id, x.changed.In(budapest).Format("2006.01.02 15:04:05"), x.status, 12700+x.id, x.person)
		}
		_, _ = io.WriteString(w, `</Orders>`)
	})
	return mux
}
