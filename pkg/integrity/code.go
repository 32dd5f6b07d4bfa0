package integrity

import (
	"crypto/sha256"
	"debug/elf"
	"debug/gosym"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const module = "github.com/sealstream/sealstream/"

// critical are the packages all of whose functions a manifest lists: what hashes, chains, proves,
// commits and redacts.
var critical = []string{
	"pkg/entry", "pkg/proof", "pkg/redact", "pkg/integrity",
	"internal/audit", "internal/canonical", "internal/cosign", "internal/draft", "internal/inbox",
	"internal/merkle", "internal/redactions", "internal/ruleset", "internal/sealedlog",
	"internal/sealer",
}

// Role is a security-critical task of the program, with the functions that perform it. If a program
// contains the package of such a function, it must also contain at least one of these functions
// under its name.
type Role struct {
	Name      string
	Functions []string // names without the module's path; a name that ends in a dot is a whole package
}

// Roles are the roles whose functions a manifest must contain.
var Roles = []Role{
	{"sealer commit", []string{"internal/sealer.(*Sealer).commit", "internal/sealer.(*tail).commit"}},
	{"leaf hash", []string{"pkg/entry.LeafHash"}},
	{"proof check", []string{"pkg/proof.CheckInclusion", "internal/audit.(*Chain).check"}},
	{"payload check", []string{"pkg/entry.Payload.Opens"}},
	{"redaction", []string{"pkg/redact."}},
}

// ErrNoCode is wrapped if an executable does not show its functions: it is no ELF file of Go, or
// its tables are damaged.
var ErrNoCode = errors.New("no functions found in the executable")

// Code returns the SHA-256, in hex, of the machine code of each critical function in an ELF
// executable, by name. It reads the names and addresses from the table that Go needs at run time,
// which a stripped executable has too.
func Code(r io.ReaderAt) (map[string]string, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoCode, err)
	}
	defer f.Close()
	list, err := functions(f)
	if err != nil {
		return nil, err
	}
	code := map[string]string{}
	for i := range list {
		fn := &list[i]
		if !isCritical(fn.Name) {
			continue
		}
		sum, err := hashRange(f, fn.Entry, fn.End)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrNoCode, fn.Name, err)
		}
		code[fn.Name] = sum
	}
	if len(code) == 0 {
		return nil, fmt.Errorf("%w: it is no program of sealstream", ErrNoCode)
	}
	return code, nil
}

// isCritical reports whether a function is in a critical package. The package's path ends at the
// first dot after the last slash.
func isCritical(name string) bool {
	path, ok := strings.CutPrefix(name, module)
	if !ok {
		return false
	}
	slash := strings.LastIndexByte(path, '/')
	if bracket := strings.IndexByte(path, '['); bracket >= 0 { // type arguments have slashes of their own
		slash = strings.LastIndexByte(path[:bracket], '/')
	}
	dot := strings.IndexByte(path[slash+1:], '.')
	return dot >= 0 && slices.Contains(critical, path[:slash+1+dot])
}

// functions reads the table of functions.
func functions(f *elf.File) (list []gosym.Func, err error) {
	defer func() { // gosym trusts the table's numbers
		if p := recover(); p != nil {
			list, err = nil, fmt.Errorf("%w: damaged table: %v", ErrNoCode, p)
		}
	}()
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab"} {
		s := f.Section(name)
		if s == nil {
			continue
		}
		data, err := s.Data()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoCode, err)
		}
		text, err := textStart(f)
		if err != nil {
			return nil, err
		}
		table, err := gosym.NewTable(nil, gosym.NewLineTable(data, text))
		if err != nil || len(table.Funcs) == 0 {
			return nil, fmt.Errorf("%w: the table cannot be read: %v", ErrNoCode, err)
		}
		return table.Funcs, nil
	}
	return nil, fmt.Errorf("%w: it has no table of Go's functions", ErrNoCode)
}

// textStart returns the address at which Go's code begins: after C's, if there is any and the
// symbol table tells.
func textStart(f *elf.File) (uint64, error) {
	if symbols, err := f.Symbols(); err == nil {
		for _, s := range symbols {
			if s.Name == "runtime.text" {
				return s.Value, nil
			}
		}
	}
	if s := f.Section(".text"); s != nil {
		return s.Addr, nil
	}
	return 0, fmt.Errorf("%w: no code", ErrNoCode)
}

// hashRange hashes the bytes that the file holds for a range of addresses.
func hashRange(f *elf.File, from, to uint64) (string, error) {
	at, err := fileOffset(f, from, to)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(at.reader, at.offset, int64(to-from))); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

type place struct {
	reader io.ReaderAt
	offset int64 // within the segment
	file   int64 // within the file
}

func fileOffset(f *elf.File, from, to uint64) (place, error) {
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && from >= p.Vaddr && to >= from && to <= p.Vaddr+p.Filesz {
			return place{p.ReaderAt, int64(from - p.Vaddr), int64(from - p.Vaddr + p.Off)}, nil
		}
	}
	return place{}, errors.New("its code stands outside the file")
}

// missingRoles returns the roles whose package is in the program without any of their functions.
func missingRoles(code map[string]string) (missing []string) {
	for _, r := range Roles {
		linked, there := false, false
		for _, want := range r.Functions {
			pkg := module + want[:strings.IndexByte(want, '.')+1]
			for name := range code {
				linked = linked || strings.HasPrefix(name, pkg)
				there = there || name == module+want ||
					strings.HasSuffix(want, ".") && strings.HasPrefix(name, module+want)
			}
		}
		if linked && !there {
			missing = append(missing, r.Name)
		}
	}
	return missing
}
