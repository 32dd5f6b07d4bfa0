package integrity

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sourceKinds are the kinds of files that can change what is built, tested or served.
var sourceKinds = []string{
	".go",
	".mod",
	".sum",
	".work",
	".s",
	".c",
	".h",
	".py",
	".js",
	".css",
	".html",
	".json",
	".jsonl",
	".yaml",
	".yml",
	".sql",
	".txtar",
	".sh",
}

// Checkout returns the root of the sealstream checkout that a folder is in, or an empty string.
func Checkout(dir string) string {
	for dir, err := filepath.Abs(dir); err == nil; dir = filepath.Dir(dir) {
		if b, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil &&
			strings.HasPrefix(string(b), "module "+strings.TrimSuffix(module, "/")+"\n") {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return ""
}

// Sources hashes every source file of a checkout, by its path with slashes. It leaves out hidden
// folders but .github and .ci, folders that hold a log, and the files in except: a manifest in the
// checkout cannot name itself. A source file that is a link is an error.
func Sources(root string, except ...string) (map[string]string, error) {
	files := map[string]string{}
	var left []fs.FileInfo
	for _, path := range except {
		if info, err := os.Stat(path); err == nil {
			left = append(left, info)
		}
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			hidden := strings.HasPrefix(name, ".") && name != ".github" && name != ".ci"
			if _, err := os.Stat(filepath.Join(path, "log.pub")); path != root && (hidden || err == nil) {
				return fs.SkipDir
			}
			return nil
		}
		if !slices.Contains(sourceKinds, filepath.Ext(name)) && name != "Dockerfile" &&
			!strings.HasPrefix(filepath.ToSlash(path), filepath.ToSlash(filepath.Join(root, ".ci"))+"/") {
			return nil
		}
		if !d.Type().IsRegular() { // a link could show another file each time
			return fmt.Errorf("source file %s is no regular file", path)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if slices.ContainsFunc(left, func(x fs.FileInfo) bool { return os.SameFile(x, info) }) {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(rel)], err = hashFile(path)
		return err
	})
	if err == nil && len(files) == 0 {
		err = errors.New("no source files")
	}
	if err != nil {
		return nil, fmt.Errorf("sources of %s: %w", root, err)
	}
	return files, nil
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
