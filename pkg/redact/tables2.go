package redact

// classes2 are the character classes that the forms of set 2 use.
var classes2 = map[string]*class{
	"digit":   classOf("0-9"),
	"upper":   classOf("A-Z0-9"),
	"alnum":   classOf("A-Za-z0-9"),
	"letter":  classOf("A-Za-z"),
	"word":    classOf("A-Za-z0-9_"),
	"token":   classOf("A-Za-z0-9_-"),
	"hex":     classOf("A-Fa-f0-9"),
	"hexdash": classOf("A-Fa-f0-9-"),
	"base32":  classOf("A-Z2-7"),
	"base64":  classOf("A-Za-z0-9+/="),
	"any64":   classOf("A-Za-z0-9+/=_-"),
	"dotted":  classOf("A-Za-z0-9_.=-"),
	"wide":    classOf("A-Za-z0-9_.~+/=%-"),
	"path":    classOf("A-Za-z0-9_/-"),
}

var digitClass, tokenClass = classes2["digit"], classes2["token"]

// shape2 is a secret that is recognised by its prefix: start, followed by a form, or a matcher of
// its own. Whether it may directly follow a letter depends on how specific its start is: see weak.
type shape2 struct {
	kind, start, form, match string
	fold                     bool
	// its start is common in base64, so it must not follow a character of base64
	strict bool
}

