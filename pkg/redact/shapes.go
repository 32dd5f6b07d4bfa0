package redact

// shape is a secret that is recognised by its prefix: start, followed by least to most characters
// of the class body (most 0 means no limit). It must not follow a character of a word, and no
// character of body or of a word may follow it. A shape of another form names a matcher.
type shape struct {
	kind  string
	start string
	fold  bool // case-insensitive
	body  string
	least int
	most  int
	match string // name of its matcher in matchers
}

// classes are the character classes of bodies, by their names in the table.
var classes = map[string]*class{
	"alnum":  classOf("A-Za-z0-9"),
	"word":   classOf("A-Za-z0-9_"),
	"token":  classOf("A-Za-z0-9_-"),
	"upper":  classOf("A-Z0-9"),
	"hex":    classOf("a-f0-9"),
	"base32": classOf("A-Z2-7"),
	"base64": classOf("A-Za-z0-9+/="),
	"dotted": classOf("A-Za-z0-9_.-"),
}

// shapes1 is the table of built-in set 1. It never changes; see TestSetIsFrozen.
var shapes1 = []shape{
	{kind: "aws-access-key", start: "AKIA", body: "upper", least: 16, most: 16},
	{kind: "aws-access-key", start: "ASIA", body: "upper", least: 16, most: 16},
	{kind: "aws-access-key", start: "ABIA", body: "upper", least: 16, most: 16},
	{kind: "aws-access-key", start: "ACCA", body: "upper", least: 16, most: 16},
	{kind: "github-token", start: "ghp_", body: "word", least: 36},
	{kind: "github-token", start: "gho_", body: "word", least: 36},
	{kind: "github-token", start: "ghu_", body: "word", least: 36},
	{kind: "github-token", start: "ghs_", body: "word", least: 36},
	{kind: "github-token", start: "ghr_", body: "word", least: 36},
	{kind: "github-token", start: "github_pat_", body: "word", least: 22},
	{kind: "gitlab-token", start: "glpat-", body: "token", least: 20},
	{kind: "gitlab-token", start: "gldt-", body: "token", least: 20},
	{kind: "gitlab-token", start: "glrt-", body: "token", least: 20},
	{kind: "gitlab-token", start: "glptt-", body: "token", least: 20},
	{kind: "slack-token", start: "xoxb-", body: "token", least: 10},
	{kind: "slack-token", start: "xoxp-", body: "token", least: 10},
	{kind: "slack-token", start: "xoxa-", body: "token", least: 10},
	{kind: "slack-token", start: "xoxr-", body: "token", least: 10},
	{kind: "slack-token", start: "xoxs-", body: "token", least: 10},
	{kind: "slack-token", start: "xoxe-", body: "token", least: 10},
	{kind: "slack-token", start: "xoxc-", body: "token", least: 10},
	{kind: "slack-token", start: "xoxd-", body: "token", least: 10},
	{kind: "slack-token", start: "xapp-", body: "token", least: 10},
	{kind: "slack-webhook", start: "hooks.slack.com/", match: "webhook"},
	{kind: "openai-key", start: "sk-proj-", body: "token", least: 20},
	{kind: "openai-key", start: "sk-svcacct-", body: "token", least: 20},
	{kind: "openai-key", start: "sk-admin-", body: "token", least: 20},
	{kind: "anthropic-key", start: "sk-ant-", body: "token", least: 20},
	{kind: "openrouter-key", start: "sk-or-v1-", body: "alnum", least: 32},
	// also used by vendors that copied the form
	{kind: "openai-key", start: "sk-", body: "alnum", least: 32},
	{kind: "google-api-key", start: "AIza", body: "token", least: 35, most: 35},
	{kind: "google-oauth", start: "ya29.", body: "token", least: 20},
	{kind: "google-oauth", start: "GOCSPX-", body: "token", least: 20},
	{kind: "google-oauth", start: "1//0", body: "token", least: 30},
	{kind: "stripe-key", start: "sk_live_", body: "alnum", least: 16},
	{kind: "stripe-key", start: "sk_test_", body: "alnum", least: 16},
	{kind: "stripe-key", start: "rk_live_", body: "alnum", least: 16},
	{kind: "stripe-key", start: "rk_test_", body: "alnum", least: 16},
	{kind: "stripe-webhook", start: "whsec_", body: "base64", least: 24},
	{kind: "npm-token", start: "npm_", body: "alnum", least: 36, most: 36},
	{kind: "pypi-token", start: "pypi-AgE", body: "token", least: 50},
	{kind: "huggingface-token", start: "hf_", body: "alnum", least: 30},
	{kind: "sendgrid-key", start: "SG.", match: "sendgrid"},
	{kind: "digitalocean-token", start: "dop_v1_", body: "hex", least: 64, most: 64},
	{kind: "digitalocean-token", start: "doo_v1_", body: "hex", least: 64, most: 64},
	{kind: "digitalocean-token", start: "dor_v1_", body: "hex", least: 64, most: 64},
	{kind: "shopify-token", start: "shpat_", body: "hex", least: 32, most: 32},
	{kind: "shopify-token", start: "shpss_", body: "hex", least: 32, most: 32},
	{kind: "shopify-token", start: "shpca_", body: "hex", least: 32, most: 32},
	{kind: "shopify-token", start: "shppa_", body: "hex", least: 32, most: 32},
	{kind: "square-token", start: "sq0csp-", body: "token", least: 40},
	{kind: "square-token", start: "sq0atp-", body: "token", least: 22},
	{kind: "databricks-token", start: "dapi", body: "hex", least: 32, most: 32},
	{kind: "grafana-token", start: "glsa_", body: "word", least: 32},
	{kind: "groq-key", start: "gsk_", body: "alnum", least: 40},
	{kind: "xai-key", start: "xai-", body: "alnum", least: 40},
	{kind: "perplexity-key", start: "pplx-", body: "alnum", least: 40},
	{kind: "replicate-token", start: "r8_", body: "alnum", least: 30},
	{kind: "tailscale-key", start: "tskey-", body: "token", least: 20},
	{kind: "vault-token", start: "hvs.", body: "token", least: 20},
	{kind: "vault-token", start: "hvb.", body: "token", least: 20},
	{kind: "vault-token", start: "hvr.", body: "token", least: 20},
	{kind: "atlassian-token", start: "ATATT3", body: "token", least: 50},
	{kind: "linear-key", start: "lin_api_", body: "alnum", least: 30},
	{kind: "age-key", start: "AGE-SECRET-KEY-1", body: "upper", least: 58, most: 58},
	{kind: "nkey-seed", start: "SUA", body: "base32", least: 55, most: 55},
	{kind: "nkey-seed", start: "SAA", body: "base32", least: 55, most: 55},
	{kind: "nkey-seed", start: "SOA", body: "base32", least: 55, most: 55},
	{kind: "nkey-seed", start: "SNA", body: "base32", least: 55, most: 55},
	{kind: "nkey-seed", start: "SCA", body: "base32", least: 55, most: 55},
	{kind: "nkey-seed", start: "SXA", body: "base32", least: 55, most: 55},
	{kind: "private-key", start: "PRIVATE+KEY+", match: "notekey"},
	{kind: "private-key", start: "-----BEGIN ", match: "pem"},
	{kind: "jwt", start: "eyJ", match: "jwt"},
	{kind: "bearer", start: "bearer ", fold: true, match: "bearer"},
	{kind: "basic", start: "basic ", fold: true, match: "basic"},
	{kind: "url-password", start: "://", match: "url"},
}

