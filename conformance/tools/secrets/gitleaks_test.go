package secrets

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lucasjones/reggen"
	"github.com/spf13/viper"
	"github.com/zricethezav/gitleaks/v8/config"

	"github.com/sealstream/sealstream/pkg/redact"
)

var (
	setNumber = flag.Uint64("set", redact.Newest, "Built-in set to measure.")
	show      = flag.Int("show", 0, "Missed texts to print per rule.")
)

const perRule = 20 // secrets

// A secret is one that gitleaks finds in text, made up from the rule's own expression.
type secret struct{ rule, text, secret string }

// deliberate are the rules whose secrets are not all taken out, and why.
var deliberate = map[string]string{
	"pkcs12-file":              "has no expression: it goes by the name of a file",
	"discord-client-id":        "is an id that Discord shows to everybody, as those of users and messages are",
	"asana-client-id":          "is an id of digits alone, as those of tasks are",
	"sourcegraph-access-token": "has 40 hexadecimal digits alone in its oldest form, as a commit of git has",
	"vault-service-token":      "is s. and 24 letters in its oldest form, as a member in a program is",
	"generic-api-key":          "takes any value behind any name with key, api, auth or access in it",
}

// rules reads the configuration that gitleaks has built in.
func rules(t *testing.T) []config.Rule {
	t.Helper()
	v := viper.New()
	v.SetConfigType("toml")
	if err := v.ReadConfig(strings.NewReader(config.DefaultConfig)); err != nil {
		t.Fatal(err)
	}
	var vc config.ViperConfig
	if err := v.Unmarshal(&vc); err != nil {
		t.Fatal(err)
	}
	cfg, err := vc.Translate()
	if err != nil {
		t.Fatal(err)
	}
	var list []config.Rule
	for _, r := range cfg.Rules {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b config.Rule) int { return strings.Compare(a.RuleID, b.RuleID) })
	if len(list) < 200 {
		t.Fatalf("gitleaks has %d rules", len(list))
	}
	return list
}

// generate makes secrets of a rule: texts that its expression matches, and whose secret is as
// random as the rule asks for.
func generate(t *testing.T, r config.Rule, seed int64) []secret {
	t.Helper()
	// Where an expression takes any character for the full stop of a host's name, ours is a full stop.
	expression := strings.NewReplacer("hooks.slack.com", `hooks\.slack\.com`, "xoxe.xox", `xoxe\.xox`, "contribsys.com",
		`contribsys\.com`, "MailchimpSDK.initialize", `MailchimpSDK\.initialize`).Replace(r.Regex.String())
	g, err := reggen.NewGenerator(expression)
	if err != nil {
		t.Fatalf("%s: %v", r.RuleID, err)
	}
	g.SetSeed(seed)
	var list []secret
	for tries := 0; len(list) < perRule && tries < 20000; tries++ {
		text := strings.ToValidUTF8(g.Generate(12), "")
		m := r.Regex.FindStringSubmatch(text)
		// a long s and the sign of the kelvin, which an expression without regard to case takes for
		// letters
		if m == nil || strings.ContainsAny(text, "\u017f\u212a") {
			continue
		}
		if r.RuleID == "kubernetes-secret-yaml" &&
			!regexp.MustCompile(`(?i):[^:]*[a-z0-9+/]{10,}=*["']?$`).MatchString(m[1]+m[2]) {
			continue // of templates and empty values, there is nothing to take out
		}
		s := m[0]
		if r.SecretGroup > 0 {
			s = m[r.SecretGroup]
		} else {
			for _, group := range m[1:] {
				if group != "" {
					s = group
					break
				}
			}
		}
		if s = strings.Trim(s, " \t\r\n\"'`"); s != "" && entropy(s) >= r.Entropy {
			list = append(list, secret{r.RuleID, text, s})
		}
	}
	return list
}

// entropy is that of Shannon, in bits a character, as gitleaks computes it.
func entropy(s string) (sum float64) {
	n := map[rune]int{}
	for _, c := range s {
		n[c]++
	}
	for _, k := range n {
		p := float64(k) / float64(len(s))
		sum -= p * math.Log2(p)
	}
	return sum
}

// surroundings are what stands before and behind.
var surroundings = [][2]string{
	{"", ""}, {"the agent called it with ", " and got 200"}, {"use ", "."}, {"first\n", "\nlast"}, {"say \"", "\" to them"}, {"'", "'"}, {"`", "`"}, {"(", ")"}, {"[", "]"}, {"<", ">"},
	{"- ", "\n"}, {"* ", "\n- next"}, {"1. ", "\n2. next"}, {"# ", ""}, {"// ", ""}, {"run: ", " # prod"}, {"42 ", " 17"}, {"4242424242424241 ", " 12/27"}, {"\u00a0", "\u00a0"}, {"schön: ", " ✓"},
	{"=> ", ";"}, {"export X; ", "; echo done"}, {"{\"msg\":\"", "\"}"}, {"{\"n\":NaN,\"msg\":\"", "\"}"}, {"[INFO] 2026-11-30T10:00:00Z ", " took 12ms"}, {"| ", " |"}, {"<td>", "</td>"}, {"https://example.com/?q=1 ", ", "},
	{"key is ", "!"}, {"\t", "\r\n"},
}

func set(t testing.TB) *redact.Set {
	s, err := redact.Compile(&redact.Rules{Set: *setNumber, Hash: redact.Hash(*setNumber)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestGitleaks: of what gitleaks finds, 98 of 100 are taken out, whatever stands beside them.
func TestGitleaks(t *testing.T) {
	s := set(t)
	all, gone := 0, 0
	missed := map[string]int{}
	total := map[string]int{}
	for i, r := range rules(t) {
		if r.Regex == nil {
			continue
		}
		shown := 0
		list := generate(t, r, int64(i))
		if len(list) < perRule {
			t.Logf("%s: %d secrets alone could be made", r.RuleID, len(list))
		}
		for _, sec := range list {
			for _, at := range surroundings {
				text := at[0] + sec.text + at[1]
				all++
				total[r.RuleID]++
				out, _ := s.Text([]byte(text))
				if !strings.Contains(string(out), sec.secret) {
					gone++
					continue
				}
				missed[r.RuleID]++
				if shown < *show {
					shown++
					t.Logf("%s: %q in %q stays: %q", r.RuleID, sec.secret, text, out)
				}
			}
		}
	}
	var lines []string
	for rule, n := range missed {
		lines = append(lines,
			fmt.Sprintf("%5.1f %% of %s stay; it %s", 100*float64(n)/float64(total[rule]), rule,
				cmp.Or(deliberate[rule], "is met in part")))
	}
	slices.Sort(lines)
	t.Logf("set %d: %d of %d gone, %.2f %%\n%s", *setNumber, gone, all, 100*float64(gone)/float64(all),
		strings.Join(lines, "\n"))
	if gone*100 < all*98 {
		t.Errorf("%d of %d gone", gone, all)
	}
}
