package plan

import "testing"

func TestWithoutNulls(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                                     `{}`,
		`{"a":null}`:                             `{}`,
		`{"a":null,"b":1,"c":null}`:              `{"b":1}`,
		`{"a":1,"b":null,"c":2}`:                 `{"a":1,"c":2}`,
		`{"a":{"b":null,"c":[null,{"d":null}]}}`: `{"a":{"c":[null,{}]}}`,
		`{ "a" : null , "b" : [ 1 , true ] }`:    `{"b":[1,true]}`,
		`{"a":"null","b\"}":"x\\","c":null}`:     `{"a":"null","b\"}":"x\\"}`,
		`{"a":"\"null,","n":-1.5e9}`:             `{"a":"\"null,","n":-1.5e9}`,
		`[]`:                                     `[]`,
		`null`:                                   `null`,
		``:                                       ``,
		`{"a":`:                                  `{"a":}`, // not JSON: ends all the same
	} {
		if got := string(AppendWithoutNulls([]byte("-"), []byte(text), nil)); got != "-"+want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	keep := Kept{"a": {"b": {}}, "c": {}}
	for text, want := range map[string]string{
		`{"a":null,"b":null,"c":null}`:                  `{"a":null,"c":null}`,
		`{"a":{"a":null,"b":null,"c":null},"b":[null]}`: `{"a":{"b":null},"b":[null]}`,
		`{"a":[{"a":null,"b":{"b":null}}],"c":null}`:    `{"a":[{"b":{}}],"c":null}`,
	} {
		if got := string(AppendWithoutNulls(nil, []byte(text), keep)); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