// names1 are the names whose value is a secret, in lower case without separators. A leading * also
// matches longer names with that suffix.
var names1 = []struct{ name, kind string }{
	{"*password", "password"}, {"*passwd", "password"}, {"*passphrase", "password"}, {"pwd", "password"},
	{
		"*secret",
		"secret",
	}, {"*secretkey", "secret"}, {"*secretaccesskey", "secret"}, {"*encryptionkey", "secret"}, {"*signingkey", "secret"},
	{
		"*token",
		"token",
	}, {"jwt", "token"}, {"otp", "otp"}, {"*apikey", "api-key"}, {"*accesskey", "api-key"}, {"*accountkey", "api-key"},
	{"*privatekey", "private-key"}, {"authorization", "authorization"}, {"proxyauthorization", "authorization"},
	{
		"cookie",
		"cookie",
	}, {"setcookie", "cookie"}, {"*credential", "credential"}, {"*connectionstring", "connection-string"},
	{"*cardnumber", "card"}, {"cvv", "cvv"}, {"cvv2", "cvv"}, {"cvc", "cvv"}, {"ssn", "ssn"},
}

// notNames1 are names that end like those above but hold no secret.
var notNames1 = []string{
	"pagetoken", "nexttoken", "continuationtoken", "cursortoken", "cancellationtoken", "canceltoken", "eostoken",
	"bostoken", "padtoken", "unktoken",
	"masktoken", "septoken", "clstoken", "stoptoken", "starttoken", "endtoken", "maxtoken", "pertoken", "agenttoken",
	"inputtoken", "outputtoken",
}

// numeric1 are the kinds whose value can be a JSON number.
var numeric1 = []string{"password", "otp", "card", "cvv", "ssn"}

// anchors1 are parts of names: every name of names1 contains one of them as written.
var anchors1 = []string{
	"passw", "passphrase", "pwd", "secret", "token", "jwt", "otp", "apikey", "api_key", "api-key", "api.key", "accesskey",
	"access_key", "access-key",
	"accountkey", "account_key", "account-key", "privatekey", "private_key", "private-key", "signingkey", "signing_key",
	"signing-key",
	"encryptionkey", "encryption_key", "encryption-key", "authorization", "cookie", "credential", "connectionstring",
	"connection_string",
	"connection-string", "cardnumber", "card_number", "card-number", "cvv", "cvc", "ssn",
}