// shapes2 is the table of built-in set 2. It never changes once released; see TestSetIsFrozen. The
// comment at each issuer says where it documents the form.
var shapes2 = []shape2{
	// docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html (unique identifiers)
	{kind: "aws-access-key", start: "AKIA", form: "upper:16"},
	{kind: "aws-access-key", start: "ASIA", form: "upper:16"},
	{kind: "aws-access-key", start: "ABIA", form: "upper:16"},
	{kind: "aws-access-key", start: "ACCA", form: "upper:16"},
	{kind: "aws-access-key", start: "A3T", form: "upper:17", strict: true},
	// docs.aws.amazon.com/bedrock/latest/userguide/api-keys-how.html
	{kind: "aws-bedrock-key", start: "ABSK", form: "base64:100"},
	{kind: "aws-bedrock-key", start: "bedrock-api-key-", form: "any64:20"},
	// github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats;
	// docs.github.com (stateless tokens: a JWT behind the id)
	{kind: "github-token", start: "ghp_", form: "word:36 *.token:10"},
	{kind: "github-token", start: "gho_", form: "word:36 *.token:10"},
	{kind: "github-token", start: "ghu_", form: "word:20 *.token:10"},
	{kind: "github-token", start: "ghs_", form: "word:20 *.token:10"},
	{kind: "github-token", start: "ghr_", form: "word:36 *.token:10"},
	{kind: "github-token", start: "github_pat_", form: "word:22 *.token:10"},
	// docs.gitlab.com/security/tokens (token prefixes)
	{kind: "gitlab-token", start: "glpat-", form: "token:20 *.alnum:2"},
	{kind: "gitlab-token", start: "gldt-", form: "token:20 *.alnum:2"},
	{kind: "gitlab-token", start: "glrt-", form: "token:20 *.alnum:2"},
	{kind: "gitlab-token", start: "glrtr-", form: "token:20 *.alnum:2"},
	{kind: "gitlab-token", start: "glptt-", form: "token:20 *.alnum:2"},
	{kind: "gitlab-token", start: "glcbt-", form: "token:20 *.alnum:2"},
	{kind: "gitlab-token", start: "glft-", form: "token:20 *.alnum:2"},
	{kind: "gitlab-token", start: "glimt-", form: "token:20 *.alnum:2"},
	{kind: "gitlab-token", start: "glagent-", form: "token:20 *.alnum:2"},
	{kind: "gitlab-token", start: "glsoat-", form: "token:20 *.alnum:2"},
	{kind: "gitlab-token", start: "glffct-", form: "token:20 *.alnum:2"},
	{kind: "gitlab-token", start: "gloas-", form: "token:20 *.alnum:2"},
	{kind: "gitlab-token", start: "glwt-", form: "token:20 *.alnum:2"},
	{kind: "gitlab-token", start: "GR1348941", form: "token:20"},
	{kind: "gitlab-token", start: "_gitlab_session=", form: "alnum:32"},
	// docs.slack.dev/authentication/tokens; docs.slack.dev/authentication/using-token-rotation
	{kind: "slack-token", start: "xoxb-", form: "token:10", fold: true},
	{kind: "slack-token", start: "xoxp-", form: "token:10", fold: true},
	{kind: "slack-token", start: "xoxa-", form: "token:8", fold: true},
	{kind: "slack-token", start: "xoxr-", form: "token:8", fold: true},
	{kind: "slack-token", start: "xoxs-", form: "token:5", fold: true},
	{kind: "slack-token", start: "xoxo-", form: "token:5", fold: true},
	{kind: "slack-token", start: "xoxe-", form: "token:10", fold: true},
	{kind: "slack-token", start: "xoxe.", form: "token:10", fold: true},
	{kind: "slack-token", start: "xoxc-", form: "token:10", fold: true},
	{kind: "slack-token", start: "xoxd-", form: "wide:10", fold: true},
	{kind: "slack-token", start: "xapp-", form: "token:8", fold: true},
	{kind: "slack-token", start: "xwfp-", form: "token:10"},
	{kind: "slack-webhook", start: "hooks.slack.com/", match: "webhook"},
	// learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
	{kind: "teams-webhook", start: ".webhook.office.com/", match: "rest"},
	// docs.discord.com/developers/resources/webhook;
	// core.telegram.org/bots/api#authorizing-your-bot
	{kind: "discord-webhook", start: "/api/webhooks/", form: "digit:15 / token:40"},
	{kind: "telegram-token", start: ":AA", match: "telegram"},
	// platform.openai.com/docs/api-reference/authentication; docs.anthropic.com/en/api;
	// openrouter.ai/docs; console.groq.com; docs.x.ai; docs.perplexity.ai; replicate.com/docs
	{kind: "openai-key", start: "sk-proj-", form: "token:20"},
	{kind: "openai-key", start: "sk-svcacct-", form: "token:20"},
	{kind: "openai-key", start: "sk-admin-", form: "token:20"},
	{kind: "openai-key", start: "sk-None-", form: "token:20"},
	{kind: "anthropic-key", start: "sk-ant-", form: "token:20"},
	{kind: "openrouter-key", start: "sk-or-v1-", form: "alnum:32"},
	{kind: "openai-key", start: "sk-", form: "alnum:32"},
	{kind: "groq-key", start: "gsk_", form: "alnum:40"},
	{kind: "xai-key", start: "xai-", form: "alnum:40"},
	{kind: "perplexity-key", start: "pplx-", form: "alnum:40"},
	{kind: "replicate-token", start: "r8_", form: "alnum:30"},
	{kind: "langsmith-key", start: "lsv2_", form: "word:32"},
	// cloud.google.com/docs/authentication/api-keys-use;
	// developers.google.com/identity/protocols/oauth2
	{kind: "google-api-key", start: "AIza", form: "token:35"},
	{kind: "google-oauth", start: "ya29.", form: "token:20 *.token:10"},
	{kind: "google-oauth", start: "GOCSPX-", form: "token:20"},
	{kind: "google-oauth", start: "1//0", form: "token:30"},
	// docs.stripe.com/keys; docs.stripe.com/webhooks;
	// developer.squareup.com/docs/build-basics/access-tokens
	{kind: "stripe-key", start: "sk_live_", form: "alnum:10"},
	{kind: "stripe-key", start: "sk_test_", form: "alnum:10"},
	{kind: "stripe-key", start: "sk_prod_", form: "alnum:10"},
	{kind: "stripe-key", start: "rk_live_", form: "alnum:10"},
	{kind: "stripe-key", start: "rk_test_", form: "alnum:10"},
	{kind: "stripe-key", start: "rk_prod_", form: "alnum:10"},
	{kind: "stripe-webhook", start: "whsec_", form: "base64:24"},
	{kind: "square-token", start: "sq0csp-", form: "token:22"},
	{kind: "square-token", start: "sq0atp-", form: "token:22"},
	{kind: "square-token", start: "EAAA", form: "token:22", strict: true},
	{kind: "facebook-token", start: "EAAM", form: "alnum:100"},
	{kind: "facebook-token", start: "EAAC", form: "alnum:100"},
	// docs.npmjs.com/about-access-tokens; pypi.org/help/#apitoken;
	// guides.rubygems.org/api-key-scopes; github.com/clojars/clojars-web/wiki/Deploy-Tokens
	{kind: "npm-token", start: "npm_", form: "alnum:36", fold: true},
	{kind: "pypi-token", start: "pypi-AgE", form: "token:50"},
	{kind: "rubygems-token", start: "rubygems_", form: "hex:48"},
	{kind: "clojars-token", start: "clojars_", form: "alnum:60", fold: true},
	// huggingface.co/docs/hub/security-tokens
	{kind: "huggingface-token", start: "hf_", form: "alnum:30"},
	{kind: "huggingface-token", start: "api_org_", form: "alnum:34"},
	{kind: "sendgrid-key", start: "SG.", match: "sendgrid"},
	{kind: "brevo-key", start: "xkeysib-", form: "hex:64 - alnum:16"},
	// docs.digitalocean.com/reference/api/create-personal-access-token;
	// shopify.dev/docs/apps/build/authentication-authorization/access-tokens
	{kind: "digitalocean-token", start: "dop_v1_", form: "hex:64", fold: true},
	{kind: "digitalocean-token", start: "doo_v1_", form: "hex:64", fold: true},
	{kind: "digitalocean-token", start: "dor_v1_", form: "hex:64", fold: true},
	{kind: "shopify-token", start: "shpat_", form: "hex:32"},
	{kind: "shopify-token", start: "shpss_", form: "hex:32"},
	{kind: "shopify-token", start: "shpca_", form: "hex:32"},
	{kind: "shopify-token", start: "shppa_", form: "hex:32"},
	{kind: "shopify-token", start: "shptka_", form: "hex:32"},
	// docs.databricks.com/dev-tools/auth/pat;
	// grafana.com/docs/grafana/latest/administration/service-accounts;
	// grafana.com/docs/grafana-cloud (access policies)
	{kind: "databricks-token", start: "dapi", form: "hex:32"},
	{kind: "grafana-token", start: "glsa_", form: "word:32", fold: true},
	{kind: "grafana-token", start: "glc_", form: "base64:32", fold: true},
	{kind: "grafana-token", start: "eyjrijoi", form: "base64:70", fold: true},
	// developer.hashicorp.com/vault/docs/concepts/tokens;
	// developer.hashicorp.com/terraform/cloud-docs/users-teams-organizations/api-tokens
	{kind: "vault-token", start: "hvs.", form: "token:20"},
	{kind: "vault-token", start: "hvb.", form: "token:20"},
	{kind: "vault-token", start: "hvr.", form: "token:20"},
	{kind: "terraform-token", start: ".atlasv1.", match: "atlas"},
	// tailscale.com/kb/1101/api; support.atlassian.com (API tokens); linear.app/developers;
	// developers.notion.com/docs/authorization
	{kind: "tailscale-key", start: "tskey-", form: "token:20"},
	{kind: "atlassian-token", start: "ATATT3", form: "dotted:50"},
	{kind: "atlassian-token", start: "ATCTT3", form: "dotted:50"},
	{kind: "linear-key", start: "lin_api_", form: "alnum:30"},
	{kind: "linear-key", start: "lin_oauth_", form: "alnum:30"},
	{kind: "notion-token", start: "ntn_", form: "alnum:40"},
	// support.1password.com/secret-key-security; developer.1password.com/docs/service-accounts
	{kind: "1password-key", start: "A3-", match: "onepassword"},
	{kind: "1password-token", start: "ops_eyJ", form: "base64:100"},
	// learn.microsoft.com/entra (client secrets: three characters, a digit, Q~);
	// learn.microsoft.com/azure/storage/common/storage-sas-overview
	{kind: "azure-sas", start: "sig=", match: "sas"},
	// www.alibabacloud.com/help/ram; developer.adobe.com; www.dynatrace.com/support/help (access
	// tokens); fly.io/docs/security/tokens; docs.heroku (HRKU);
	// devcenter.heroku.com/articles/authentication
	{kind: "alibaba-key", start: "LTAI", form: "alnum:12"},
	{kind: "adobe-secret", start: "p8e-", form: "token:32"},
	{kind: "dynatrace-token", start: "dt0c01.", form: "alnum:24 . alnum:64"},
	{kind: "fly-token", start: "fo1_", form: "token:43"},
	{kind: "fly-token", start: "fm1a_", form: "base64:100"},
	{kind: "fly-token", start: "fm1r_", form: "base64:100"},
	{kind: "fly-token", start: "fm2_", form: "base64:100"},
	{kind: "heroku-key", start: "HRKU-", form: "token:36"},
	// jfrog.com/help (reference tokens, API keys);
	// airtable.com/developers/web/guides/personal-access-tokens; authress.io/knowledge-base
	// (service clients)
	{kind: "artifactory-key", start: "AKCp", form: "alnum:69"},
	{kind: "artifactory-token", start: "cmVmd", form: "alnum:59"},
	{kind: "airtable-token", start: "pat", form: "alnum:14 . hex:64"},
	{kind: "authress-key", start: ".acc", match: "authress"},
	// developers.cloudflare.com/ssl/origin-configuration/origin-ca;
	// clickhouse.com/docs/cloud/manage/openapi; docs.defined.net/glossary/api-token;
	// docs.doppler.com/reference/auth-token-formats
	{kind: "cloudflare-key", start: "v1.0-", form: "hex:24 - hex:100"},
	{kind: "clickhouse-key", start: "4b1d", form: "alnum=38", strict: true},
	{kind: "defined-key", start: "dnkey-", form: "any64:52", fold: true},
	{kind: "doppler-token", start: "dp.pt.", form: "alnum:40"},
	{kind: "doppler-token", start: "dp.st.", form: "wide:40"},
	{kind: "doppler-token", start: "dp.ct.", form: "alnum:40"},
	{kind: "doppler-token", start: "dp.sa.", form: "alnum:40"},
	// duffel.com/docs; docs.easypost.com/docs/authentication; developer.flutterwave.com;
	// developer.frame.io; freemius.com/help; developer.harness.io/docs/platform/automation/api
	{kind: "duffel-token", start: "duffel_test_", form: "any64:43"},
	{kind: "duffel-token", start: "duffel_live_", form: "any64:43"},
	{kind: "easypost-key", start: "EZAK", form: "alnum:54"},
	{kind: "easypost-key", start: "EZTK", form: "alnum:54"},
	{kind: "flutterwave-key", start: "FLWSECK_TEST-", form: "alnum:12"},
	{kind: "flutterwave-key", start: "FLWPUBK_TEST-", form: "alnum:32"},
	{kind: "flutterwave-key", start: "FLWSECK-", form: "alnum:12"},
	{kind: "frameio-token", start: "fio-u-", form: "any64:64"},
	{kind: "harness-key", start: "pat.", form: "token:22 . alnum:24 . alnum:20"},
	{kind: "harness-key", start: "sat.", form: "token:22 . alnum:24 . alnum:20"},
	// www.infracost.io/docs; api.intra.42.fr/apidoc; dev.maxmind.com (license keys);
	// octopus.com/docs/octopus-rest-api; docs.openshift.com (sha256~);
	// planetscale.com/docs/concepts
	{kind: "infracost-key", start: "ico-", form: "alnum:32"},
	{kind: "intra42-secret", start: "s-s4t2", form: "letter:2 - hex:64"},
	{kind: "maxmind-key", start: "_mmk", match: "maxmind"},
	{kind: "octopus-key", start: "API-", form: "upper:26"},
	{kind: "openshift-token", start: "sha256~", form: "token:43"},
	{kind: "planetscale-token", start: "pscale_", form: "letter:2 _ dotted:32", fold: true},
	// learning.postman.com/docs/developer/postman-api; docs.prefect.io; www.pulumi.com/docs (access
	// tokens); docs.readme.com; developers.scalingo.com; docs.sentry.io/api/auth;
	// docs.settlemint.com
	{kind: "postman-key", start: "PMAK-", form: "hex:24 - hex:34"},
	{kind: "prefect-key", start: "pnu_", form: "alnum:36"},
	{kind: "prefect-key", start: "pnb_", form: "alnum:36"},
	{kind: "pulumi-token", start: "pul-", form: "hex:40"},
	{kind: "readme-key", start: "rdme_", form: "alnum:70"},
	{kind: "scalingo-token", start: "tk-us-", form: "token:48"},
	{kind: "sentry-token", start: "sntrys_", form: "any64:40"},
	{kind: "sentry-token", start: "sntryu_", form: "hex:64"},
	{kind: "settlemint-token", start: "sm_aat_", form: "alnum:16"},
	{kind: "settlemint-token", start: "sm_pat_", form: "alnum:16"},
	{kind: "settlemint-token", start: "sm_sat_", form: "alnum:16"},
	// docs.lob.com (API keys)
	{kind: "lob-key", start: "live_", form: "~pub_ hex:31", fold: true},
	{kind: "lob-key", start: "test_", form: "~pub_ hex:31", fold: true},
	// docs.goshippo.com; docs.sourcegraph.com/cli/how-tos/creating_an_access_token;
	// www.twilio.com/docs/iam/api-keys;
	// developers.facebook.com/docs/facebook-login/guides/access-tokens
	{kind: "shippo-token", start: "shippo_live_", form: "hex:40"},
	{kind: "shippo-token", start: "shippo_test_", form: "hex:40"},
	{kind: "sourcegraph-token", start: "sgp_", form: "word:40", fold: true},
	// c2sp.org/age; docs.nats.io/using-nats/developer/connecting/nkey; c2sp.org/signed-note
	{kind: "age-key", start: "AGE-SECRET-KEY-1", form: "upper:58"},
	{kind: "nkey-seed", start: "SUA", form: "base32:55"},
	{kind: "nkey-seed", start: "SAA", form: "base32:55"},
	{kind: "nkey-seed", start: "SOA", form: "base32:55"},
	{kind: "nkey-seed", start: "SNA", form: "base32:55"},
	{kind: "nkey-seed", start: "SCA", form: "base32:55"},
	{kind: "nkey-seed", start: "SXA", form: "base32:55"},
	{kind: "private-key", start: "PRIVATE+KEY+", match: "notekey"},
	// RFC 7468; RFC 7519, also as base64 of itself; RFC 6750; RFC 7617; RFC 3986;
	// curl.se/docs/manpage.html; github.com/go-sql-driver/mysql (DSN); docs.oracle.com (JDBC thin)
	{kind: "private-key", start: "-----begin", match: "pem", fold: true},
	{kind: "jwt", start: "eyJ", match: "jwt"},
	{kind: "jwt", start: ".ey", match: "jwtpair"},
	{kind: "jwt", start: "ZXlK", form: "any64:10", strict: true},
	{kind: "bearer", start: "bearer", match: "bearer", fold: true},
	{kind: "basic", start: "basic", match: "basic", fold: true},
	{kind: "url-password", start: "://", match: "url"},
	{kind: "password", start: "curl", match: "curl"},
	{kind: "password", start: "@tcp(", match: "mysql"},
	{kind: "password", start: "@unix(", match: "mysql"},
	{kind: "password", start: "oracle:thin:", match: "oracle", fold: true},
	{kind: "password", start: "identified by", match: "identified", fold: true},
}

