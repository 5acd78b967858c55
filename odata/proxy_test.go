package odata_test

import (
	"net/http/httptest"
	"net/netip"
	"testing"

	"leadloop/odata"
)

// TestOrigin: what is believed of the way a request came.
func TestOrigin(t *testing.T) {
	trusted := odata.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, peer string
		headers    [][2]string
		want       string // client scheme host prefix
	}{
		{"no proxy", "203.0.113.9:4000", nil, "203.0.113.9 http shop.test "},
		{
			"a liar", "203.0.113.9:4000",
			[][2]string{{"X-Forwarded-For", "10.0.0.1"}, {"X-Forwarded-Proto", "https"}, {"X-Forwarded-Host", "evil"}, {"X-Forwarded-Prefix", "/x"}, {"Forwarded", "host=evil"}},
			"203.0.113.9 http shop.test ",
		},
		{
			"one proxy", "10.0.0.1:1",
			[][2]string{{"X-Forwarded-For", "198.51.100.7"}, {"X-Forwarded-Proto", "https"}, {"X-Forwarded-Host", "crm.example"}, {"X-Forwarded-Prefix", "/crm/"}},
			"198.51.100.7 https crm.example /crm",
		},
		{
			"one proxy that appends", "10.0.0.1:1",
			[][2]string{{"X-Forwarded-For", "1.2.3.4, 198.51.100.7"}, {"X-Forwarded-Proto", "http, https"}, {"X-Forwarded-Host", "evil, crm.example:8443"}},
			"198.51.100.7 https crm.example:8443 ",
		},
		{
			"two proxies, the inner adds its client only", "10.0.0.2:1",
			[][2]string{{"X-Forwarded-For", "1.2.3.4, 198.51.100.7"}, {"X-Forwarded-For", "10.0.0.1"}, {"X-Forwarded-Proto", "https"}, {"X-Forwarded-Host", "crm.example"}},
			"198.51.100.7 https crm.example ",
		},
		{"proxies all the way", "10.0.0.2:1", [][2]string{{"X-Forwarded-For", "10.9.9.9, 10.0.0.1"}}, "10.9.9.9 http shop.test "},
		{"not told", "10.0.0.2:1", [][2]string{{"X-Forwarded-Proto", "https"}}, "10.0.0.2 https shop.test "},
		{
			"Forwarded", "[fd00::1]:99",
			[][2]string{{"Forwarded", `for=1.2.3.4;host=evil, For="[2001:db8::17]:4711";Proto=HTTPS;host="crm.example:444"`}},
			"2001:db8::17 https crm.example:444 ",
		},
		{
			"Forwarded by two", "10.0.0.2:1",
			[][2]string{{"Forwarded", `for=198.51.100.7;proto=https;host=crm.example`}, {"Forwarded", "for=10.0.0.1;proto=http;host=inner"}, {"X-Forwarded-Host", "evil"}, {"X-Forwarded-Prefix", "/a"}},
			"198.51.100.7 https crm.example /a",
		},
		{"a hidden client", "10.0.0.2:1", [][2]string{{"Forwarded", "for=_hidden;proto=https"}}, "invalid IP https shop.test "},
		{
			"nonsense", "10.0.0.2:1",
			[][2]string{{"X-Forwarded-Proto", "javascript"}, {"X-Forwarded-Host", `a"b/c`}, {"X-Forwarded-Prefix", "//evil.example"}},
			"10.0.0.2 http shop.test ",
		},
		{"a way up", "10.0.0.2:1", [][2]string{{"X-Forwarded-Prefix", "/a/.."}}, "10.0.0.2 http shop.test "},
		{"IPv4 in IPv6", "[::ffff:10.0.0.2]:1", [][2]string{{"X-Forwarded-For", "::ffff:198.51.100.7"}}, "198.51.100.7 http shop.test "},
	} {
		r := httptest.NewRequest("GET", "http://shop.test/shop/", nil)
		r.RemoteAddr = c.peer
		for _, h := range c.headers {
			r.Header.Add(h[0], h[1])
		}
		o := trusted.Origin(r)
		if got := o.Client.String() + " " + o.Scheme + " " + o.Host + " " + o.Prefix; got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestBehindProxy: all URLs of an answer are those the client knows.
func TestBehindProxy(t *testing.T) {
	s := newArchive(t, "sqlite", behindProxy("192.0.2.0/24")) // where httptest's requests come from
	headers := []string{"X-Forwarded-Proto: https", "X-Forwarded-Host: crm.example", "X-Forwarded-Prefix: /crm", "Accept: application/json;odata.metadata=full"}
	a := s.do(t, t.Context(), "GET /Copies?$top=2", "", append(headers, "Prefer: maxpagesize=1")...)
	if a.json["@odata.context"] != "https://crm.example/crm/shop/$metadata#Copies" {
		t.Errorf("%s", a.body)
	}
	if next, _ := a.json["@odata.nextLink"].(string); len(next) < 40 || next[:39] != "https://crm.example/crm/shop/Copies?$to" {
		t.Errorf("%s", a.body)
	}
	if id := a.json["value"].([]any)[0].(map[string]any)["@odata.id"]; id != "https://crm.example/crm/shop/Copies(VolumeCode='a',Number=1)" {
		t.Errorf("%s", a.body)
	}
	a = s.do(t, t.Context(), "POST /Books", `{"Code":"p","Title":"P"}`, headers...)
	if a.header.Get("Location") != "https://crm.example/crm/shop/Books('p')" {
		t.Errorf("%v", a.header)
	}
}
