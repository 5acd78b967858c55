package console

import (
	"fmt"
	"html/template"
)

// icons are the shapes of the icons, in a box of 24 by 24, drawn as lines.
var icons = map[string]string{
	"loop":     `<path d="M17 3l3 3-3 3"/><path d="M4 11V9a3 3 0 0 1 3-3h13"/><path d="M7 21l-3-3 3-3"/><path d="M20 13v2a3 3 0 0 1-3 3H4"/>`,
	"sun":      `<circle cx="12" cy="12" r="4"/><path d="M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6l1.4 1.4M17 17l1.4 1.4M5.6 18.4L7 17M17 7l1.4-1.4"/>`,
	"inbox":    `<path d="M4 13l2.5-8h11L20 13v6H4z"/><path d="M4 13h5l1.5 2.5h3L15 13h5"/>`,
	"building": `<path d="M5 21V4h9v17"/><path d="M14 9h5v12"/><path d="M3 21h18M8 8h3M8 12h3M8 16h3"/>`,
	"download": `<path d="M12 4v11M7.5 10.5L12 15l4.5-4.5M4 20h16"/>`,
	"send":     `<path d="M20 4L3.5 10.5l6.5 3 3 6.5z"/><path d="M20 4L10 13.5"/>`,
	"sliders":  `<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>`,
	"search":   `<circle cx="11" cy="11" r="6.5"/><path d="M16 16l4.5 4.5"/>`,
	"plus":     `<path d="M12 5v14M5 12h14"/>`,
	"menu":     `<path d="M4 7h16M4 12h16M4 17h16"/>`,
	"close":    `<path d="M6 6l12 12M18 6L6 18"/>`,
	"copy":     `<rect x="9" y="9" width="11" height="11" rx="2"/><path d="M15 9V6a2 2 0 0 0-2-2H6a2 2 0 0 0-2 2v7a2 2 0 0 0 2 2h3"/>`,
	"check":    `<path d="M5 12.5l4.5 4.5L19 7.5"/>`,
	"alert":    `<path d="M12 4L2.8 20h18.4z"/><path d="M12 10v4.5M12 17v.4"/>`,
	"trash":    `<path d="M4 7h16M9 7V4h6v3M6.5 7l1 13h9l1-13M10 11v5.5M14 11v5.5"/>`,
	"user":     `<circle cx="12" cy="8" r="3.8"/><path d="M4.5 20.5c.9-4 3.8-6 7.500-6s6.600 2 7.500 6"/>`,
	"out":      `<path d="M14 4H5v16h9M10 12h11M17.500 8.500L21 12l-3.500 3.500"/>`,
	"key":      `<circle cx="8" cy="15.500" r="4"/><path d="M11 12.500L20 4M16.500 7.500l3 3M14 10l2 2"/>`,
	"next":     `<path d="M5 12h14M13.500 6.500L19 12l-5.500 5.500"/>`,
	"back":     `<path d="M19 12H5M10.500 6.500L5 12l5.500 5.500"/>`,
	"undo":     `<path d="M8 5L4 9l4 4"/><path d="M4 9h10a5.500 5.500 0 0 1 0 11H8"/>`,
	"clock":    `<circle cx="12" cy="12" r="8.500"/><path d="M12 7v5.300l3.500 2"/>`,
	"play":     `<path d="M7 4.500v15l12-7.500z"/>`,
	"pause":    `<path d="M8 5v14M16 5v14"/>`,
	"flask":    `<path d="M9.500 3.500h5M10.500 3.500v6L5 19a1.200 1.200 0 0 0 1.100 1.700h11.800A1.200 1.200 0 0 0 19 19l-5.500-9.500v-6M7.800 14.500h8.400"/>`,
	"edit":     `<path d="M4 20l1-4.500L16.500 4 20 7.500 8.500 19z"/><path d="M14 6.500l3.500 3.500"/>`,
	"up":       `<path d="M12 19V5M6.500 10.500L12 5l5.500 5.500"/>`,
	"down":     `<path d="M12 5v14M6.500 13.500L12 19l5.500-5.500"/>`,
	"grip":     `<path d="M9 6v.1M15 6v.1M9 12v.1M15 12v.1M9 18v.1M15 18v.1"/>`,
	"refresh":  `<path d="M20 5v5h-5M4 19v-5h5"/><path d="M19 10a7.500 7.500 0 0 0-13.500-2.500M5 14a7.500 7.500 0 0 0 13.500 2.500"/>`,
	"file":     `<path d="M6 3h8l4.500 4.500V21H6z"/><path d="M14 3v5h4.500M9 13h6M9 17h6"/>`,
	"print":    `<path d="M7 9V3.500h10V9M7 17H4V9h16v8h-3"/><path d="M7 14h10v6.500H7z"/>`,
	"link":     `<path d="M10 14a4 4 0 0 0 6 .4l3-3A4.200 4.200 0 0 0 13 5.400l-1.500 1.500M14 10a4 4 0 0 0-6-.4l-3 3a4.200 4.200 0 0 0 6 6l1.500-1.500"/>`,
	"eye":      `<path d="M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12z"/><circle cx="12" cy="12" r="2.800"/>`,
	"chart":    `<path d="M4 20V4M4 20h16M8.500 16v-5M13 16V7M17.500 16v-3"/>`,
	"message":  `<path d="M4 5h16v11H9.500L5 20v-4H4z"/>`,
	"calendar": `<path d="M4 6h16v14H4zM4 10.500h16M8.500 3.500v4M15.500 3.500v4"/>`,
	"shield":   `<path d="M12 3l8 3v6c0 4.700-3.300 7.800-8 9-4.700-1.200-8-4.300-8-9V6z"/>`,
	"bell":     `<path d="M6 16.500V11a6 6 0 0 1 12 0v5.500l1.500 1.500h-15zM10 20.500h4"/>`,
	"columns":  `<path d="M4 5h16v14H4zM9.500 5v14M14.500 5v14"/>`,
	"bookmark": `<path d="M6.500 4h11v16L12 16l-5.500 4z"/>`,
	"language": `<circle cx="12" cy="12" r="8.500"/><path d="M3.500 12h17M12 3.500c5 5 5 12 0 17M12 3.500c-5 5-5 12 0 17"/>`,
	"more":     `<path d="M6 12v.1M12 12v.1M18 12v.1"/>`,
	"filter":   `<path d="M4 5h16l-6 7.500V19l-4 1.500v-8z"/>`,
}

// directed are the icons that point the other way where text runs from right to
// left.
var directed = map[string]bool{"send": true, "out": true, "next": true, "back": true, "undo": true}

// drawn are the icons as they stand in a page. They say nothing to who does not
// see them: a word stands beside one, or an aria-label on its button.
var drawn = func() map[string]template.HTML {
	all := map[string]template.HTML{}
	for name, shape := range icons {
		class := "icon"
		if directed[name] {
			class += " directed"
		}
		all[name] = template.HTML(`<svg class="` + class + `" viewBox="0 0 24 24" aria-hidden="true" focusable="false">` + shape + `</svg>`)
	}
	return all
}()

// icon is an icon of the size of the text.
func icon(name string) (template.HTML, error) {
	i, ok := drawn[name]
	if !ok {
		return "", fmt.Errorf("no icon %s", name)
	}
	return i, nil
}
