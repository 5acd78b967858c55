package server

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gorm.io/gorm"

	"leadloop/store"
)

// vault opens the vault under the master key that the flags name, and makes the
// key file where there is none yet.
func (d database) vault() (*store.Vault, error) {
	master, err := d.master()
	if err != nil {
		return nil, err
	}
	return store.OpenVault(master)
}

func (d database) master() ([]byte, error) {
	if d.SecretKey != "" {
		return parseMaster(d.SecretKey)
	}
	file := d.keyFile()
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return makeMaster(file)
	}
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, withHint(fmt.Errorf("master key: %s can be read by others", file), "run chmod 600 "+file)
	}
	master, err := parseMaster(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return master, nil
}

// keyFile is beside an SQLite database, else in the working directory.
func (d database) keyFile() string {
	switch {
	case d.SecretKeyFile != "":
		return d.SecretKeyFile
	case strings.Contains(d.DB, "://"):
		return "leadloop.key"
	}
	return filepath.Join(filepath.Dir(d.DB), "leadloop.key")
}

func parseMaster(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if key, err := base64.StdEncoding.DecodeString(text); err == nil && len(key) == 32 {
		return key, nil
	}
	if len(text) < 32 {
		return nil, errors.New("the master key must be base64 of 32 bytes, or a text of at least 32 characters")
	}
	return []byte(text), nil
}

// makeMaster makes a new key file that only its owner can read. Of two programs
// that start at once, both end up with the same key.
func makeMaster(file string) ([]byte, error) {
	text := base64.StdEncoding.EncodeToString(store.NewMaster()) + "\n"
	temp, err := os.CreateTemp(filepath.Dir(file), ".leadloop-key-*") // 0600
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("master key: there is no folder %s", filepath.Dir(file))
	}
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(text)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	// Link, unlike rename, never replaces a key that came to be in between.
	if err := os.Link(temp.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("master key: %w", err)
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	return parseMaster(string(kept))
}

// checkVault makes sure that the database was made under this master key: with
// another one every key, token and secret in it would silently fail.
func checkVault(ctx context.Context, db *store.DB, vault *store.Vault) error {
	want := hex.EncodeToString(vault.MAC("vault check", []byte("leadloop")))
	return db.Write(ctx, func(tx *gorm.DB) error {
		err := tx.Exec("INSERT INTO settings (name, value) VALUES ('vault_check', ?) ON CONFLICT (name) DO NOTHING", want).Error
		if err != nil {
			return err
		}
		var kept string
		if err := tx.Raw("SELECT value FROM settings WHERE name = 'vault_check'").Scan(&kept).Error; err != nil {
			return err
		}
		if kept != want {
			return withHint(errors.New("this database was made under another master key"),
				"give the one it was made under, by --secret-key or --secret-key-file")
		}
		return nil
	})
}
