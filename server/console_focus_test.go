package server

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// TestConsoleFocus has what one stands on made anew, and taken away: who works by
// keyboard stands on what is there instead.
func TestConsoleFocus(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		crm := listen(t, nil)
		acme := s.join(t, "Acme")
		first := s.rule(t, acme.id, crm.url, map[string]any{"Name": "First"})
		s.rule(t, acme.id, crm.url, map[string]any{"Name": "Second"})
		s.anyone.post(s.source(t, "json", nil), map[string]any{"FirstName": "Noa"}).want(201)
		for range 3 { // two tests, and the lead to one of them
			crm.next(t, 10*time.Second)
		}
		b.open("/console/rules/" + first)
		b.until("document.querySelector('#held') && document.querySelector('#sample pre') && document.querySelector('#tier a')")
		for _, on := range []string{"[form=pause]", "#tier a", "#sample pre"} {
			js[any](b, "document.querySelector("+quote(on)+").focus(), window.stood = document.activeElement, document.querySelector('#rule').dispatchEvent(new CustomEvent('rows-changed'))")
			b.until("!window.stood.isConnected && document.activeElement.matches(" + quote(on) + ")")
		}
		// A connector's settings come while one types on.
		js[any](b, "document.querySelector('details.more').open = true, document.querySelector('#f-ConnectorID').dispatchEvent(new Event('change', {bubbles: true})), window.stood = document.querySelector('#settings'), true")
		b.fill("Settings/Token", "typed since")
		b.until("!window.stood.isConnected && document.querySelector('details.more').open")
		b.until("document.activeElement.name === 'Settings/Token' && document.activeElement.value === 'typed since'")
		b.fill("Settings/Token", "")
		js[any](b, "document.querySelector('#test').focus()")
		b.keys(kb.Enter)
		b.until("document.querySelector('#trial') && document.activeElement.id === 'test'")
		crm.next(t, 10*time.Second)

		s.admin.post("/odata/Rules("+first+")/Pause", nil).want(200)
		b.open("/console/transmissions")
		b.tabTo(".troubles button")
		b.keys(kb.Enter)
		b.until("!document.querySelector('.troubles') && document.activeElement.closest('#live')")
		b.tabTo("tbody a")
		b.keys(kb.Enter)
		b.until("document.querySelector('#drawer[open] h2')")
		js[any](b, "window.stood = document.querySelector('tbody a'), document.body.dispatchEvent(new CustomEvent('transmissions'))")
		b.until("!window.stood.isConnected")
		b.keys(kb.Escape)
		b.until("!document.querySelector('#drawer[open]') && document.activeElement.matches('tbody a')")
	})
}