// shapes2 also has the forms of learn.microsoft.com/entra/identity-platform (client secrets: three
// characters, a digit, Q~) and of www.twilio.com/docs/iam/api-keys, by the digits that stand in
// them.
func init() {
	for _, c := range "0123456789abcdefABCDEF" {
		shapes2 = append(shapes2, shape2{kind: "twilio-key", start: "SK" + string(c), form: "hex:31"})
		if c <= '9' {
			shapes2 = append(shapes2, shape2{kind: "azure-secret", start: string(c) + "Q~", match: "azure"})
		}
	}
}

// issuers2 are names that say whose secret a value is where its form alone would not: word stands
// in a name, and the value has the form. The forms are those of the issuers' documentation, as the
// rules of github.com/gitleaks/gitleaks (MIT) collect them.
var issuers2 = []struct{ word, form string }{
	{
		"adafruit",
		"token:32",
	}, {"adobe", "hex:32"}, {"airtable", "alnum=17"}, {"algolia", "alnum:32"}, {"alibaba", "alnum:30"}, {
		"asana", "alnum:32",
	},
	{
		"atlassian",
		"alnum:24",
	}, {"confluence", "alnum:24"}, {"jira", "alnum:24"}, {"beamer", "b_ any64:44"}, {"bitbucket", "any64:32"}, {
		"bittrex", "alnum:32",
	},
	{
		"meraki",
		"hex:40",
	}, {"cloudflare", "token:37"}, {"codecov", "alnum:32"}, {"cohere", "alnum:40"}, {"co_api_key", "alnum:40"}, {
		"coinbase", "token:64",
	},
	{
		"confluent",
		"alnum:64",
	}, {"confluent", "alnum=16"}, {"contentful", "any64:43"}, {"datadog", "alnum:32"}, {"discord", "any64:32"}, {
		"droneci", "alnum:32",
	},
	{
		"dropbox",
		"sl. any64:100",
	}, {"dropbox", "any64:60"}, {"dropbox", "alnum=15"}, {"etsy", "alnum:24"}, {"facebook", "hex:32"}, {
		"fastly", "any64:32",
	},
	{
		"finicity",
		"alnum:20",
	}, {"finnhub", "alnum:20"}, {"flickr", "alnum:32"}, {"freshbooks", "alnum:64"}, {"gitter", "token:40"}, {
		"gocardless", "live_ any64:40",
	},
	{
		"heroku",
		"hexdash:36",
	}, {"hubspot", "hexdash:36"}, {"intercom", "any64:60"}, {"jfrog", "alnum:64"}, {"artifactory", "alnum:64"}, {
		"bintray", "alnum:64",
	}, {"xray", "alnum:64"},
	{
		"kraken",
		"any64:80",
	}, {"kucoin", "hexdash:36"}, {"kucoin", "hex:24"}, {"launchdarkly", "any64:40"}, {"linear", "hex:32"}, {
		"linkedin", "alnum=14",
	}, {"linkedin", "alnum=16"},
	{
		"linked_in",
		"alnum=14",
	}, {"linked_in", "alnum=16"}, {"linked-in", "alnum=14"}, {"linked-in", "alnum=16"}, {"looker", "alnum:20"},
	{
		"mailchimp",
		"hex:32 -us digit:1",
	}, {"mailchimpsdk.initialize", "hex:32 -us digit:1"}, {"mailgun", "key- hex:32"}, {"mailgun", "pubkey- hex:32"}, {
		"mailgun", "alnum:32 - alnum:8 - alnum:8",
	}, {"mapbox", "pk. alnum:60 . alnum:22"},
	{
		"mapbox",
		"sk. alnum:60 . alnum:22",
	}, {"mattermost", "alnum:26"}, {"messagebird", "hexdash:36"}, {"messagebird", "alnum:25"}, {
		"message_bird", "hexdash:36",
	}, {"message_bird", "alnum:25"},
	{
		"message-bird",
		"hexdash:36",
	}, {"message-bird", "alnum:25"}, {"netlify", "any64:40"}, {"newrelic", "token:24"}, {"new-relic", "token:24"}, {
		"new_relic", "token:24",
	}, {"nytimes", "any64:32"}, {"newyorktimes", "any64:32"}, {"new-york-times", "any64:32"}, {
		"new-york-times,", "any64:32",
	},
	{
		"okta",
		"00 any64:40",
	}, {"plaid", "access- letter:5 - hexdash:36"}, {"plaid", "alnum:24"}, {"privateai", "alnum:32"}, {
		"private_ai", "alnum:32",
	}, {"private-ai", "alnum:32"},
	{
		"rapidapi",
		"token:50",
	}, {"sendbird", "hexdash:36"}, {"sendbird", "hex:40"}, {"sentry", "hex:64"}, {"contribsys__com", "hex=8 : hex=8"}, {
		"snyk", "hexdash:36",
	},
	{
		"sonar",
		"any64:40",
	}, {"squarespace", "hexdash:36"}, {"sumo", "su alnum:12"}, {"sumo", "alnum:64"}, {"telegr", "digit:5 :A token:34"}, {
		"travis", "alnum:22",
	}, {"twitch", "alnum:30"},
	{
		"twitter",
		"AAAAAAAAAAAAAAAAAAAAAA wide:80",
	}, {"twitter", "digit:15 - alnum:20"}, {"twitter", "alnum:25"}, {"typeform", "tfp_ dotted:59"}, {
		"yandex", "t1. any64:1 . any64:80",
	},
	{"yandex", "AQVN token:35"}, {"yandex", "YC token:38"}, {"zendesk", "alnum:40"},
}

