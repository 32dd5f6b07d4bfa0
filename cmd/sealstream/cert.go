package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/privateca"
)

type certCmd struct {
	Init  certInitCmd  `cmd:"" help:"Create a private certificate authority."`
	Issue certIssueCmd `cmd:"" help:"Issue a certificate for a server or a client."`
}

func (*certCmd) Help() string {
	return `The certificates are for trying TLS out, and for small installations. There is no revocation: issue
short-lived certificates, and create a new authority if its key is stolen.

Examples:
  sealstream cert init
  sealstream cert issue localhost 127.0.0.1
  sealstream cert issue --client spiffe://example.com/agent/billing`
}

// Files of the authority in its folder.
const (
	fileCA    = "ca.pem"
	fileCAKey = "ca.key"
)

type certInitCmd struct {
	Dir  string `help:"Folder to write ca.pem and ca.key to." default:"certs" type:"path" placeholder:"DIR"`
	Name string `help:"Name of the authority." default:"sealstream private CA"`
	Days int    `help:"Days until the authority expires." default:"3650"`
}

func (*certInitCmd) Help() string { return "Example:\n  sealstream cert init --dir certs" }

// Run creates the authority. It never overwrites a file.
func (c *certInitCmd) Run(a *app) error {
	if c.Name == "" || len(c.Name) > 64 { // the limit of X.509
		return errors.New("--name must have 1 to 64 bytes")
	}
	valid, err := days(c.Days)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	cert, key := filepath.Join(c.Dir, fileCA), filepath.Join(c.Dir, fileCAKey)
	if err := absent(cert, key); err != nil {
		return err
	}
	pair, err := privateca.New(c.Name, valid, time.Now())
	if err != nil {
		return err
	}
	if err := writePair(cert, key, pair); err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]string{"ca": cert, "key": key})
	}
	shown := shellWord(shellPath(cert))
	_, err = fmt.Fprintf(a.out, `wrote %s (public) and %s (secret: whoever has it can pose as any server and client)

Next, issue a certificate with every name and address by which clients reach the server:
  sealstream cert issue%s localhost 127.0.0.1
Clients verify the server with --ca %[1]s.
`, shown, shellWord(shellPath(key)), dirFlag(c.Dir))
	return err
}

type certIssueCmd struct {
	Names  []string `arg:"" help:"DNS names, IP addresses and SPIFFE IDs of the server or client." placeholder:"NAME"`
	Dir    string   `help:"Folder with ca.pem and ca.key." default:"certs" type:"path" placeholder:"DIR"`
	Client bool     `help:"Issue the certificate of a client. Without it, that of a server."`
	Out    string   `help:"Path of the files to write, without .pem and .key. Default: server or client in the folder of the authority." type:"path" placeholder:"PATH"`
	Days   int      `help:"Days until the certificate expires." default:"90"`
}

func (*certIssueCmd) Help() string {
	return `Examples:
  sealstream cert issue audit.example.com 192.0.2.7
  sealstream cert issue --client --out certs/billing \
    spiffe://example.com/agent/billing`
}

// Run issues a certificate. It never overwrites a file.
func (c *certIssueCmd) Run(a *app) error {
	valid, err := days(c.Days)
	if err != nil {
		return err
	}
	request := privateca.Request{Client: c.Client, Valid: valid}
	for _, text := range c.Names {
		name, err := privateca.ParseName(text)
		if err != nil {
			return err
		}
		request.Names = append(request.Names, name)
	}
	authority, err := readAuthority(c.Dir)
	if err != nil {
		return err
	}
	cert, key := c.files()
	if err := absent(cert, key); err != nil {
		return err
	}
	pair, err := authority.Issue(request, time.Now())
	if err != nil {
		return err
	}
	if err := writePair(cert, key, pair); err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]any{"cert": cert, "key": key, "ca": filepath.Join(c.Dir, fileCA), "names": c.Names})
	}
	return c.next(a, shellWord(shellPath(cert)), shellWord(shellPath(key)))
}

func (c *certIssueCmd) files() (cert, key string) {
	path := c.Out
	if path == "" {
		path = filepath.Join(c.Dir, "server")
		if c.Client {
			path = filepath.Join(c.Dir, "client")
		}
	}
	return path + ".pem", path + ".key"
}

// next says what to do with the files.
func (c *certIssueCmd) next(a *app, cert, key string) error {
	ca := shellWord(shellPath(filepath.Join(c.Dir, fileCA)))
	if c.Client {
		_, err := fmt.Fprintf(a.out, `wrote %s and %s (secret) for %s

Next, let the server accept the certificate, and use it:
  sealstream up --tls-client-ca %s …
  sealstream --server https://HOST:8420 --ca %[4]s --client-cert %[1]s --client-key %[2]s query
`, cert, key, strings.Join(c.Names, ", "), ca)
		return err
	}
	_, err := fmt.Fprintf(a.out, `wrote %s and %s (secret) for %s

Next, start the server, and ask it:
  sealstream up --tls-cert %[1]s --tls-key %[2]s
  sealstream --server https://%[4]s --ca %[5]s query
A running server takes a changed pair of files within a second.
`, cert, key, strings.Join(c.Names, ", "), hostPort(c.Names[0], "8420"), ca)
	return err
}

// readAuthority reads the files that cert init has written.
func readAuthority(dir string) (*privateca.Authority, error) {
	cert, err := os.ReadFile(filepath.Join(dir, fileCA))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no %s; create it: sealstream cert init%s", dir, fileCA, dirFlag(dir))
	} else if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(filepath.Join(dir, fileCAKey))
	if err != nil {
		return nil, err
	}
	return privateca.Load(privateca.Pair{Cert: cert, Key: key})
}
