package batch_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/odata/batch"
	"leadloop/odata/fault"
)

var limits = batch.Limits{Parts: 10, ChangeSet: 3}

// crlf gives text the line ends of the wire.
func crlf(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

// show prints requests, one a line.
func show(requests []batch.Request) string {
	var b strings.Builder
	for _, q := range requests {
		fmt.Fprintf(&b, "%s %s %s", q.ID, q.Method, q.URL)
		for _, name := range []string{"Accept", "Content-Type", "If-Match", "Prefer"} {
			if v := q.Header.Get(name); v != "" {
				fmt.Fprintf(&b, " %s=%s", name, v)
			}
		}
		if q.Group != "" {
			fmt.Fprintf(&b, " in %s", q.Group)
		}
		if len(q.DependsOn) > 0 {
			fmt.Fprintf(&b, " after %s", strings.Join(q.DependsOn, ","))
		}
		if q.If != "" {
			fmt.Fprintf(&b, " if %s", q.If)
		}
		if q.Body != nil {
			fmt.Fprintf(&b, " body %q", q.Body)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// multiparts are bodies as clients send them; b is the boundary.
var multiparts = []struct{ name, body, want string }{
	{"the specification's example", crlf(`--b
Content-Type: application/http

GET /service/Customers('ALFKI')
Host: host


--b
Content-Type: multipart/mixed; boundary=changeset_77162fcd

--changeset_77162fcd
Content-Type: application/http
Content-ID: 1

POST /service/Customers HTTP/1.1
Host: host
Content-Type: application/json
Content-Length: 12

{"ID":"new"}
--changeset_77162fcd
Content-Type: application/http
Content-ID: 2

PATCH /service/Customers('ALFKI') HTTP/1.1
Host: host
Content-Type: application/json
If-Match: xxxxx
Prefer: return=minimal

{"A":1}
--changeset_77162fcd--
--b
Content-Type: application/http

GET /service/Products HTTP/1.1
Host: host


--b--
`), ` GET /service/Customers('ALFKI')
1 POST /service/Customers Content-Type=application/json in changeset_1 body "{\"ID\":\"new\"}"
2 PATCH /service/Customers('ALFKI') Content-Type=application/json If-Match=xxxxx Prefer=return=minimal in changeset_1 body "{\"A\":1}"
 GET /service/Products
`},
	{"line feeds alone, no line end after the closing boundary", `--b
content-type: APPLICATION/HTTP; msgtype=request
CONTENT-id: a

get People(1) http/1.1
ACCEPT: application/json

--b
Content-Type: application/http

DELETE People(1) HTTP/1.1

--b--`, "a GET People(1) Accept=application/json\n DELETE People(1)\n"},
	{"text around, padding behind boundaries, headers without space", crlf(`This is a message in many parts.
--bb
--b ` + "\t" + `
Content-Type:application/http
Content-Transfer-Encoding:binary

GET EMPLOYEES?$skip=0&$top=5 HTTP/1.1
Accept:application/json;odata.metadata=minimal
Content-Type:application/json;charset=UTF-8


--b--
Group ID: $auto
--b
not read
`), " GET EMPLOYEES?$skip=0&$top=5 Accept=application/json;odata.metadata=minimal Content-Type=application/json;charset=UTF-8\n"},
	{"boundaries that begin alike; a name in the request's header; a wrong length", crlf(`--b
Content-Type: multipart/mixed;boundary="b-1"

--b-1
Content-Type: application/http

POST A HTTP/1.1
Content-ID: 7
Content-Length: 5000

{}
--b-1--

--b--
`), "7 POST A in changeset_1 body \"{}\"\n"},
	{"a length that leaves out what follows", crlf(`--b
Content-Type: application/http

PUT A/$value HTTP/1.1
Content-Type: text/plain
Content-Length: 2

x

--b--
`), " PUT A/$value Content-Type=text/plain body \"x\\r\"\n"},
	{
		"no empty line, spaces in the URL, empty lines before", "--b\nContent-Type: application/http\n\n\n\nGET A?$filter=B eq 'HTTP/ x'  HTTP/1.1\n--b\nContent-Type: application/http\n\nGET http://h:1/s/A(1) HTTP/1.1\nX: y\n--b--\n",
		" GET A?$filter=B eq 'HTTP/ x'\n GET http://h:1/s/A(1)\n",
	},
	{"nothing", "--b--", ""},
}

func TestReadMultipart(t *testing.T) {
	for _, c := range multiparts {
		got, err := batch.ReadMultipart([]byte(c.body), "b", limits)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if diff := cmp.Diff(c.want, show(got)); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

// wrap makes a batch of parts.
func wrap(boundary string, parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("--" + boundary + "\n" + p + "\n")
	}
	return b.String() + "--" + boundary + "--\n"
}

const get = "Content-Type: application/http\n\nGET A HTTP/1.1\n\n"

func post(id string) string {
	return "Content-Type: application/http\nContent-ID: " + id + "\n\nPOST A HTTP/1.1\n\n{}"
}

func set(parts ...string) string {
	return "Content-Type: multipart/mixed; boundary=c\n\n" + wrap("c", parts...)
}

func TestBadMultipart(t *testing.T) {
	many := strings.Split(strings.TrimSuffix(strings.Repeat(get+"|", 11), "|"), "|")
	for _, c := range []struct{ body, boundary, want string }{
		{wrap("b", get), "", "names no boundary"},
		{"", "b", "no line with the boundary, --b"},
		{wrap("c", get), "b", "no line with the boundary, --b"},
		{"--b\n" + get, "b", "closing boundary, --b--, is missing"},
		{"--b\n" + get + "\n--b", "b", "closing boundary, --b--, is missing"},
		{wrap("b", get, "Content-Type: text/plain\n\nGET A HTTP/1.1\n"), "b", `part 2: the Content-Type of a part must be application/http or multipart/mixed, not "text/plain"`},
		{wrap("b", "GET A HTTP/1.1\n"), "b", `part 1: "GET A HTTP/1.1" is not a header`},
		{wrap("b", ""), "b", `not ""`},
		{wrap("b", "Content-Type: application/http\n\n"), "b", `part 1: "" is not a request line`},
		{wrap("b", "Content-Type: application/http\n\nGET HTTP/1.1\n"), "b", `"GET HTTP/1.1" is not a request line`},
		{wrap("b", "Content-Type: application/http\n\nG(T A HTTP/1.1\n"), "b", "is not a request line"},
		{wrap("b", "Content-Type: application/http\n\nGET A HTTP/1.1\nA b: c\n\n"), "b", `"A b: c" is not a header`},
		{wrap("b", "Content-Type: application/http\n\nGET A HTTP/1.1\nA: b\x00\n\n"), "b", "is not a header"},
		{wrap("b", "Content-Type: application/http\n\nGET A HTTP/1.1\n"+strings.Repeat("A: b\n", 101)), "b", "more than 100 headers"},
		{wrap("b", "Content-Type: application/http\n\nPOST A HTTP/1.1\nTransfer-Encoding: chunked\n\n0\n\n"), "b", "part 1/Transfer-Encoding: Transfer-Encoding (chunked) inside a batch is not served"},
		{wrap("b", post("1"), post("1")), "b", "part 2/Content-ID: the Content-ID 1 is given twice"},
		{wrap("b", post("a b")), "b", `"a b" cannot be a Content-ID`},
		{wrap("b", set(post("1"), get)), "b", "part 1/part 2: a change set cannot hold a GET request"},
		{wrap("b", set(set(post("1")))), "b", "a change set cannot hold another one"},
		{wrap("b", set()), "b", "the change set is empty"},
		{wrap("b", "Content-Type: multipart/mixed\n\n--c\n"), "b", "names no boundary"},
		{wrap("b", "Content-Type: multipart/mixed; boundary=c\n\n--c\n"+post("1")), "b", "--c--, is missing"},
		{wrap("b", many...), "b", "more than 10 requests (limit BatchParts)"},
		{wrap("b", set(post("1"), post("2"), post("3"), post("4"))), "b", "more than 3 requests (limit ChangeSet)"},
		{wrap("b", set(post("1"), post("2"), post("3")), set(post("4"), post("5"), post("6")), set(post("7"), post("8"), post("9")), set(post("10"), post("11"))), "b", "limit BatchParts"},
	} {
		_, err := batch.ReadMultipart([]byte(c.body), c.boundary, limits)
		if err == nil || !strings.Contains(err.Error(), c.want) || fault.CodeOf(err) == fault.Internal {
			t.Errorf("%.200q: got %v, want %s", c.body, err, c.want)
		}
	}
}

var jsons = []struct{ name, body, want string }{
	{
		"the specification's example", `{"requests":[
{"id":"0","method":"get","url":"/service/Customers('ALFKI')"},
{"id":"1","atomicityGroup":"group1","dependsOn":["0"],"method":"patch","url":"/service/Customers('ALFKI')","headers":{"Prefer":"return=minimal"},"body":{"A": 1.50}},
{"id":"2","atomicityGroup":"group1","method":"POST","url":"/service/Customers","body":{"B":"\u05d0"}},
{"id":"3","dependsOn":["group1"],"method":"get","url":"/service/Products"}]}`,
		`0 GET /service/Customers('ALFKI')
1 PATCH /service/Customers('ALFKI') Content-Type=application/json Prefer=return=minimal in group1 after 0 body "{\"A\": 1.50}"
2 POST /service/Customers Content-Type=application/json in group1 body "{\"B\":\"\\u05d0\"}"
3 GET /service/Products after group1
`,
	},
	{
		"bodies by media type", `{"@a.b":{"x":[1]},"requests":[
{"id":"a","method":"put","url":"A/$value","headers":{"content-type":"text/plain;charset=utf-8"},"body":"x\ny"},
{"id":"b","method":"put","url":"A/$value","headers":{"content-type":"image/png"},"body":"-_8="},
{"id":"c","method":"put","url":"A/$value","headers":{"CONTENT-TYPE":"image/png"},"body":"-_8"},
{"id":"d","method":"post","url":"A","headers":{"content-type":"application/vnd.x+json"},"body":[1]},
{"id":"e","method":"post","url":"A","headers":{"content-type":"application/json;IEEE754Compatible=true"},"body":"5"},
{"id":"f","method":"delete","url":"A(1)","body":null,"headers":null,"dependsOn":null,"atomicityGroup":null,"if":null,"@x.y":1}]}`,
		"a PUT A/$value Content-Type=text/plain;charset=utf-8 body \"x\\ny\"\n" +
			"b PUT A/$value Content-Type=image/png body \"\\xfb\\xff\"\n" +
			"c PUT A/$value Content-Type=image/png body \"\\xfb\\xff\"\n" +
			"d POST A Content-Type=application/vnd.x+json body \"[1]\"\n" +
			"e POST A Content-Type=application/json;IEEE754Compatible=true body \"\\\"5\\\"\"\n" +
			"f DELETE A(1)\n",
	},
	{
		"a condition", `{"requests":[{"id":"a","method":"get","url":"A"},{"id":"b","method":"get","url":"$a/B","dependsOn":["a"],"if":"$a/$succeeded"}]}`,
		"a GET A\nb GET $a/B after a if $a/$succeeded\n",
	},
	{"nothing", ` {"requests":[]} `, ""},
}

func TestReadJSON(t *testing.T) {
	for _, c := range jsons {
		got, err := batch.ReadJSON([]byte(c.body), limits)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if diff := cmp.Diff(c.want, show(got)); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

func TestBadJSON(t *testing.T) {
	request := func(more string) string { return `{"id":"2","method":"post","url":"A"` + more + `}` }
	in := func(group string, ids ...string) string {
		var list []string
		for _, id := range ids {
			list = append(list, `{"id":"`+id+`","method":"post","url":"A","atomicityGroup":"`+group+`"}`)
		}
		return strings.Join(list, ",")
	}
	batchOf := func(requests ...string) string {
		return `{"requests":[{"id":"1","method":"get","url":"A"},` + strings.Join(requests, ",") + `]}`
	}
	for _, c := range []struct{ body, want string }{
		{``, "empty or ends inside"},
		{`{"requests":[`, "empty or ends inside"},
		{`[]`, "a batch must be a JSON object"},
		{`{}`, `must have the member "requests"`},
		{`null`, `must have the member "requests"`},
		{`{"requests":{}}`, "requests must be an array"},
		{`{"requests":[]} 1`, "more than one JSON value"},
		{`{"requests":[],"requests":[]}`, `"requests" is given twice`},
		{"{\"requests\":[\"\xff\"]}", "UTF-8"},
		{`{"requests":[5]}`, "requests/0: a request must be a JSON object"},
		{`{"requests":[{]}`, "is not valid JSON"},
		{batchOf(`{"id":"2","method":"get"}`), `requests/1: a request must have the member "url"`},
		{batchOf(`{"id":"2","url":"A"}`), `must have the member "method"`},
		{batchOf(`{"method":"get","url":"A"}`), `must have the member "id"`},
		{batchOf(`{"id":2,"method":"get","url":"A"}`), "requests/1/id: expected a string, found number"},
		{batchOf(`{"id":"","method":"get","url":"A"}`), "not an empty one"},
		{batchOf(`{"id":"a\r\nb","method":"get","url":"A"}`), "cannot be an id"},
		{batchOf(`{"id":"1","method":"get","url":"A"}`), "requests/1/id: the id 1 is given twice"},
		{batchOf(request(`,"id":"3"`)), `requests/1/id: "id" is given twice`},
		{batchOf(`{"id":"2","method":"head","url":"A"}`), `requests/1/method: expected get, post, patch, put or delete, found "HEAD"`},
		{batchOf(`{"id":"2","method":"get","url":"A","body":{}}`), "requests/1/body: a get request takes no body"},
		{batchOf(request(`,"atomicitygroup":"g"`)), `there is no member "atomicitygroup"`},
		{batchOf(request(`,"headers":{"a":"1","a":"2"}`)), `"a" is given twice`},
		{batchOf(request(`,"headers":{"a":1}`)), "requests/1/headers/a: expected a string"},
		{batchOf(request(`,"headers":{"a":"x\r\nb: c"}`)), "this is not a header"},
		{batchOf(request(`,"headers":{"content-type":"text/plain"},"body":{}`)), "must be a string"},
		{batchOf(request(`,"headers":{"content-type":"image/png"},"body":"%"`)), "must be base64url"},
		{batchOf(request(`,"headers":{"transfer-encoding":"gzip"},"body":"%"`)), "Transfer-Encoding (gzip) inside a batch is not served"},
		{batchOf(request(`,"dependsOn":"1"`)), "expected an array of strings"},
		{batchOf(request(`,"dependsOn":["3"]`), `{"id":"3","method":"get","url":"A"}`), `requests/1/dependsOn: "3" is no request or group before`},
		{batchOf(request(`,"dependsOn":["2"]`)), "is no request or group before"},
		{batchOf(in("g", "2"), `{"id":"3","method":"post","url":"A","atomicityGroup":"g","dependsOn":["g"]}`), "is no request or group before"},
		{batchOf(in("g", "2"), in("h", "3"), in("g", "4")), "requests/3/atomicityGroup: the requests of the group g are not adjacent"},
		{batchOf(in("1", "2")), "1 is the id of a request"},
		{batchOf(in("g", "2"), in("h", "g")), "the id g is given twice"},
		{batchOf(in("g", "g")), "the id g is given twice"},
		{batchOf(in("g h", "2")), "cannot name a group"},
		{batchOf(in("g", "2", "3", "4", "5")), "limit ChangeSet"},
		{batchOf(in("g", "2", "3"), in("h", "4", "5", "6"), in("i", "7", "8", "9"), in("j", "10", "11")), "limit BatchParts"},
	} {
		_, err := batch.ReadJSON([]byte(c.body), limits)
		if err == nil || !strings.Contains(err.Error(), c.want) || fault.CodeOf(err) == fault.Internal {
			t.Errorf("%s: got %v, want %s", c.body, err, c.want)
		}
	}
}

func TestReference(t *testing.T) {
	for url, want := range map[string]string{
		"$1": "1|", "$1/Orders": "1|/Orders", "$0.0?$top=1": "0.0|?$top=1", "$a-b_c~d/X": "a-b_c~d|/X",
		"": "-", "A": "-", "$": "-", "$/A": "-", "$metadata": "-", "$entity?$id=A": "-", "$crossjoin(A)": "-", "$1(2)": "-", "A/$1": "-",
	} {
		got := "-"
		if id, rest, ok := batch.Reference(url); ok {
			got = id + "|" + rest
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
}

func TestReplaceReferences(t *testing.T) {
	resolve := func(id string) (string, bool, error) {
		switch id {
		case "1":
			return "http://h/Makers('a\"b')", true, nil
		case "bad":
			return "", true, fault.New(fault.FailedDependency, "it failed")
		}
		return "", false, nil
	}
	for _, c := range []struct{ body, want string }{
		{`{"Maker@odata.bind" : "$1" , "Name":"$1"}`, `{"Maker@odata.bind" : "http://h/Makers('a\"b')" , "Name":"$1"}`},
		{`{"Maker":{"@id":"$1/Boss"},"N":1.50}`, `{"Maker":{"@id":"http://h/Makers('a\"b')/Boss"},"N":1.50}`},
		{`{"Tags@odata.bind":["$1","$2",["x"],"$1"],"B":["$1"],"@odata.id":"$1"}`, `{"Tags@odata.bind":["http://h/Makers('a\"b')","$2",["x"],"http://h/Makers('a\"b')"],"B":["$1"],"@odata.id":"http://h/Makers('a\"b')"}`},
		{`{"A@bind":"$metadata","x":{"@id":"$2"}}`, `{"A@bind":"$metadata","x":{"@id":"$2"}}`},
		{`"$1"`, `"$1"`},
		{`{"@id":"$1"`, `{"@id":"http://h/Makers('a\"b')"`},
		{`{"@id":"$1"]`, `{"@id":"http://h/Makers('a\"b')"]`},
		{`{"@id":"$bad"}`, "error: $: it failed"},
		{strings.Repeat("[", 1000) + `"$1"`, strings.Repeat("[", 1000) + `"$1"`},
	} {
		got, err := batch.ReplaceReferences([]byte(c.body), resolve)
		text := string(got)
		if err != nil {
			text = "error: $: it failed"
		}
		if text != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.body, text, c.want)
		}
	}
}
