package conformance_test

import "strings"

// setHash2 is that of built-in set 2.
const setHash2 = "75a4a0e734d75c4b01a01d1e5f2e3f27a2e26c316663c697d1901cc20ee713af"

const setting = "S3cr3t-Zz9-kq" // is no secret

// makeSet2 says by hand what set 2 finds. A # in a text is the setting, and parts[0]+parts[1] are a
// token, so that no scanner takes this file for a leak.
func makeSet2() redactionSet {
	v := redactionSet{Set: 2, Hash: setHash2}
	add := func(name, in, out string, kinds ...string) {
		json := strings.HasPrefix(in, "json ")
		in, path := strings.TrimPrefix(in, "json "), "/data"
		c := redactionCase{Name: name, JSON: json, Out: out}
		for i, k := range kinds {
			at := path
			if kind, below, ok := strings.Cut(k, " "); ok {
				k, at = kind, path+below
			}
			if i > 0 && c.Redactions[i-1] == (redactionVector{k, at}) {
				continue // each pair stands once
			}
			c.Redactions = append(c.Redactions, redactionVector{k, at})
		}
		for part := range strings.SplitSeq(strings.ReplaceAll(in, "#", setting[:6]+"|"+setting[6:]), "|") {
			c.In = append(c.In, part)
		}
		v.Cases = append(v.Cases, c)
	}
	const mark = "[REDACTED:password]"
	hex := strings.Repeat("0123456789abcdef", 2)
	add("nothing", `json {"n" : 1e400, "t":"\u00e4\/ sk-learn"}`, `{"n" : 1e400, "t":"\u00e4\/ sk-learn"}`)
	add("a token with a JWT inside",
		"use ghs|_123456_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NTYifQ.ujOeHwdFcAefAZhnM6Jy now",
		"use [REDACTED:github-token] now", "github-token")
	add("a token with a suffix", "da|pi"+hex+"-2", "[REDACTED:databricks-token]", "databricks-token")
	add("a token behind a digit", "1ghp|_"+strings.Repeat("aB3d", 9)+" 2", "1[REDACTED:github-token] 2", "github-token")
	add("a newer prefix", "glrtr-|sT8qOsIykkm4En49Bilf", "[REDACTED:gitlab-token]", "gitlab-token")
	add("a word that ends as a token begins", "desk-"+strings.Repeat("a", 40), "desk-"+strings.Repeat("a", 40))
	add("an issuer's name", "adafruit_io: '"+hex+"'", "adafruit_io: '[REDACTED:adafruit-key]'", "adafruit-key")
	add("an issuer's name in JSON", `json {"adafruit_io":"`+hex+`"}`, `{"adafruit_io":"[REDACTED:adafruit-key]"}`,
		"adafruit-key /adafruit_io")
	for _, s := range []string{`password: "@"`, `- password: @`, `password: @; rest`, `password: @ // prod`,
		`$password = '@'`, "password:\u00a0@", `<password>@</password>`, `mysql --password @ -u root`, `password => "@",`, `os.environ["DB_PASSWORD"] = "@"`, `{'password': ['@', None]}`,
		`\"password\":\"@\"`, "- name: DB_PASSWORD\n  value: @\n", `machine h login l password @`, `PWD={@};Server=x`, `user[password]=@&b=1`, `curl -u bob:@ https://h`, `[INFO] password: "@"`, `{"password":"@","x":NaN}`, `{"a":"\ud800","password":["@"]}`, `CREATE USER x IDENTIFIED BY '@'`,
		`{"name":"DB_PASSWORD","value":"@","n":NaN}`} {
		add("setting: "+s, strings.ReplaceAll(s, "@", "#"), strings.ReplaceAll(s, "@", mark), "password")
	}
	add("an escaped name in text", `{"passw\u006frd":"#","x":NaN}`, `{"passw\u006frd":"[REDACTED:password]","x":NaN}`,
		"password")
	add("a number in text", `{"password":12|345678,"x":NaN}`, `{"password":"[REDACTED:password]","x":NaN}`, "password")
	add("a header", "Authorization: Bearer\u00a0#", "Authorization: [REDACTED:authorization]", "authorization")
	add("no setting", "the password: none was set; token = next(tokens); password=password",
		"the password: none was set; token = next(tokens); password=password")
	add("a raw delimiter", "postgres://app:pa/ss?w|rd@db/app", "postgres://app:[REDACTED:url-password]@db/app",
		"url-password")
	add("no user", "http://localhost:3000/@vite/client", "http://localhost:3000/@vite/client")
	add("a data source", "root:S3|cr3t@tcp(127.0.0.1:3306)/db", "root:[REDACTED:password]@tcp(127.0.0.1:3306)/db",
		"password")
	add("a card amid numbers", "12 4242 4242 4242| 4242 12/27", "12 [REDACTED:card] 12/27", "card")
	add("a card with no-break spaces", "4242\u00a04242\u00a04242|\u00a04242", "[REDACTED:card]", "card")
	add("a card as a number", `json {"n":42424242|42424242,"id":4242424242424241}`,
		`{"n":"[REDACTED:card]","id":4242424242424241}`, "card /n")
	add("a pair", `json {"name":"X-Api-Key","value":"#"}`, `{"name":"X-Api-Key","value":"[REDACTED:api-key]"}`,
		"api-key /value")
	add("a pair, value first", `json {"value":{"stringValue":"#"},"key":"password"}`,
		`{"value":{"stringValue":"[REDACTED:password]"},"key":"password"}`, "password /value/stringValue")
	add("a pair in an array", `json {"headers":[["x-api-key","#"]]}`,
		`{"headers":[["x-api-key","[REDACTED:api-key]"]]}`, "api-key /headers/0/1")
	add("a command line", `json ["mysql","-u","root","--password","#"]`,
		`["mysql","-u","root","--password","[REDACTED:password]"]`, "password /4")
	add("an object under a name", `json {"credentials":{"user":"bob","key":"#","more":["x"],"type":"t"}}`,
		`{"credentials":{"user":"bob","key":"[REDACTED:credential]","more":["[REDACTED:credential]"],"type":"t"}}`,
		"credential /credentials/key", "credential /credentials/more/0")
	add("a schema", `json {"properties":{"password":{"type":"string","description":"The password"}}}`,
		`{"properties":{"password":{"type":"string","description":"The password"}}}`)
	add("a decision", `json {"authorization":{"decision":"allow","rule":"r1"}}`,
		`{"authorization":{"decision":"allow","rule":"r1"}}`)
	add("a Secret of Kubernetes", `json {"data":{"x":"#"},"kind":"Secret"}`,
		`{"data":{"x":"[REDACTED:secret]"},"kind":"Secret"}`, "secret /data/x")
	add("JSON in a string", `json {"body":"{\"password\":[\"#\"],\"n\":NaN}"}`,
		`{"body":"{\"password\":[\"[REDACTED:password]\"],\"n\":NaN}"}`, "password /body")
	add("a mark", `json {"password":"[REDACTED:pass|word]"}`, `{"password":"[REDACTED:password]"}`)
	add("too deep", strings.Repeat("[", 600)+`{"secret":["#"]}`+strings.Repeat("]", 600),
		strings.Repeat("[", 600)+`{"secret":["[REDACTED:secret]"]}`+strings.Repeat("]", 600), "secret")
	return v
}
