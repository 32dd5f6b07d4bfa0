package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/pkg/integrity"
	"github.com/sealstream/sealstream/pkg/proof"
)

type integrityCmd struct {
	Generate integrityGenerateCmd `cmd:"" help:"Write a signed manifest of this program."`
	Verify   integrityVerifyCmd   `cmd:"" help:"Compare this program with a manifest."`
}

func (*integrityCmd) Help() string {
	return `Create the manifest where the program is built. Verify it where the program runs, with a public key
from another source.

Examples:
  sealstream integrity generate --out manifest.json --sign build.key
  sealstream integrity verify --manifest manifest.json --key build.pub`
}

func (*integrityGenerateCmd) Help() string {
	return "Example:\n  sealstream integrity generate --out manifest.json --sign build.key"
}

func (*integrityVerifyCmd) Help() string {
	return "Example:\n  sealstream integrity verify --manifest manifest.json --key build.pub"
}

// programFlags name the program and its source.
type programFlags struct {
	Binary string `help:"Program to check. Default: this one." type:"path" placeholder:"FILE"`
	Source string `help:"Checkout whose source files are checked, too. Default: the checkout of the working directory, if there is one." type:"path" placeholder:"DIR"`
	Debug  bool   `help:"Print internal errors."`
}

func (c *programFlags) program() (binary, root string, err error) {
	if binary = c.Binary; binary == "" {
		if binary, err = os.Executable(); err != nil {
			return "", "", err
		}
	}
	if root = c.Source; root == "" {
		root = integrity.Checkout(".")
	}
	return binary, root, nil
}

// integrityKey returns the paths of the user's own pair of keys, the default of --sign and --key.
// It shows what has changed on this machine, but proves nothing to anyone else.
func integrityKey() (secret, public string, err error) {
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, "sealstream", "integrity.key"), filepath.Join(dir, "sealstream", "integrity.pub"), err
}

type integrityGenerateCmd struct {
	programFlags
	Out  string `help:"File to write the manifest to." required:"" type:"path" placeholder:"FILE"`
	Sign string `help:"Signing key, as keygen creates it (log.key). Default: the user's own key, which is created if necessary." type:"path" placeholder:"FILE"`
}

// Run writes and signs the manifest.
func (c *integrityGenerateCmd) Run(a *app) error {
	signer, err := c.signer(a)
	if err != nil {
		return a.internal(err, c.Debug)
	}
	binary, root, err := c.program()
	if err != nil {
		return a.internal(err, c.Debug)
	}
	m, err := integrity.Generate(binary, root, time.Now(), signer, c.Out)
	if err != nil {
		return a.internal(err, c.Debug)
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return a.internal(err, c.Debug)
	}
	if err := os.WriteFile(c.Out, append(raw, '\n'), 0o644); err != nil {
		return a.internal(err, c.Debug)
	}
	if a.json {
		return a.print(map[string]any{
			"manifest":  c.Out,
			"signed_by": signer.VerifierKey(),
			"modules":   len(m.Modules),
			"functions": len(m.Functions),
			"files":     len(m.Files),
		})
	}
	_, err = fmt.Fprintf(a.out, "%s: %d modules, %d functions, %d source files, signed by\n%s\n", c.Out, len(m.Modules),
		len(m.Functions), len(m.Files), signer.VerifierKey())
	return err
}

func (c *integrityGenerateCmd) signer(a *app) (*proof.Signer, error) {
	if c.Sign != "" {
		return datadir.LoadSigner(c.Sign)
	}
	secret, public, err := integrityKey()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(secret); errors.Is(err, fs.ErrNotExist) {
		skey, vkey, err := proof.GenerateKey("integrity.local", "integrity")
		if err == nil {
			err = os.MkdirAll(filepath.Dir(secret), 0o700)
		}
		if err == nil {
			err = os.WriteFile(public, []byte(vkey+"\n"), 0o644)
		}
		if err == nil { // written last, so that a crash leaves no secret key without its public key
			err = os.WriteFile(secret, []byte(skey+"\n"), 0o600)
		}
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(a.err, "sealstream: no --sign: created the user's own key: %s\n", secret)
	}
	return datadir.LoadSigner(secret)
}

type integrityVerifyCmd struct {
	programFlags
	Manifest string `help:"Manifest to compare with." required:"" type:"path" placeholder:"FILE"`
	Key      string `help:"Public key that must have signed the manifest, or its file. Default: the user's own." placeholder:"KEY|FILE"`
}

// Run compares the program with the manifest. A manifest that is missing or not signed by the key
// is a failed check, like a difference.
func (c *integrityVerifyCmd) Run(a *app) error {
	key := c.Key
	if key == "" {
		_, public, err := integrityKey()
		if err != nil {
			return a.internal(err, c.Debug)
		}
		key = public
	}
	keys, err := readKeys(key)
	if err != nil {
		return a.refuse(err)
	}
	raw, err := os.ReadFile(c.Manifest)
	if err != nil {
		return a.refuse(err)
	}
	m, by, err := integrity.Open(raw, keys...)
	if err != nil {
		return a.refuse(err)
	}
	binary, root, err := c.program()
	if err != nil {
		return a.internal(err, c.Debug)
	}
	if c.Source == "" && len(m.Files) == 0 {
		root = "" // the manifest was written without a checkout, so this folder's checkout means nothing
	}
	r, err := integrity.Verify(m, by, binary, root, time.Now(), c.Manifest)
	if err != nil {
		return a.internal(err, c.Debug)
	}
	if a.json {
		err = a.print(r)
	} else {
		err = a.folded(r.Summary)
	}
	if err == nil && !r.Passed {
		err = shown{failed("the program is not what the manifest says")}
	}
	return err
}

// refuse returns err as a failed check. With --json it prints it first.
func (a *app) refuse(err error) error {
	if a.json {
		a.print(jsonError{"error", err.Error(), "ValidationError"})
		return shown{failed("%v", err)}
	}
	return failed("%v", err)
}
