package settings

import "fmt"

// TLSFlags are the TLS files of a program that serves HTTP. The zero value means plain HTTP.
type TLSFlags struct {
	ServerCert string `help:"Serve HTTPS with the certificate chain in this PEM file. A changed file is read again within a second." name:"tls-cert" env:"SEALSTREAM_TLS_CERT" placeholder:"FILE"`
	ServerKey  string `help:"PEM file of the private key of --tls-cert." name:"tls-key" env:"SEALSTREAM_TLS_KEY" placeholder:"FILE"`
	ClientCA   string `help:"PEM file of the CA certificates that verify client certificates. A client may have none, but not an invalid one." name:"tls-client-ca" env:"SEALSTREAM_TLS_CLIENT_CA" placeholder:"FILE"`
}

// Given reports whether any of the files is named.
func (f TLSFlags) Given() bool { return f != TLSFlags{} }

// Check finds a file that is missing beside another one. The error wraps ErrInvalid.
func (f TLSFlags) Check() error {
	if f.Given() && (f.ServerCert == "" || f.ServerKey == "") {
		return fmt.Errorf("%w: TLS needs both --tls-cert and --tls-key", ErrInvalid)
	}
	return nil
}
