package odata

import (
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks of the proxies that a program believes: what a
// request says of the way it came, in Forwarded (RFC 7239) or the X-Forwarded
// headers, counts where it comes from one of them.
//
// Each proxy adds to the lists of the one before it. So they are read from
// their end, as far as trusted addresses go; what stands before that may be the
// client's invention.
type Proxies []netip.Prefix

// Origin is where a request really came from, and what it asked for there.
type Origin struct {
	Client netip.Addr // not valid where a proxy does not tell
	Scheme string     // "http" or "https"
	Host   string
	Prefix string // of paths, that a proxy took away: "/crm", or ""
}

// Origin returns the origin of r.
func (p Proxies) Origin(r *http.Request) Origin {
	o := Origin{Scheme: "http", Host: r.Host}
	if r.TLS != nil {
		o.Scheme = "https"
	}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		o.Client = peer.Addr().Unmap()
	}
	if !p.trust(o.Client) {
		return o
	}
	hop := p.forwarded(r.Header)
	if hop == nil {
		hop = p.xForwarded(r.Header)
	}
	if name, told := hop["for"]; told {
		o.Client = node(name)
	}
	if proto := strings.ToLower(hop["proto"]); proto == "http" || proto == "https" {
		o.Scheme = proto
	}
	if host := hop["host"]; isHost(host) {
		o.Host = host
	}
	if prefix := strings.TrimRight(hop["prefix"], "/"); isPrefix(prefix) {
		o.Prefix = prefix
	}
	return o
}

func (p Proxies) trust(a netip.Addr) bool {
	for _, network := range p {
		if a.IsValid() && network.Contains(a.WithZone("")) {
			return true
		}
	}
	return false
}

// forwarded is the element of the Forwarded header that the outermost trusted
// proxy added, nil without such a header.
func (p Proxies) forwarded(h http.Header) map[string]string {
	elements := listOf(h, "Forwarded")
	for i := len(elements) - 1; i >= 0; i-- {
		hop := map[string]string{}
		for _, pair := range splitList(elements[i], ';') {
			name, value, _ := strings.Cut(pair, "=")
			hop[strings.ToLower(strings.TrimSpace(name))] = unquote(strings.TrimSpace(value))
		}
		if i == 0 || !p.trust(node(hop["for"])) {
			if prefixes := listOf(h, "X-Forwarded-Prefix"); len(prefixes) > 0 {
				hop["prefix"] = fromEnd(prefixes, len(elements)-1-i)
			}
			return hop
		}
	}
	return nil
}

// xForwarded is what the X-Forwarded headers say of the same.
func (p Proxies) xForwarded(h http.Header) map[string]string {
	hop := map[string]string{}
	clients := listOf(h, "X-Forwarded-For")
	back := 0 // proxies passed before the outermost
	for back < len(clients)-1 && p.trust(node(fromEnd(clients, back))) {
		back++
	}
	for name, header := range map[string]string{
		"for": "X-Forwarded-For", "proto": "X-Forwarded-Proto", "host": "X-Forwarded-Host", "prefix": "X-Forwarded-Prefix",
	} {
		if list := listOf(h, header); len(list) > 0 {
			hop[name] = fromEnd(list, back)
		}
	}
	return hop
}

// listOf is the list of a header, all its lines together.
func listOf(h http.Header, name string) []string {
	var list []string
	for _, line := range h.Values(name) {
		for _, item := range splitList(line, ',') {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
	}
	return list
}

// fromEnd is the item of list so far from its end. Not every proxy adds to every list:
// a short one ends early.
func fromEnd(list []string, back int) string { return list[max(len(list)-1-back, 0)] }

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return strings.ReplaceAll(s[1:len(s)-1], `\`, "")
	}
	return s
}

// node reads an address, with or without a port; not valid for a name that hides
// it.
func node(s string) netip.Addr {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap()
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap()
	}
	return netip.Addr{}
}

func isHost(s string) bool {
	for _, c := range s {
		if c > 'z' || !(c >= 'a' || c >= '0' && c <= ':' || c >= 'A' && c <= '[' || strings.ContainsRune(".-_]", c)) {
			return false
		}
	}
	return s != "" && len(s) <= 255
}

func isPrefix(s string) bool {
	for _, c := range s {
		if c <= ' ' || c > '~' || strings.ContainsRune(`"<>\^{|}?#`+"`", c) {
			return false
		}
	}
	return strings.HasPrefix(s, "/") && !strings.Contains(s, "//") && !strings.Contains(s+"/", "/../")
}
