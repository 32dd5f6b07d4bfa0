package natsconn

import (
	"github.com/sealstream/sealstream/internal/natsd"
)

// ConnFlags are the flags of every program that connects to NATS. Each also reads the variable of
// the nats tool.
type ConnFlags struct {
	NATS        string `help:"URLs of NATS servers, separated by commas. Default: the server of the context." env:"SEALSTREAM_NATS,NATS_URL" placeholder:"URL"`
	Context     string `help:"Name of a nats CLI context. Default: the selected one." env:"SEALSTREAM_CONTEXT,NATS_CONTEXT" placeholder:"NAME"`
	Creds       string `help:"NATS credentials file." env:"SEALSTREAM_CREDS,NATS_CREDS" placeholder:"FILE"`
	NKey        string `help:"NATS nkey seed file." name:"nkey" env:"SEALSTREAM_NKEY,NATS_NKEY" placeholder:"FILE"`
	User        string `help:"NATS user." env:"SEALSTREAM_USER,NATS_USER"`
	Password    string `help:"NATS password." env:"SEALSTREAM_PASSWORD,NATS_PASSWORD" secret:""`
	Token       string `help:"NATS token." env:"SEALSTREAM_TOKEN,NATS_TOKEN" secret:""`
	TLSCert     string `help:"File of the client certificate." name:"tlscert" env:"SEALSTREAM_TLSCERT,NATS_CERT" placeholder:"FILE"`
	TLSKey      string `help:"File of its private key." name:"tlskey" env:"SEALSTREAM_TLSKEY,NATS_KEY" placeholder:"FILE"`
	TLSCA       string `help:"File of the CA certificates that verify the server." name:"tlsca" env:"SEALSTREAM_TLSCA,NATS_CA" placeholder:"FILE"`
	AllowPlain  bool   `help:"Allow sending the NATS password or token without TLS to another machine."`
	InboxPrefix string `help:"Prefix of the inboxes. Default: _INBOX_ and the program's name, or what the context says." placeholder:"PREFIX"`
}

// Reach returns the flags as a Config. role is the program's name, which is part of its inbox
// prefix.
func (f ConnFlags) Reach(role string) Config {
	c := Config{
		URL:        f.NATS,
		Context:    f.Context,
		Creds:      f.Creds,
		NKey:       f.NKey,
		User:       f.User,
		Password:   f.Password,
		Token:      f.Token,
		Cert:       f.TLSCert,
		Key:        f.TLSKey,
		CA:         f.TLSCA,
		Inbox:      f.InboxPrefix,
		AllowPlain: f.AllowPlain,
	}
	if c.Inbox == "" && c.URL != "" {
		c.Inbox = natsd.InboxOf(role)
	}
	return c
}
