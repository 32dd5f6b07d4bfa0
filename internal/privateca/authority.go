// Package privateca makes a certificate authority of one's own, and certificates for servers and
// clients. It is for trying TLS out and for small installations: it has no revocation.
package privateca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// skew is how far in the past certificates begin to be valid, so that machines whose clocks differ
// accept a new one.
const skew = time.Hour

// Pair is a certificate and its private key in PEM.
type Pair struct {
	Cert []byte
	Key  []byte // PKCS #8
}

// Authority issues certificates.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// New returns a self-signed certificate (ECDSA P-256) for an authority of a name, valid from now on
// for a duration. It signs certificates of servers and clients, but not of further authorities.
func New(name string, valid time.Duration, now time.Time) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	template := certificate(name, valid, now)
	template.IsCA = true
	template.MaxPathLenZero = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return sign(template, template, key, key)
}

// Load reads an authority that New has made.
func Load(p Pair) (*Authority, error) {
	c, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	key, ok := c.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !c.Leaf.IsCA {
		return nil, fmt.Errorf("certificate authority: %q is no authority with an ECDSA key", c.Leaf.Subject)
	}
	return &Authority{cert: c.Leaf, key: key}, nil
}

// Request describes a certificate of a server or of a client.
type Request struct {
	Names  []Name
	Client bool          // the certificate of a client; false: of a server
	Peer   bool          // of a server that is also a client of its peers
	Valid  time.Duration // from now on
}

// Issue makes a key and a certificate for it.
func (a *Authority) Issue(r Request, now time.Time) (Pair, error) {
	if end := now.Add(r.Valid); end.After(a.cert.NotAfter) {
		return Pair{}, fmt.Errorf("the certificate would be valid until %s, but that of its authority ends at %s",
			end.UTC().Format(time.DateOnly), a.cert.NotAfter.UTC().Format(time.DateOnly))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	template := certificate("", r.Valid, now)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if r.Client {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	if r.Peer {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	for _, n := range r.Names {
		n.addTo(template)
	}
	return sign(template, a.cert, key, a.key)
}

// certificate is what all certificates share. The names of servers and clients are in the subject
// alternative names, so their subject is empty.
func certificate(name string, valid time.Duration, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(serial()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(valid),
		BasicConstraintsValid: true,
	}
}

// serial returns 16 random bytes that are a positive number of fixed length.
func serial() []byte {
	b := make([]byte, 16)
	rand.Read(b) // it never fails
	b[0] = b[0]&0x3f | 0x40
	return b
}

func sign(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) (Pair, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		return Pair{}, fmt.Errorf("certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, fmt.Errorf("private key: %w", err)
	}
	return Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}, nil
}
