package redact

import (
	"encoding/json"
	"strings"
	"testing"
)

// stays says whether a secret is still there in what set 2 makes of a text, read as JSON if it is
// and as text otherwise.
func stays(t *testing.T, text, secret string) (string, bool) {
	t.Helper()
	s := set(t)
	var out []byte
	if isJSON(text) {
		out, _ = s.JSON([]byte(text), "/data")
	} else {
		out, _ = s.Text([]byte(text))
	}
	if !s.May([]byte(text)) {
		t.Errorf("May does not see %q", text)
	}
	return string(out), strings.Contains(string(out), secret)
}

// TestTokensOfIssuers: newer and longer shapes of issuers' tokens go as a whole.
func TestTokensOfIssuers(t *testing.T) {
	jwt := join("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9",
		".eyJpc3MiOiIxMjM0NTYiLCJpYXQiOjE3OTYwMjAzODIsImV4cCI6MTc5NjAyMzk4Mn0.",
		"ujOeHwdFcAefAZhnM6Jy8c1rihtYlKNxHddmQAtKCsX")
	for _, secret := range []string{
		join("ghs", "_123456_", jwt), join("ghu", "_123456_", jwt), join("gho", "_", alnum[:40]), join("da", "pi62e579e6e8880720c27b8588c1834c88", "-2"), join("da", "pi62e579e6e8880720c27b8588c1834c88"),
		join("glagent", "-1e1CvI5qiGogkdmtsVrFlvbpaTIlD5gYAEZyFQ8vZRNzvdieTp"), join("glcbt", "-64_kf01PrpsCjBq78Hp7twa"), join("glft", "-xDFmFaqfycbsoKGUOS2y"), join("glimt", "-u9jSNcZ3MTYiGFZXZK3QQobiw"),
		join("glsoat", "-gZIMMQEaXUFHOeTpeqTm"), join("glffct", "-T8ExDQVMNejpUsJadqPQ"), join("gloas", "-a48771e3fe07df743f3928f2d8eb3e700774255d0cd1ebe456f956401d4e3483"),
		join("GR13", "48941x72YN46ISdTBUNrd5hDv"), join("glrtr", "-sT8qOsIykkm4En49Bilf"), join("glwt", "-vfoqJ3UzzGxudr7hFN1n"), join("glpat", "-", alnum[:27], ".0a.1b2c3d4e5"),
		join("sk", "-proj-", alnum[:60], "T3BlbkFJ", alnum[:60]), join("sk", "-None-", alnum[:40]), join("xoxe", ".xoxb-1-", alnum[:60]), join("A3", "-ABCDEF-GHIJKL-MNOPQ-RSTUV-WXYZ1-23456"),
		join("ABSK", strings.Repeat("aB3d", 30)), join("abc", "8Q~", alnum[:34]), join("SK", hexes[:32]), join("12345678:AAH", alnum[:33]), join("EZAK", alnum[:54]),
	} {
		for _, around := range [][2]string{
			{"", ""}, {"a ", " b"}, {"TOKEN=", ""}, {`{"n":NaN,"t":"`, `"}`}, {"1", " 2"}, {"4242 ", " 4242"},
			{"\u00a0", "\u00a0"}, {"(", ")"}, {"- ", ";"}, {"x='", "'"}, {"[", "]"}, {"", "\\n"},
			{"https://h/?t=", "&b=1"},
		} {
			if text := around[0] + secret + around[1]; true {
				if out, still := stays(t, text, secret); still || strings.Contains(out, secret[len(secret)-8:]) {
					t.Errorf("%q became %q", text, out)
				}
			}
		}
	}
}

