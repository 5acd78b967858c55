package console

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// assets are the static files, under an address that changes with any of them,
// so that browsers keep them for good. All of static/css is one stylesheet,
// app.css; modules import each other by relative address.
type assets struct {
	prefix string // "/console/static/<digest>/"
	files  map[string]asset
}

type asset struct {
	kind         string
	plain, small []byte // small is plain compressed
}

func loadAssets() (*assets, error) {
	a := &assets{files: map[string]asset{}}
	var sheet, all bytes.Buffer
	err := fs.WalkDir(files, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		all.WriteString(name)
		all.Write(content)
		if path.Ext(name) == ".css" {
			sheet.Write(content)
			return nil
		}
		return a.add(path.Base(name), content)
	})
	if err == nil {
		err = a.add("app.css", sheet.Bytes())
	}
	a.prefix = "/console/static/" + digest(all.Bytes()) + "/"
	return a, err
}

func (a *assets) add(name string, content []byte) error {
	if _, twice := a.files[name]; twice {
		return fmt.Errorf("two static files are named %s", name)
	}
	var small bytes.Buffer
	z, err := gzip.NewWriterLevel(&small, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(content); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	kind := mime.TypeByExtension(path.Ext(name))
	if path.Ext(name) == ".js" {
		kind = "text/javascript; charset=utf-8"
	}
	a.files[name] = asset{kind: kind, plain: content, small: small.Bytes()}
	return nil
}

// url is the address of a static file.
func (a *assets) url(name string) (string, error) {
	if _, ok := a.files[name]; !ok {
		return "", fmt.Errorf("no static file %s", name)
	}
	return a.prefix + name, nil
}

// ServeHTTP implements http.Handler.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[path.Base(r.URL.Path)]
	if !ok || path.Dir(r.URL.Path)+"/" != a.prefix {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	content := f.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		content = f.small
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