// names2 are the names whose value is a secret, in lower case without what parts words; one with *
// in front also where a longer name ends with it.
var names2 = []struct{ name, kind string }{
	{
		"*password",
		"password",
	}, {"*passwords", "password"}, {"*passwd", "password"}, {"*passphrase", "password"}, {"*passcode", "password"}, {
		"*pwd", "password",
	}, {"pass", "password"},
	{
		"dbpass",
		"password",
	}, {"userpass", "password"}, {"mysqlpass", "password"}, {"smtppass", "password"}, {"mailpass", "password"}, {
		"redispass", "password",
	}, {"pgpass", "password"},
	{
		"ftppass",
		"password",
	}, {"adminpass", "password"}, {"rootpass", "password"}, {"authpass", "password"}, {"loginpass", "password"}, {
		"sshpass", "password",
	},
	{
		"*secret",
		"secret",
	}, {"*secrets", "secret"}, {"*secretkey", "secret"}, {"*secretaccesskey", "secret"}, {"*encryptionkey", "secret"}, {
		"*signingkey", "secret",
	}, {"*sharedkey", "secret"},
	{
		"*sharedaccesskey",
		"secret",
	}, {"*masterkey", "secret"}, {"*hmackey", "secret"}, {"*mnemonic", "secret"}, {"*seedphrase", "secret"}, {
		"*secretstring", "secret",
	}, {"*secretvalue", "secret"}, {"*passwordvalue", "password"},
	{
		"*token",
		"token",
	}, {"*accesstokens", "token"}, {"*refreshtokens", "token"}, {"*apitokens", "token"}, {"*authtokens", "token"}, {
		"jwt", "token",
	}, {"*tokenvalue", "token"},
	{
		"otp",
		"otp",
	}, {"totp", "otp"}, {"otpcode", "otp"}, {"mfacode", "otp"}, {"*recoverycodes", "otp"}, {"*backupcodes", "otp"},
	{
		"*apikey",
		"api-key",
	}, {"*apikeys", "api-key"}, {"*accesskey", "api-key"}, {"*accountkey", "api-key"}, {"*authkey", "api-key"}, {
		"*licensekey", "api-key",
	}, {"*subscriptionkey", "api-key"},
	{
		"*functionskey",
		"api-key",
	}, {"*privatekey", "private-key"}, {"*privatekeys", "private-key"}, {"*privatekeypem", "private-key"},
	{
		"authorization",
		"authorization",
	}, {"proxyauthorization", "authorization"}, {"xauthorization", "authorization"}, {
		"httpauthorization", "authorization",
	}, {"xamzsignature", "authorization"}, {"xgoogsignature", "authorization"},
	{
		"cookie",
		"cookie",
	}, {"setcookie", "cookie"}, {"httpcookie", "cookie"}, {"*credential", "credential"}, {"*credentials", "credential"}, {
		"*connectionstring", "connection-string",
	},
	{
		"*cardnumber",
		"card",
	}, {"*cardno", "card"}, {"ccnumber", "card"}, {"cvv", "cvv"}, {"cvv2", "cvv"}, {"cvc", "cvv"}, {"cvc2", "cvv"}, {
		"cardcvc", "cvv",
	}, {"cardcvv", "cvv"},
	{"ssn", "ssn"}, {"socialsecuritynumber", "ssn"},
}

