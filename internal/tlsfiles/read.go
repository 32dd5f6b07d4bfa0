package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// maxFile is the greatest length of a PEM file in bytes. The CA files of operating systems have
// less than a quarter of it.
const maxFile = 1 << 20

// minVersion is the oldest version of TLS that is spoken. Both sides choose 1.3 if both know it.
const minVersion = tls.VersionTLS12

// readFile returns the content of a PEM file.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxFile)
	}
	return text, err
}

// expired says that a certificate has expired. Nil: it has not.
func expired(c tls.Certificate, now time.Time) error {
	if now.After(c.Leaf.NotAfter) {
		return fmt.Errorf("the certificate expired at %s", c.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// pool parses CA certificates. Unlike x509.CertPool.AppendCertsFromPEM, it skips no certificate
// that cannot be read.
func pool(text []byte) (*x509.CertPool, error) {
	p, found := x509.NewCertPool(), false
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("the file contains a %.40q, and not only certificates", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		p.AddCert(c)
		found = true
	}
	if !found {
		return nil, errors.New("the file contains no certificate")
	}
	return p, nil
}
