package server

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	devnetwork "github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// chromium is the one browser of all tests of this process, started by the
// first. Each test has a profile of its own in it.
var chromium struct {
	sync.Mutex
	ctx   context.Context
	close func()
}

func startChromium(t testing.TB) context.Context {
	t.Helper()
	chromium.Lock()
	defer chromium.Unlock()
	if chromium.ctx != nil {
		return chromium.ctx
	}
	path, err := exec.LookPath("chromium-headless-shell") // half the work of chromium --headless
	if err != nil {
		t.Fatal("chromium-headless-shell is missing; run make deps")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)
	allocator, stop := chromedp.NewExecAllocator(background, options...)
	ctx, cancel := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		stop()
		t.Fatalf("chromium: %v", err)
	}
	chromium.ctx, chromium.close = ctx, func() { cancel(); stop() }
	return ctx
}

// closeChromium is for TestMain.
func closeChromium() {
	if chromium.close != nil {
		chromium.close()
	}
}

// browser is a tab with cookies of its own, as one person has it before them.
type browser struct {
	t    testing.TB
	base string
	ctx  context.Context

	marks    int
	messages chan string // what the console and the policy complained of, and marks
}

// newBrowser opens a tab that asks for language. What its console complains of
// fails the test at its end, unless the test takes it out by complaints.
func newBrowser(t testing.TB, base, language string) *browser {
	t.Helper()
	ctx, cancel := chromedp.NewContext(startChromium(t), chromedp.WithNewBrowserContext())
	b := &browser{t: t, base: base, ctx: ctx, messages: make(chan string, 10_000)}
	b.do(protocol(devnetwork.SetExtraHTTPHeaders, devnetwork.SetExtraHTTPHeadersParams{Headers: devnetwork.Headers{"Accept-Language": language}}))
	console, stop := context.WithCancel(ctx)
	messages := chromedp.Console(console)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for m, err := range messages {
			if err != nil {
				return
			}
			if strings.HasPrefix(m.Text, "htmx:sendAbort") || strings.HasPrefix(m.Text, "htmx:afterRequest,") {
				continue // a request was given up for a newer one, or for another page; failures have more to say
			}
			if m.Type == chromedp.ConsoleDebug || m.Type == chromedp.ConsoleWarning || m.Type == chromedp.ConsoleError || m.IsException() {
				b.messages <- m.Text + " " + m.URL
			}
		}
	}()
	t.Cleanup(func() {
		if !t.Failed() {
			for _, trouble := range b.complaints() {
				t.Errorf("the browser complains: %s", trouble)
			}
		}
		stop()
		<-ended
		cancel()
	})
	b.size(1440, 900)
	b.scheme("light")
	return b
}

// complaints takes out what the browser complained of so far.
func (b *browser) complaints() (list []string) {
	b.t.Helper()
	b.marks++
	mark := fmt.Sprintf("mark %d", b.marks)
	js[any](b, "console.debug("+quote(mark)+")")
	for {
		select {
		case m := <-b.messages:
			if strings.HasPrefix(m, mark) {
				return list
			}
			list = append(list, m)
		case <-time.After(15 * time.Second):
			b.t.Fatal("the browser's console is silent")
		}
	}
}

// do runs actions, for a minute at most.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	do(b, chromedp.Steps(actions...))
}

func do[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	if chromedp.FromContext(b.ctx).Target == nil { // a tab lives as long as the context it is first used with
		if err := chromedp.Do(b.ctx); err != nil {
			b.t.Fatalf("browser: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("browser: %v", err)
	}
	return value
}

// protocol is a command of the browser's protocol as an action.
func protocol[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// size sets the size of the window.
func (b *browser) size(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}

// scheme sets what the system prefers: "light" or "dark".
func (b *browser) scheme(name string) {
	b.t.Helper()
	b.do(protocol(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}))
}

// open goes to a page and waits until it is loaded.
func (b *browser) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base + path))
}