// notNames2 are names that end like those above and hold no secret.
var notNames2 = append(
	[]string{
		"oldpwd",
		"xamzcredential",
		"xgoogcredential",
		"synctoken",
		"idempotencytoken",
		"nopassword",
		"wrongpassword",
		"badpassword",
		"resetpassword",
		"forgotpassword",
		"changepassword",
	},
	notNames1...)

// anchors2 is a part that every name of names2 has one of, as it is written.
var anchors2 = []string{
	"pass", "pwd", "secret", "token", "jwt", "otp", "mfacode", "mfa_code", "mfa-code", "mnemonic", "seedphrase",
	"seed_phrase", "seed-phrase",
	"recoverycodes", "recovery_codes", "recovery-codes", "backupcodes", "backup_codes", "backup-codes",
	"apikey", "api_key", "api-key", "api.key", "api key", "accesskey", "access_key", "access-key", "access key",
	"access.key", "accountkey", "account_key", "account-key", "authkey", "auth_key", "auth-key",
	"licensekey", "license_key", "license-key", "subscriptionkey", "subscription_key", "subscription-key", "functionskey",
	"functions_key", "functions-key",
	"privatekey", "private_key", "private-key", "private key", "private.key", "signingkey", "signing_key", "signing-key",
	"sharedkey", "shared_key", "shared-key", "masterkey", "master_key", "master-key",
	"hmackey", "hmac_key", "hmac-key", "encryptionkey", "encryption_key", "encryption-key", "authorization",
	"x-amz-signature", "x-goog-signature", "cookie", "credential",
	"connectionstring", "connection_string", "connection-string", "connection string", "cardnumber", "card_number",
	"card-number", "card number", "card.number", "cardno", "card_no", "card-no",
	"ccnumber", "cc_number", "cc-number", "cvv", "cvc", "ssn", "socialsecurity", "social_security", "social-security",
	"social security", "sharedaccesskey",
}