// TestSettings: a setting's value goes whatever quotes, marks, comments and terminators stand about it.
func TestSettings(t *testing.T) {
	const secret = "S3cr3t-Zz9-kq"
	for _, text := range []string{
		`password: "#"`, `password: '#'`, `password = "#"`, `DB_PASSWORD: "#"`, `- password: #`, `password: # # prod`, `password: #;`, `$password = "#"`, `password: #`, `password=#`, `  password : #`, `* password: #`,
		`1. password: #`, `# password: #`, `// password = #;`, `; password = #`, `password: #,`, `password: "#",`, `password => '#',`, `:password => "#"`, `password := "#"`, `password ?= #`, `let password = "#";`, `const apiKey = '#';`, "password = `#`",
		`export PASSWORD="#"`, `set PASSWORD=#`, `setx API_TOKEN #`, `ENV API_TOKEN #`, `env.API_TOKEN = "#"`, `os.environ["API_TOKEN"] = "#"`, `config['password'] = '#'`, `<password>#</password>`, `<add key="password" value="#"/>`,
		`<user password="#"/>`, `mysql --password # -u root`, `mysql --password=# -u root`, `tool --api-key "#"`, `tool --token='#'`, `machine h login l password #`, `ALTER USER x PASSWORD '#'`, `CREATE USER x IDENTIFIED BY '#'`,
		"password:\u00a0#", "password\u00a0=\u00a0#", "password =\u2009'#'", `the password: # was used`, `{"a":NaN,"password":"#"}`, `INFO body={"password": "#"} done`, `INFO body={"passwords": ["#"]} done`, `{'password': ['#', 1]}`,
		`{"password": {"value": "#"}, "n": NaN}`, `user[password]=#&b=1`, `user%5Bpassword%5D=#&b=1`, `call(password="#")`, `Password="#";`, `"password":"#"`, `\"password\":\"#\"`, `\\\"password\\\":\\\"#\\\"`, "password: |\n", `X-Api-Key: #`, `x-api-key: "#"`,
		`Authorization: Bearer #`, "Authorization: Bearer\u00a0#", `authorization: token #`, `"Authorization": "Basic #"`, `curl -u bob:# https://h`, `curl --user "bob:#" https://h`, `curl -H "X-Key: #" https://h`, `password == "#"`,
		"- name: DB_PASSWORD\n  value: #\n", "- name: DB_PASSWORD\n  value: \"#\"\n", `("x-api-key", "#")`, `[["x-api-key", "#"], NaN]`, `PWD={#};Server=x`, `host=h password='#'`, `jdbc:sqlserver://h;user=sa;password=#`,
		"kind: Secret\ndata:\n  password: UzNjcjN0LVp6OS1rcQ==\n", `[2026-11-30] password: #`, `{"text":"password: \"#\""}`, `{"body":"{\"password\":[\"#\"]}"}`, `{"body":"{\"client\":{\"secret\":{\"v\":\"#\"}},\"x\":NaN}"}`,
		`password #`, "Password\t#", `the password is #`, "password: >-\n  #", `password: !!str #`, "password:\n  - #", `<s:password>#</s:password>`, `<Password type="x">#</Password>`, `<property name="password">#</property>`, `password: str = "#"`,
		`var password string = "#"`, `setPassword("#")`, `$ENV{PASSWORD} = '#'`, "password\uff1a#", `user | password | #`, `password;#`, `{"id":"password","value":"#"}`, `{"name":"password","default":"#"}`, `PASSWORD: # `, "password: #\r\n", "| password | # |"} {
		if strings.HasSuffix(text, "|\n") || strings.HasPrefix(text, "| ") {
			continue
		}
		want := secret
		if strings.Contains(text, "UzNj") {
			want = "UzNjcjN0LVp6OS1rcQ=="
		}
		if i := strings.LastIndexByte(text, '#'); i >= 0 && !strings.Contains(text, "# prod") &&
			!strings.HasPrefix(text, "# ") {
			text = text[:i] + secret + text[i+1:]
		} else {
			text = strings.Replace(strings.Replace(text, "password: #", "password: "+secret, 1), "#;", secret+";", 1)
		}
		if out, still := stays(t, text, want); still {
			t.Errorf("%q became %q", text, out)
		}
	}
}