// js evaluates an expression, also of a promise.
func js[T any](b *browser, expression string) T {
	b.t.Helper()
	return do(b, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// until waits until an expression is true.
func (b *browser) until(expression string) {
	b.t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		ctx, cancel := context.WithDeadline(b.ctx, deadline)
		holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")")) // a page that is just being left cannot be asked
		cancel()
		if err == nil && holds {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("never true: %s (%v); the page:\n%s", expression, err, js[string](b, "location.href + '\\n' + document.body.innerText"))
		}
		ctx, cancel = context.WithTimeout(b.ctx, 20*time.Millisecond)
		<-ctx.Done()
		cancel()
	}
}

// at waits until the page of this path is there, whole.
func (b *browser) at(path string) {
	b.t.Helper()
	b.until("location.pathname + location.search === " + quote(path) + " && document.readyState === 'complete'")
}

// see waits until the page says text, without regard to isolating characters.
func (b *browser) see(text string) {
	b.t.Helper()
	b.until(`document.body.innerText.replace(/[\u2066-\u2069]/g, '').includes(` + quote(text) + ")")
}

// fill puts text into the field of a name, as typing does.
func (b *browser) fill(name, text string) {
	b.t.Helper()
	field := `[name="` + name + `"]`
	b.until("(() => { const f = document.querySelector(" + quote(field) + "); f?.focus(); f?.select?.(); return f && document.activeElement === f })()")
	b.keys(kb.Delete, text)
}

// choose chooses the option of a value, as a person does.
func (b *browser) choose(name, value string) {
	b.t.Helper()
	b.until(`(f => { if (f) { f.value = ` + quote(value) + `; for (const kind of ["input", "change"]) f.dispatchEvent(new Event(kind, {bubbles: true})) } return f?.value === ` + quote(value) + ` })(document.querySelector('[name="` + name + `"]'))`)
}

// press clicks the button or the link that says text, or that has it as its
// label, without regard to isolating characters.
func (b *browser) press(text string) {
	b.t.Helper()
	find := `[...document.querySelectorAll('button, a, summary, label')].find(e => e.checkVisibility() &&
		[e.innerText, e.getAttribute('aria-label') ?? ''].some(said => said.replace(/[\u2066-\u2069]/g, '').trim() === ` + quote(text) + `))`
	b.until("(e => { e?.click(); return e })(" + find + ")")
}

// keys sends keys to whatever has the focus.
func (b *browser) keys(keys ...string) {
	b.t.Helper()
	for _, k := range keys {
		b.do(chromedp.KeyEvent(k))
	}
}

// tabTo presses Tab until what has the focus is one that the selector is of.
func (b *browser) tabTo(selector string) {
	b.t.Helper()
	for range 150 {
		b.keys(kb.Tab)
		if js[bool](b, "document.activeElement.matches("+quote(selector)+") && document.activeElement.matches(':focus-visible')") {
			return
		}
	}
	b.t.Fatalf("Tab does not come to %s", selector)
}

// signIn signs in by the form.
func (b *browser) signIn(email, password string) {
	b.t.Helper()
	b.open("/console/signin")
	b.fill("email", email)
	b.fill("password", password)
	b.keys(kb.Enter)
	b.until("document.querySelector('#nav')")
}

// quote is text as JavaScript has it.
func quote(text string) string {
	b, _ := json.Marshal(text) // strings always marshal
	return string(b)
}

// newBrowserStage is newStage for a browser: its server does not look for races,
// which would take most of such a test's time. TestConsoleStory's does.
func newBrowserStage(t *testing.T, dir, dsn string, args ...string) *stage {
	t.Helper()
	return newStageBy(t, program(t), dir, dsn, args...)
}

// inBrowser runs a test on both databases, with a server and a browser that is
// signed in as the admin and asks for English.
func inBrowser(t *testing.T, f func(t *testing.T, s *stage, b *browser)) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newBrowserStage(t, dir, dsn)
		b := newBrowser(t, s.base, "en")
		b.signIn(adminEmail, adminPassword)
		f(t, s, b)
	})
}