// pairNames2 are the members whose value names what a sibling holds, and pairValues2 those
// siblings: {"name": "X_TOKEN", "value": "…"}, as in HAR, OTLP, Kubernetes' env and Postman.
var (
	pairNames2 = []string{
		"name",
		"id",
		"n",
		"key",
		"header",
		"headername",
		"field",
		"fieldname",
		"param",
		"parameter",
		"variable",
		"var",
		"property",
		"attribute",
		"option",
		"setting",
		"env",
		"k",
	}
	pairValues2 = []string{
		"value",
		"default",
		"defaultvalue",
		"current",
		"values",
		"val",
		"v",
		"content",
		"data",
		"stringdata",
		"stringvalue",
		"rawvalue",
		"plaintext",
		"plain",
		"raw",
		"text",
	}
)

// about2 are members of an object under a secret's name that say something about it and are not it.
var about2 = []string{
	"type", "title", "description", "format", "enum", "pattern", "items", "anyof", "oneof", "allof", "ref", "schema",
	"required", "minlength", "maxlength", "readonly", "writeonly", "deprecated", "nullable", "example",
	"name", "id", "kind", "label", "status", "state", "url", "uri", "href", "path", "version", "algorithm", "alg", "typ",
	"kid", "scope", "scopes", "username", "user", "login", "email", "host", "hostname", "port", "region",
	"database", "namespace", "source", "provider", "issuer", "audience", "subject", "created", "createdat", "updated",
	"updatedat", "expires", "expiresat", "expiresin", "expiry", "issuedat", "lastused", "lastusedat",
	"digits", "period", "length", "min", "max", "count", "size", "ttl", "in", "tokentype", "decision", "reason", "action",
	"result", "rule", "rules", "policy", "role", "roles", "permissions", "method", "message", "error",
}