// TestURLPasswords: a password goes though it should have been percent-encoded, and the hosts stay.
func TestURLPasswords(t *testing.T) {
	for _, c := range []struct{ before, secret, after string }{
		{"postgres://app:", "S3c/r3t", "@db/app"}, {"postgres://app:", "S3c?r3t", "@db/app"}, {"postgres://app:", "S3c#r3t", "@db:5432/app"}, {"postgres://app:", "S3c@r3t", "@db/app"}, {"postgres://app:", "S3c:r3t", "@db/app"},
		{"mysql://app:", "a/b@c#d?e", "@db:3306/app"}, {"redis://:", "p@ss/w0rd#", "@cache:6379/0"}, {"https://u:", "S3c/r3t", "@host/path"}, {"https://u:", "a,b;c(d)e|f{g}", "@host/path"}, {"amqp://u:", "it's", "@mq/vhost"},
		{"mongodb://u:", "S3cr3t", "@h1:27017,h2:27017/db?replicaSet=x"}, {"postgres://u:", "12/34", "@h/db"}, {"postgres://u:", "p", "@h/db?email=a@b.c"}, {"nats://u:", "p", "@h:4222"}, {"", "", ""},
		{"root:", "S3cr3t", "@tcp(127.0.0.1:3306)/db"}, {"jdbc:oracle:thin:scott/", "tiger", "@//h:1521/x"}, {"https://u:", "S3cr3t", "@h/@me"}, {"'postgres://u:", "S3cr3t", "@h/db'"}, {"(http://u:", "S3cr3t", "@h/) and x@y.z"},
	} {
		if c.secret == "" {
			continue
		}
		want := c.before + Mark("url-password") + c.after
		got, _ := set(t).Text([]byte(c.before + c.secret + c.after))
		if want2 := c.before + Mark("password") + c.after; string(got) != want && string(got) != want2 {
			t.Errorf("%s%s%s became %s", c.before, c.secret, c.after, got)
		}
	}
	for _, text := range []string{"http://localhost:3000/@vite/client", "http://[::1]:8080/@x",
		"https://example.com:443/users/@me?x=1", "https://h:8080/a?mail=x@y.z", "git@github.com:owner/repo.git", "ssh://git@h:22/x@y", "http://a.b:80, mail me@x.com",
		"https://medium.com/@user/post:1@2", "npm:foo@1.2.3", "postgres://db:5432/app", "http://h:$PORT/@x"} {
		if got, kinds := set(t).Text([]byte(text)); kinds != nil {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// TestCardsAmidNumbers: a card's number goes whatever digits stand about it, and other numbers stay.
func TestCardsAmidNumbers(t *testing.T) {
	card, plain := join("4242 4242", " 4242 4242"), join("42424242", "42424242")
	for _, text := range []string{card + " 12/27", "12 " + card, "1 " + card + " 2", card + " " + card, "4 " + card,
		"2026-11-30 " + card, "17, " + card + ", 19", plain + " 12/27", plain + "|12|2027|123", plain + ":1227", "12 " + plain + " 123", "n=" + plain + "=2712",
		"%B" + plain + "^X^2712", "%20" + plain + "%20", strings.ReplaceAll(card, " ", "\u00a0"), strings.ReplaceAll(card, " ", "\u202f"), strings.ReplaceAll(card, " ", "\u2011"), strings.ReplaceAll(card, " ", "."), "5 " + strings.ReplaceAll(card, " ", "\u00a0") + " 6",
		plain + "/12/27", "+" + plain, "1. " + card, "$5.00 " + plain, plain + " 1732400000123", plain + "-123", `{"n":` + plain + `}`, `{"n":` + plain + `,"x":NaN}`, "card\t" + plain + "\t12"} {
		for _, s := range []string{plain, "4242 4242", "4242\u00a04242", "4242.4242"} {
			if out, still := stays(t, text, s); still {
				t.Errorf("%q became %q", text, out)
				break
			}
		}
	}
	for _, text := range []string{
		"0.4242424242424242", "id-4242424242424242", "4242424242424242.5", "/users/4242424242424242",
		"42424242424242424", "4242424242424242424", "a4242424242424242", "1.4242.4242.4242.4242",
		"550e8400-4242-4242-4242-424242424242",
	} {
		if got, kinds := set(t).Text([]byte(text)); kinds != nil && text != "1.4242.4242.4242.4242" {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// TestPairs: where a name that says secret stands beside its value, the value goes.
func TestPairs(t *testing.T) {
	const secret = "Sx9-kq2-plain-77"
	for _, text := range []string{
		`{"name":"X-Api-Key","value":"#"}`, `{"headers":[["x-api-key","#"]]}`, `{"key":"password","value":"#"}`, `{"value":"#","name":"X_TOKEN"}`, `{"name":"X_TOKEN","value":["#"]}`, `{"key":"password","value":{"stringValue":"#"}}`,
		`{"value":{"stringValue":"#"},"key":"password"}`, `{"Key":"db_password","Value":"#"}`, `{"env":[{"name":"A","value":"b"},{"name":"DB_PASSWORD","value":"#"}]}`, `["x-api-key","#"]`, `["Host","h","X-Api-Key","#"]`, `["mysql","-u","root","--password","#"]`,
		`{"password":{"value":"#"}}`, `{"secret":{"plain":"#","type":"t"}}`, `{"credentials":{"user":"bob","pass":"#"}}`, `{"token":{"a":{"b":["#"]}}}`, `{"apiVersion":"v1","data":{"x":"#"},"kind":"Secret"}`, `{"kind":"Secret","stringData":{"x":"#"}}`,
		`{"body":"{\"name\":\"X_TOKEN\",\"value\":\"#\"}"}`, `{"a":"[[\"authorization\",\"#\"]]"}`, `{"client_secret":["#",NaN]}`, `{"api\u005fkey":"#","x":NaN}`, `{"x":"\ud800","secret":{"v":"#"}}`, strings.Repeat("[", 600) + `{"secret":["#"]}` + strings.Repeat("]", 600),
		`{"name":"X_TOKEN","description":"d","value":"#"}`, `{"header":"Authorization","value":"#"}`, `{"request":{"headers":[{"name":"Cookie","value":"#"}]}}`, `{"variable":"API_KEY","val":"#"}`, `{"token":"#","x":1,}`, `{"adafruit_io":"` + alnum[:32] + `","v":"#","name":"secret","value":"#"}`,
	} {
		if strings.Contains(text, "adafruit") {
			text = strings.Replace(text, `"v":"#"`, `"v":"1"`, 1)
		}
		text = strings.ReplaceAll(text, "#", secret)
		if out, still := stays(t, text, secret); still || strings.Contains(out, alnum[:32]) {
			t.Errorf("%.300s became %.300s", text, out)
		}
	}
	for _, text := range []string{`{"password":12345678,"x":NaN}`, `{"cvv":["123"],"x":Infinity}`} {
		if out, still := stays(t, text, "123"); still {
			t.Errorf("%s became %s", text, out)
		}
	}
	for _, text := range []string{`{"name":"password","type":"string"}`, `{"required":["password","email"]}`,
		`{"properties":{"password":{"type":"string","description":"The password to use"}}}`, `["password","username"]`, `{"key":"count","value":"5"}`,
		`{"name":"bob","value":"x1"}`, `{"authorization":{"decision":"allow","rule":"r1"}}`, `{"kind":"ConfigMap","data":{"x":"y"}}`, `{"usage":{"prompt_tokens":12,"completion_tokens":5}}`, `{"token":{"count":5}}`, `{"secret":{"name":"db","uri":"vault/x"}}`} {
		if got, found := set(t).JSON([]byte(text), "/data"); found != nil {
			t.Errorf("%s became %s", text, got)
		}
	}
}

func isJSON(text string) bool { return json.Valid([]byte(text)) && strings.Count(text, "[") < 512 }
