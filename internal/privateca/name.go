package privateca

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// Name is a subject alternative name: a DNS name, an IP address or a SPIFFE ID.
type Name struct {
	text string
	ip   netip.Addr
	id   *url.URL
}

// ParseName reads a DNS name (which may begin with "*."), an IP address or a SPIFFE ID.
func ParseName(text string) (Name, error) {
	if strings.Contains(text, "://") {
		id, err := spiffeID(text)
		return Name{text: text, id: id}, err
	}
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		return Name{text: text, ip: ip}, nil
	}
	if !validDNS(strings.TrimPrefix(text, "*.")) {
		return Name{}, fmt.Errorf("name %.80q is not a DNS name, an IP address or a SPIFFE ID", text)
	}
	return Name{text: strings.ToLower(text)}, nil
}

// String returns the name as it stands in the certificate.
func (n Name) String() string { return n.text }

func (n Name) addTo(c *x509.Certificate) {
	switch {
	case n.id != nil:
		c.URIs = append(c.URIs, n.id)
	case n.ip.IsValid():
		c.IPAddresses = append(c.IPAddresses, net.IP(n.ip.AsSlice()))
	default:
		c.DNSNames = append(c.DNSNames, n.text)
	}
}

// spiffeID parses spiffe://TRUST-DOMAIN/PATH, with the characters that the SPIFFE-ID specification
// allows (2.1, 2.2).
func spiffeID(text string) (*url.URL, error) {
	rest, ok := strings.CutPrefix(text, "spiffe://")
	domain, path, _ := strings.Cut(rest, "/")
	const lower, upper = "abcdefghijklmnopqrstuvwxyz0123456789._-", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	ok = ok && len(text) <= 2048 && domain != "" && len(domain) <= 255 && strings.Trim(domain, lower) == "" && path != ""
	for segment := range strings.SplitSeq(path, "/") {
		ok = ok && segment != "" && segment != "." && segment != ".." && strings.Trim(segment, lower+upper) == ""
	}
	if !ok {
		return nil, fmt.Errorf("name %.80q is not a SPIFFE ID, such as spiffe://example.com/agent/billing", text)
	}
	return url.Parse(text)
}

// validDNS reports whether a text is a DNS name: labels of letters, digits and inner dashes.
func validDNS(text string) bool {
	if text == "" || len(text) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.ToLower(text), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}
